-- Row-level security of schema platform.

drop policy if exists definer_tenant on platform.enterprises;
create policy definer_tenant on platform.enterprises
  for select to crewpay_definer
  using (id = (select auth.enterprise_id()));
comment on policy definer_tenant on platform.enterprises is 'Functions act in the caller''s enterprise only.';

drop policy if exists tenant_read on platform.enterprises;
create policy tenant_read on platform.enterprises
  for select to crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi, crewpay_sync, crewpay_jobs
  using ((select auth.role() in ('crew', 'admin', 'payroll', 'service_role', 'bi', 'sync', 'jobs'))
    and id = (select auth.enterprise_id()));
comment on policy tenant_read on platform.enterprises is 'Everybody sees the own enterprise.';

drop policy if exists definer_tenant on platform.users;
create policy definer_tenant on platform.users
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on platform.users is 'Functions act in the caller''s enterprise only.';

drop policy if exists tenant_users on platform.users;
create policy tenant_users on platform.users
  for all to crewpay_admin
  using ((select auth.role() = 'admin') and enterprise_id = (select auth.enterprise_id()))
  with check ((select auth.role() = 'admin') and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_users on platform.users is 'Administrators: all users of their enterprise.';

drop policy if exists tenant_read on platform.users;
create policy tenant_read on platform.users
  for select to crewpay_payroll, crewpay_service
  using ((select auth.role() in ('payroll', 'service_role'))
    and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on platform.users is 'Read: who the people of the own enterprise are.';

drop policy if exists definer_tenant on platform.system_configs;
create policy definer_tenant on platform.system_configs
  for select to crewpay_definer
  using ((tenant_id is null or tenant_id = (select auth.enterprise_id())));
comment on policy definer_tenant on platform.system_configs is 'Functions read global settings and those of the caller''s enterprise.';

drop policy if exists tenant_read on platform.system_configs;
create policy tenant_read on platform.system_configs
  for select to crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi, crewpay_sync, crewpay_jobs
  using ((select auth.role() in ('crew', 'admin', 'payroll', 'service_role', 'bi', 'sync', 'jobs'))
    and (tenant_id is null or tenant_id = (select auth.enterprise_id())));
comment on policy tenant_read on platform.system_configs is 'Read: global settings and those of the own enterprise.';

drop policy if exists admin_insert on platform.system_configs;
create policy admin_insert on platform.system_configs
  for insert to crewpay_admin
  with check ((select auth.role() = 'admin') and tenant_id = (select auth.enterprise_id()));
comment on policy admin_insert on platform.system_configs is 'Administrators set their own enterprise''s settings; global ones are the operators''.';

drop policy if exists admin_update on platform.system_configs;
create policy admin_update on platform.system_configs
  for update to crewpay_admin
  using ((select auth.role() = 'admin') and tenant_id = (select auth.enterprise_id()))
  with check ((select auth.role() = 'admin') and tenant_id = (select auth.enterprise_id()));
comment on policy admin_update on platform.system_configs is 'Administrators change their own enterprise''s settings only.';
