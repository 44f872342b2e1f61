-- Row-level security of the audit trail, as the document names it. Partitions carry copies (audit.ensure_partitions()).

drop policy if exists audit_append_only on audit.audit_log;
create policy audit_append_only on audit.audit_log
  for insert to crewpay_definer
  with check (true);
comment on policy audit_append_only on audit.audit_log is 'Rows come from the capture triggers only, and those must never fail; nobody else may insert.';

drop policy if exists audit_no_update on audit.audit_log;
create policy audit_no_update on audit.audit_log
  for update to public
  using (false);
comment on policy audit_no_update on audit.audit_log is 'Nobody updates.';

drop policy if exists audit_no_delete on audit.audit_log;
create policy audit_no_delete on audit.audit_log
  for delete to public
  using (false);
comment on policy audit_no_delete on audit.audit_log is 'Nobody deletes.';

drop policy if exists definer_tenant on audit.audit_log;
create policy definer_tenant on audit.audit_log
  for select to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on audit.audit_log is 'Functions read the trail of the caller''s enterprise only.';

drop policy if exists admin_all_data on audit.audit_log;
create policy admin_all_data on audit.audit_log
  for select to crewpay_admin
  using ((select auth.role() = 'admin') and enterprise_id = (select auth.enterprise_id()));
comment on policy admin_all_data on audit.audit_log is 'Administrators read the trail of their enterprise.';

drop policy if exists payroll_read on audit.audit_log;
create policy payroll_read on audit.audit_log
  for select to crewpay_payroll
  using ((select auth.role() = 'payroll')
    and enterprise_id = (select auth.enterprise_id())
    and split_part(entity_type, '.', 1) <> 'auth');
comment on policy payroll_read on audit.audit_log is 'Payroll reads the trail of its enterprise, but for who may log in.';
