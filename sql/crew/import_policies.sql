-- Row-level security and grants of imports: functions write, administrators and payroll read what was refused.

drop policy if exists definer_tenant on crew.import_batches;
create policy definer_tenant on crew.import_batches
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on crew.import_batches is 'Functions act in the caller''s enterprise only.';

drop policy if exists tenant_read on crew.import_batches;
create policy tenant_read on crew.import_batches
  for select to crewpay_admin, crewpay_payroll
  using ((select auth.role() in ('admin', 'payroll')) and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on crew.import_batches is 'Read: imports of the own enterprise.';

drop policy if exists definer_tenant on crew.import_rows;
create policy definer_tenant on crew.import_rows
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on crew.import_rows is 'Functions act in the caller''s enterprise only.';

drop policy if exists definer_tenant on crew.import_rejects;
create policy definer_tenant on crew.import_rejects
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on crew.import_rejects is 'Functions act in the caller''s enterprise only.';

drop policy if exists tenant_read on crew.import_rejects;
create policy tenant_read on crew.import_rejects
  for select to crewpay_admin, crewpay_payroll
  using ((select auth.role() in ('admin', 'payroll')) and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on crew.import_rejects is 'Read: refused rows of the own enterprise.';

grant select, insert, update, delete on crew.import_batches, crew.import_rows, crew.import_rejects to crewpay_definer;
grant select on crew.import_batches, crew.import_rejects to crewpay_admin, crewpay_payroll;
