-- Row-level security and grants of back pay and recoveries: functions write, staff read; crew see the adjustments that pay them.

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

grant select, insert, update on pay.retros, pay.recoveries to crewpay_definer;
grant select, insert on pay.retro_results, pay.retro_items, pay.recovery_instalments to crewpay_definer;
grant select on pay.retros, pay.retro_results, pay.retro_items, pay.recoveries, pay.recovery_instalments
  to crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi;
