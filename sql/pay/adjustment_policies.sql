-- Row-level security and grants of adjustments: functions write; staff read all, crew what they are paid.

drop policy if exists definer_tenant on pay.adjustments;
create policy definer_tenant on pay.adjustments
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on pay.adjustments is 'Functions act in the caller''s enterprise only.';

drop policy if exists crew_own_adjustments on pay.adjustments;
create policy crew_own_adjustments on pay.adjustments
  for select to crewpay_crew
  using ((select auth.role() = 'crew')
    and enterprise_id = (select auth.enterprise_id())
    and crew_member_id = (select auth.uid())
    and state in ('APPROVED', 'PAID'));
comment on policy crew_own_adjustments on pay.adjustments is 'Crew see what they get, not what is still to be decided.';

drop policy if exists tenant_read on pay.adjustments;
create policy tenant_read on pay.adjustments
  for select to crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi
  using ((select auth.role() in ('admin', 'payroll', 'service_role', 'bi'))
    and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on pay.adjustments is 'Read: all rows of the own enterprise.';

grant select, insert, update on pay.adjustments to crewpay_definer;
grant select on pay.adjustments to crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi;
