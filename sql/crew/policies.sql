-- Row-level security of schema crew: crew see what is theirs, staff their enterprise, functions the caller's enterprise.

drop policy if exists global_read on crew.airports;
create policy global_read on crew.airports
  for select to crewpay_definer, crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi
  using (true);
comment on policy global_read on crew.airports is 'Global: whoever has a grant may read.';

drop policy if exists definer_tenant on crew.crew_members;
create policy definer_tenant on crew.crew_members
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on crew.crew_members is 'Functions act in the caller''s enterprise only.';

drop policy if exists crew_own_data on crew.crew_members;
create policy crew_own_data on crew.crew_members
  for select to crewpay_crew
  using ((select auth.role() = 'crew')
    and enterprise_id = (select auth.enterprise_id())
    and id = (select auth.uid()));
comment on policy crew_own_data on crew.crew_members is 'Crew see themselves.';

drop policy if exists admin_all_data on crew.crew_members;
create policy admin_all_data on crew.crew_members
  for all to crewpay_admin
  using ((select auth.role() = 'admin') and enterprise_id = (select auth.enterprise_id()))
  with check ((select auth.role() = 'admin') and enterprise_id = (select auth.enterprise_id()));
comment on policy admin_all_data on crew.crew_members is 'Administrators: all rows of their enterprise.';

