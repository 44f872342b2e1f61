-- Row-level security and grants of back pay and recoveries: functions write, staff read all; crew see what was approved of their own,
-- and what is to be taken back from them.

drop policy if exists definer_tenant on pay.retros;
create policy definer_tenant on pay.retros
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on pay.retros is 'Functions act in the caller''s enterprise only.';

drop policy if exists tenant_read on pay.retros;
create policy tenant_read on pay.retros
  for select to crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi
  using ((select auth.role() in ('admin', 'payroll', 'service_role', 'bi')) and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on pay.retros is 'Read: all rows of the own enterprise.';

drop policy if exists definer_tenant on pay.retro_results;
create policy definer_tenant on pay.retro_results
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on pay.retro_results is 'Functions act in the caller''s enterprise only.';

drop policy if exists tenant_read on pay.retro_results;
create policy tenant_read on pay.retro_results
  for select to crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi
  using ((select auth.role() in ('admin', 'payroll', 'service_role', 'bi')) and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on pay.retro_results is 'Read: all rows of the own enterprise.';

drop policy if exists definer_tenant on pay.retro_items;
create policy definer_tenant on pay.retro_items
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on pay.retro_items is 'Functions act in the caller''s enterprise only.';

drop policy if exists tenant_read on pay.retro_items;
create policy tenant_read on pay.retro_items
  for select to crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi
  using ((select auth.role() in ('admin', 'payroll', 'service_role', 'bi')) and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on pay.retro_items is 'Read: all rows of the own enterprise.';

drop policy if exists definer_tenant on pay.recoveries;
create policy definer_tenant on pay.recoveries
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on pay.recoveries is 'Functions act in the caller''s enterprise only.';

drop policy if exists tenant_read on pay.recoveries;
create policy tenant_read on pay.recoveries
  for select to crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi
  using ((select auth.role() in ('admin', 'payroll', 'service_role', 'bi')) and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on pay.recoveries is 'Read: all rows of the own enterprise.';

drop policy if exists definer_tenant on pay.recovery_instalments;
create policy definer_tenant on pay.recovery_instalments
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on pay.recovery_instalments is 'Functions act in the caller''s enterprise only.';

drop policy if exists tenant_read on pay.recovery_instalments;
create policy tenant_read on pay.recovery_instalments
  for select to crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi
  using ((select auth.role() in ('admin', 'payroll', 'service_role', 'bi')) and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on pay.recovery_instalments is 'Read: all rows of the own enterprise.';

drop policy if exists crew_approved on pay.retros;
create policy crew_approved on pay.retros
  for select to crewpay_crew
  using ((select auth.role() = 'crew') and enterprise_id = (select auth.enterprise_id()) and state = 'APPROVED');
comment on policy crew_approved on pay.retros is 'Crew see that back pay was approved (columns are granted), not what is proposed.';

drop policy if exists crew_own on pay.retro_results;
create policy crew_own on pay.retro_results
  for select to crewpay_crew
  using ((select auth.role() = 'crew')
    and enterprise_id = (select auth.enterprise_id())
    and crew_member_id = (select auth.uid())
    and retro_id in (select r.id from pay.retros as r where r.enterprise_id = (select auth.enterprise_id()) and r.state = 'APPROVED'));
comment on policy crew_own on pay.retro_results is 'Crew see what approved back pay found for them.';

drop policy if exists crew_own on pay.retro_items;
create policy crew_own on pay.retro_items
  for select to crewpay_crew
  using ((select auth.role() = 'crew')
    and enterprise_id = (select auth.enterprise_id())
    and retro_result_id in (select s.id from pay.retro_results as s where s.enterprise_id = (select auth.enterprise_id()) and s.crew_member_id = (select auth.uid())));
comment on policy crew_own on pay.retro_items is 'Crew see of what their own back pay is made up.';

drop policy if exists crew_own on pay.recoveries;
create policy crew_own on pay.recoveries
  for select to crewpay_crew
  using ((select auth.role() = 'crew')
    and enterprise_id = (select auth.enterprise_id())
    and crew_member_id = (select auth.uid()));
comment on policy crew_own on pay.recoveries is 'Crew see what is to be taken back from them, proposals too (columns are granted).';

drop policy if exists crew_own on pay.recovery_instalments;
create policy crew_own on pay.recovery_instalments
  for select to crewpay_crew
  using ((select auth.role() = 'crew')
    and enterprise_id = (select auth.enterprise_id())
    and recovery_id in (select r.id from pay.recoveries as r where r.enterprise_id = (select auth.enterprise_id()) and r.crew_member_id = (select auth.uid())));
comment on policy crew_own on pay.recovery_instalments is 'Crew see their own instalments.';

grant select (enterprise_id, id, retro_no, state) on pay.retros to crewpay_crew;
grant select (enterprise_id, id, retro_id, pay_period_id, crew_member_id, amount) on pay.retro_results to crewpay_crew;
grant select on pay.retro_items, pay.recovery_instalments to crewpay_crew;
grant select (enterprise_id, id, retro_result_id, crew_member_id, amount, instalments, state, requested_at, approved_at) on pay.recoveries to crewpay_crew;
grant select, insert, update on pay.retros, pay.recoveries to crewpay_definer;
grant select, insert on pay.retro_results, pay.retro_items, pay.recovery_instalments to crewpay_definer;
grant select on pay.retros, pay.retro_results, pay.retro_items, pay.recoveries, pay.recovery_instalments
  to crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi;
