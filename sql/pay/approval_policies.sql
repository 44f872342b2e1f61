-- Row-level security and grants of approvals, delegations, corrections, rate changes and the retro queue: functions write, staff read.

drop policy if exists definer_tenant on pay.approvals;
create policy definer_tenant on pay.approvals
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on pay.approvals is 'Functions act in the caller''s enterprise only.';

drop policy if exists tenant_read on pay.approvals;
create policy tenant_read on pay.approvals
  for select to crewpay_admin, crewpay_payroll, crewpay_service
  using ((select auth.role() in ('admin', 'payroll', 'service_role')) and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on pay.approvals is 'Read: all rows of the own enterprise.';

drop policy if exists definer_tenant on pay.delegations;
create policy definer_tenant on pay.delegations
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on pay.delegations is 'Functions act in the caller''s enterprise only.';

drop policy if exists tenant_read on pay.delegations;
create policy tenant_read on pay.delegations
  for select to crewpay_admin, crewpay_payroll
  using ((select auth.role() in ('admin', 'payroll')) and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on pay.delegations is 'Read: all rows of the own enterprise.';

drop policy if exists definer_tenant on crew.corrections;
create policy definer_tenant on crew.corrections
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on crew.corrections is 'Functions act in the caller''s enterprise only.';

drop policy if exists tenant_read on crew.corrections;
create policy tenant_read on crew.corrections
  for select to crewpay_admin, crewpay_payroll, crewpay_service
  using ((select auth.role() in ('admin', 'payroll', 'service_role')) and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on crew.corrections is 'Read: all rows of the own enterprise.';

drop policy if exists definer_tenant on pay.rate_changes;
create policy definer_tenant on pay.rate_changes
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on pay.rate_changes is 'Functions act in the caller''s enterprise only.';

drop policy if exists tenant_read on pay.rate_changes;
create policy tenant_read on pay.rate_changes
  for select to crewpay_admin, crewpay_payroll, crewpay_service
  using ((select auth.role() in ('admin', 'payroll', 'service_role')) and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on pay.rate_changes is 'Read: all rows of the own enterprise.';

drop policy if exists definer_tenant on pay.retro_queue;
create policy definer_tenant on pay.retro_queue
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on pay.retro_queue is 'Functions act in the caller''s enterprise only.';

drop policy if exists tenant_read on pay.retro_queue;
create policy tenant_read on pay.retro_queue
  for select to crewpay_admin, crewpay_payroll, crewpay_service
  using ((select auth.role() in ('admin', 'payroll', 'service_role')) and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on pay.retro_queue is 'Read: all rows of the own enterprise.';

grant select, insert, update on pay.approvals, pay.delegations, crew.corrections, pay.rate_changes, pay.retro_queue to crewpay_definer;
grant select on pay.approvals, crew.corrections, pay.rate_changes, pay.retro_queue to crewpay_admin, crewpay_payroll, crewpay_service;
grant select on pay.delegations to crewpay_admin, crewpay_payroll;
