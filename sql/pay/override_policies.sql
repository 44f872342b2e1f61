-- Row-level security and grants of overrides: functions write; staff read all, crew what is in force for them.

drop policy if exists definer_tenant on pay.overrides;
create policy definer_tenant on pay.overrides
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on pay.overrides is 'Functions act in the caller''s enterprise only.';

drop policy if exists crew_own_overrides on pay.overrides;
create policy crew_own_overrides on pay.overrides
  for select to crewpay_crew
  using ((select auth.role() = 'crew')
    and enterprise_id = (select auth.enterprise_id())
    and crew_member_id = (select auth.uid())
    and state in ('APPROVED', 'RESET'));
comment on policy crew_own_overrides on pay.overrides is 'Crew see what is set for them, not what is still to be decided.';

drop policy if exists tenant_read on pay.overrides;
create policy tenant_read on pay.overrides
  for select to crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi
  using ((select auth.role() in ('admin', 'payroll', 'service_role', 'bi'))
    and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on pay.overrides is 'Read: all rows of the own enterprise.';

grant select, insert, update on pay.overrides to crewpay_definer;
grant select on pay.overrides to crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi;
