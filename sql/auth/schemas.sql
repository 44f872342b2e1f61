-- Who may look into which schema. Tables and functions have grants of their own, next to them; nothing is granted to PUBLIC.

-- Functions of crewpay_definer reach every schema; what it may do there, its grants and policies say.
grant usage on schema auth, audit, platform, crew, rules, graph, compliance, pay, review, notify, travel, ops, bi to crewpay_definer;

-- Types are usable by nobody until granted; functions of the engine make temporary tables with them.
do $$
declare
  v_type regtype;
begin
  for v_type in
    select t.oid
    from pg_catalog.pg_type t
    join pg_catalog.pg_namespace n on n.oid = t.typnamespace
    where t.typtype in ('e', 'd')
      and n.nspname in ('auth', 'audit', 'platform', 'crew', 'rules', 'graph', 'compliance', 'pay', 'review', 'notify', 'travel', 'ops')
  loop
    execute format('grant usage on type %s to crewpay_definer', v_type);
  end loop;
end $$;

-- Everybody but BI may call the identity functions by name (BI tools see schema bi only; policies call them all the same).
grant usage on schema auth to crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_sync, crewpay_jobs, crewpay_issuer;
grant usage on schema platform to crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_sync, crewpay_jobs;
grant usage on schema crew to crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service;
grant usage on schema rules to crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_sync;
grant usage on schema graph to crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_sync;
grant usage on schema compliance to crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_jobs;
grant usage on schema pay to crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_jobs;
grant usage on schema review to crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_jobs;
grant usage on schema notify to crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_jobs;
grant usage on schema travel to crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_jobs;
grant usage on schema audit to crewpay_admin, crewpay_payroll, crewpay_jobs;
grant usage on schema ops to crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_sync, crewpay_jobs;
grant usage on schema bi to crewpay_bi, crewpay_admin, crewpay_payroll;