drop policy if exists tenant_read on crew.crew_members;
create policy tenant_read on crew.crew_members
  for select to crewpay_payroll, crewpay_service, crewpay_bi
  using ((select auth.role() in ('payroll', 'service_role', 'bi'))
    and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on crew.crew_members is 'Read: all rows of the own enterprise.';

drop policy if exists definer_tenant on crew.flights;
create policy definer_tenant on crew.flights
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on crew.flights is 'Functions act in the caller''s enterprise only.';

drop policy if exists crew_own_flights on crew.flights;
create policy crew_own_flights on crew.flights
  for select to crewpay_crew
  using ((select auth.role() = 'crew')
    and enterprise_id = (select auth.enterprise_id())
    and id in (
      select a.flight_id
      from crew.crew_assignments a
      where a.enterprise_id = (select auth.enterprise_id())
        and a.crew_member_id = (select auth.uid())));
comment on policy crew_own_flights on crew.flights is 'Crew see the flights they are assigned to.';

drop policy if exists admin_all_data on crew.flights;
create policy admin_all_data on crew.flights
  for all to crewpay_admin
  using ((select auth.role() = 'admin') and enterprise_id = (select auth.enterprise_id()))
  with check ((select auth.role() = 'admin') and enterprise_id = (select auth.enterprise_id()));
comment on policy admin_all_data on crew.flights is 'Administrators: all rows of their enterprise.';

drop policy if exists tenant_read on crew.flights;
create policy tenant_read on crew.flights
  for select to crewpay_payroll, crewpay_service, crewpay_bi
  using ((select auth.role() in ('payroll', 'service_role', 'bi'))
    and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on crew.flights is 'Read: all rows of the own enterprise.';

drop policy if exists definer_tenant on crew.trips;
create policy definer_tenant on crew.trips
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on crew.trips is 'Functions act in the caller''s enterprise only.';

drop policy if exists crew_own_trips on crew.trips;
create policy crew_own_trips on crew.trips
  for select to crewpay_crew
  using ((select auth.role() = 'crew')
    and enterprise_id = (select auth.enterprise_id())
    and crew_member_id = (select auth.uid()));
comment on policy crew_own_trips on crew.trips is 'Crew see their own trips.';

drop policy if exists admin_all_data on crew.trips;
create policy admin_all_data on crew.trips
  for all to crewpay_admin
  using ((select auth.role() = 'admin') and enterprise_id = (select auth.enterprise_id()))
  with check ((select auth.role() = 'admin') and enterprise_id = (select auth.enterprise_id()));
comment on policy admin_all_data on crew.trips is 'Administrators: all rows of their enterprise.';

drop policy if exists tenant_read on crew.trips;
create policy tenant_read on crew.trips
  for select to crewpay_payroll, crewpay_service, crewpay_bi
  using ((select auth.role() in ('payroll', 'service_role', 'bi'))
    and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on crew.trips is 'Read: all rows of the own enterprise.';

drop policy if exists definer_tenant on crew.crew_assignments;
create policy definer_tenant on crew.crew_assignments
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on crew.crew_assignments is 'Functions act in the caller''s enterprise only.';

drop policy if exists crew_own_assignments on crew.crew_assignments;
create policy crew_own_assignments on crew.crew_assignments
  for select to crewpay_crew
  using ((select auth.role() = 'crew')
    and enterprise_id = (select auth.enterprise_id())
    and crew_member_id = (select auth.uid()));
comment on policy crew_own_assignments on crew.crew_assignments is 'Crew see their own legs.';

drop policy if exists admin_all_data on crew.crew_assignments;
create policy admin_all_data on crew.crew_assignments
  for all to crewpay_admin
  using ((select auth.role() = 'admin') and enterprise_id = (select auth.enterprise_id()))
  with check ((select auth.role() = 'admin') and enterprise_id = (select auth.enterprise_id()));
comment on policy admin_all_data on crew.crew_assignments is 'Administrators: all rows of their enterprise.';

drop policy if exists tenant_read on crew.crew_assignments;
create policy tenant_read on crew.crew_assignments
  for select to crewpay_payroll, crewpay_service, crewpay_bi
  using ((select auth.role() in ('payroll', 'service_role', 'bi'))
    and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on crew.crew_assignments is 'Read: all rows of the own enterprise.';

drop policy if exists definer_tenant on crew.crew_months;
create policy definer_tenant on crew.crew_months
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on crew.crew_months is 'Functions act in the caller''s enterprise only.';

drop policy if exists crew_own_months on crew.crew_months;
create policy crew_own_months on crew.crew_months
  for select to crewpay_crew
  using ((select auth.role() = 'crew')
    and enterprise_id = (select auth.enterprise_id())
    and crew_member_id = (select auth.uid()));
comment on policy crew_own_months on crew.crew_months is 'Crew see their own months.';

drop policy if exists admin_all_data on crew.crew_months;
create policy admin_all_data on crew.crew_months
  for all to crewpay_admin
  using ((select auth.role() = 'admin') and enterprise_id = (select auth.enterprise_id()))
  with check ((select auth.role() = 'admin') and enterprise_id = (select auth.enterprise_id()));
comment on policy admin_all_data on crew.crew_months is 'Administrators: all rows of their enterprise.';

drop policy if exists tenant_read on crew.crew_months;
create policy tenant_read on crew.crew_months
  for select to crewpay_payroll, crewpay_service, crewpay_bi
  using ((select auth.role() in ('payroll', 'service_role', 'bi'))
    and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on crew.crew_months is 'Read: all rows of the own enterprise.';

drop policy if exists definer_tenant on crew.contract_months;
create policy definer_tenant on crew.contract_months
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on crew.contract_months is 'Functions act in the caller''s enterprise only.';

drop policy if exists admin_all_data on crew.contract_months;
create policy admin_all_data on crew.contract_months
  for all to crewpay_admin
  using ((select auth.role() = 'admin') and enterprise_id = (select auth.enterprise_id()))
  with check ((select auth.role() = 'admin') and enterprise_id = (select auth.enterprise_id()));
comment on policy admin_all_data on crew.contract_months is 'Administrators: all rows of their enterprise.';

drop policy if exists tenant_read on crew.contract_months;
create policy tenant_read on crew.contract_months
  for select to crewpay_crew, crewpay_payroll, crewpay_service, crewpay_bi
  using ((select auth.role() in ('crew', 'payroll', 'service_role', 'bi'))
    and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on crew.contract_months is 'Read: all rows of the own enterprise.';

drop policy if exists definer_tenant on crew.fact_versions;
create policy definer_tenant on crew.fact_versions
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on crew.fact_versions is 'Functions act in the caller''s enterprise only.';

drop policy if exists tenant_read on crew.fact_versions;
create policy tenant_read on crew.fact_versions
  for select to crewpay_admin, crewpay_payroll, crewpay_service
  using ((select auth.role() in ('admin', 'payroll', 'service_role'))
    and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on crew.fact_versions is 'Read: all rows of the own enterprise.';
