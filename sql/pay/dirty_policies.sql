-- Row-level security and grants of dirty marks: triggers add them as their owner, runs clear them, staff read.

drop policy if exists definer_tenant on pay.dirty_marks;
create policy definer_tenant on pay.dirty_marks
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on pay.dirty_marks is 'Functions act in the caller''s enterprise only.';

drop policy if exists tenant_read on pay.dirty_marks;
create policy tenant_read on pay.dirty_marks
  for select to crewpay_admin, crewpay_payroll, crewpay_service
  using ((select auth.role() in ('admin', 'payroll', 'service_role')) and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on pay.dirty_marks is 'Read: all rows of the own enterprise.';

grant select, insert, delete on pay.dirty_marks to crewpay_definer;
grant select on pay.dirty_marks to crewpay_admin, crewpay_payroll, crewpay_service;
