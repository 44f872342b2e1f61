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
  using ((select auth.role() in ('crew', 'admin', 'payroll', 'service_role', 'bi', 'sync'))
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
  using ((select auth.role() in ('crew', 'admin', 'payroll', 'service_role', 'bi', 'sync'))
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
  using ((select auth.role() in ('crew', 'admin', 'payroll', 'service_role', 'bi', 'sync'))
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
  using ((select auth.role() in ('crew', 'admin', 'payroll', 'service_role', 'bi', 'sync'))
    and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on graph.edges is 'Read: the own enterprise''s rule graph is open to all of its people.';

drop policy if exists definer_tenant on graph.links;
create policy definer_tenant on graph.links
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on graph.links is 'Functions act in the caller''s enterprise only.';

drop policy if exists sync_read on graph.links;
create policy sync_read on graph.links
  for select to crewpay_admin, crewpay_sync
  using ((select auth.role() in ('admin', 'sync')) and enterprise_id = (select auth.enterprise_id()));
comment on policy sync_read on graph.links is 'Read: administrators and the daemon, their own enterprise.';

drop policy if exists definer_tenant on graph.outbox;
create policy definer_tenant on graph.outbox
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on graph.outbox is 'Functions act in the caller''s enterprise only.';

drop policy if exists sync_read on graph.outbox;
create policy sync_read on graph.outbox
  for select to crewpay_admin, crewpay_sync
  using ((select auth.role() in ('admin', 'sync')) and enterprise_id = (select auth.enterprise_id()));
comment on policy sync_read on graph.outbox is 'Read: administrators and the daemon, their own enterprise.';

drop policy if exists definer_tenant on graph.dead_letters;
create policy definer_tenant on graph.dead_letters
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on graph.dead_letters is 'Functions act in the caller''s enterprise only.';

drop policy if exists sync_read on graph.dead_letters;
create policy sync_read on graph.dead_letters
  for select to crewpay_admin, crewpay_sync
  using ((select auth.role() in ('admin', 'sync')) and enterprise_id = (select auth.enterprise_id()));
comment on policy sync_read on graph.dead_letters is 'Read: administrators and the daemon, their own enterprise.';

drop policy if exists definer_tenant on graph.staged;
create policy definer_tenant on graph.staged
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on graph.staged is 'Functions act in the caller''s enterprise only.';

drop policy if exists sync_read on graph.staged;
create policy sync_read on graph.staged
  for select to crewpay_admin, crewpay_sync
  using ((select auth.role() in ('admin', 'sync')) and enterprise_id = (select auth.enterprise_id()));
comment on policy sync_read on graph.staged is 'Read: administrators and the daemon, their own enterprise.';

drop policy if exists definer_tenant on graph.proposals;
create policy definer_tenant on graph.proposals
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on graph.proposals is 'Functions act in the caller''s enterprise only.';

drop policy if exists sync_read on graph.proposals;
create policy sync_read on graph.proposals
  for select to crewpay_admin, crewpay_sync
  using ((select auth.role() in ('admin', 'sync')) and enterprise_id = (select auth.enterprise_id()));
comment on policy sync_read on graph.proposals is 'Read: administrators and the daemon, their own enterprise.';

drop policy if exists definer_tenant on graph.proposal_findings;
create policy definer_tenant on graph.proposal_findings
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on graph.proposal_findings is 'Functions act in the caller''s enterprise only.';

drop policy if exists sync_read on graph.proposal_findings;
create policy sync_read on graph.proposal_findings
  for select to crewpay_admin, crewpay_sync
  using ((select auth.role() in ('admin', 'sync')) and enterprise_id = (select auth.enterprise_id()));
comment on policy sync_read on graph.proposal_findings is 'Read: administrators and the daemon, their own enterprise.';
