-- Table grants of schema platform. Who a person is (person_id) is never granted: separation of duties rests on it.

grant select on platform.enterprises to
  crewpay_definer, crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi, crewpay_sync, crewpay_jobs;

grant select on platform.users to crewpay_definer, crewpay_admin, crewpay_payroll, crewpay_service;
grant insert (enterprise_id, id, email, full_name, subscription_tier, api_limits, preferences, deleted_at)
  on platform.users to crewpay_admin;
grant update (email, full_name, subscription_tier, api_limits, preferences, deleted_at) on platform.users to crewpay_admin;

grant select on platform.system_configs to
  crewpay_definer, crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi, crewpay_sync, crewpay_jobs;
-- Not the key: taken by another enterprise or not, it would tell.
revoke insert, update on platform.system_configs from crewpay_admin;
grant insert (key, value, value_type, description, category, requires_restart, tenant_id, is_active, version, created_by),
      update (value, value_type, description, category, requires_restart, is_active)
  on platform.system_configs to crewpay_admin;
