-- Row-level security of schema graph. The graph changes through functions only.

drop policy if exists definer_tenant on graph.generations;
create policy definer_tenant on graph.generations
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on graph.generations is 'Functions act in the caller''s enterprise only.';

drop policy if exists tenant_read on graph.generations;
create policy tenant_read on graph.generations
  for select to crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi, crewpay_sync
  using ((select auth.role()) in ('crew', 'admin', 'payroll', 'service_role', 'bi', 'sync')
    and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on graph.generations is 'Read: the own enterprise''s rule graph is open to all of its people.';

drop policy if exists definer_tenant on graph.scenarios;
create policy definer_tenant on graph.scenarios
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on graph.scenarios is 'Functions act in the caller''s enterprise only.';

drop policy if exists tenant_read on graph.scenarios;
create policy tenant_read on graph.scenarios
  for select to crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi, crewpay_sync
  using ((select auth.role()) in ('crew', 'admin', 'payroll', 'service_role', 'bi', 'sync')
    and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on graph.scenarios is 'Read: the own enterprise''s rule graph is open to all of its people.';

drop policy if exists definer_tenant on graph.pay_components;
create policy definer_tenant on graph.pay_components
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on graph.pay_components is 'Functions act in the caller''s enterprise only.';

drop policy if exists tenant_read on graph.pay_components;
create policy tenant_read on graph.pay_components
  for select to crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi, crewpay_sync
  using ((select auth.role()) in ('crew', 'admin', 'payroll', 'service_role', 'bi', 'sync')
    and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on graph.pay_components is 'Read: the own enterprise''s rule graph is open to all of its people.';

drop policy if exists definer_tenant on graph.edges;
create policy definer_tenant on graph.edges
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on graph.edges is 'Functions act in the caller''s enterprise only.';

drop policy if exists tenant_read on graph.edges;
create policy tenant_read on graph.edges
  for select to crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi, crewpay_sync
  using ((select auth.role()) in ('crew', 'admin', 'payroll', 'service_role', 'bi', 'sync')
    and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on graph.edges is 'Read: the own enterprise''s rule graph is open to all of its people.';
