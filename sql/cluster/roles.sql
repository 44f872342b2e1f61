-- Roles, cluster-wide. Idempotent; never dropped: another database of the cluster may use them.
-- Two deploys may run at once: whoever comes second finds the role and goes on.

do $roles$
declare
  v_role text;
  v_options text;
begin
  for v_role, v_options in
    values
      ('crewpay_owner',   'nologin'),
      ('crewpay_definer', 'nologin'),
      ('crewpay_crew',    'nologin'),
      ('crewpay_admin',   'nologin'),
      ('crewpay_payroll', 'nologin'),
      ('crewpay_service', 'nologin'),
      ('crewpay_bi',      'nologin'),
      ('crewpay_sync',    'nologin'),
      ('crewpay_issuer',  'nologin'),
      ('crewpay_jobs',    'login'),
      ('crewpay_backup',  'nologin bypassrls')
  loop
    if not exists (select from pg_catalog.pg_roles where rolname = v_role) then
      begin
        execute format('create role %I %s', v_role, v_options);
      exception when duplicate_object or unique_violation then
        null;
      end;
    end if;
  end loop;
end
$roles$;

do $members$
declare
  v_member text;
  v_group text;
begin
  for v_group, v_member in
    values
      ('crewpay_definer',  'crewpay_owner'),  -- may hand SECURITY DEFINER functions to it
      ('crewpay_jobs',     'crewpay_owner'),  -- may hand the function that schedules jobs to it
      ('pg_read_all_stats', 'crewpay_owner'), -- parallel workers ask for their leader's process
      ('pg_read_all_data', 'crewpay_backup')
  loop
    if not exists (
      select
      from pg_catalog.pg_auth_members m
      join pg_catalog.pg_roles g on g.oid = m.roleid
      join pg_catalog.pg_roles r on r.oid = m.member
      where g.rolname = v_group and r.rolname = v_member
    ) then
      execute format('grant %I to %I', v_group, v_member);
    end if;
  end loop;
  -- An operator who is no superuser (a managed server's administrator) acts as the owner by membership.
  if not pg_has_role(current_user, 'crewpay_owner', 'member') then
    execute format('grant crewpay_owner to %I', current_user);
  end if;
end
$members$;

comment on role crewpay_owner is 'CrewPay: owns schemas, tables and views; deploy acts as it. No login.';
comment on role crewpay_definer is 'CrewPay: owns SECURITY DEFINER functions; its policies are tenant-scoped. No login.';
comment on role crewpay_crew is 'CrewPay: group of crew logins; own rows only.';
comment on role crewpay_admin is 'CrewPay: group of administrators'' logins of an airline.';
comment on role crewpay_payroll is 'CrewPay: group of payroll clerks'' logins.';
comment on role crewpay_service is 'CrewPay: group of service logins (service_role), e.g. AI agents.';
comment on role crewpay_bi is 'CrewPay: group of BI tools'' logins; reads schema bi.';
comment on role crewpay_sync is 'CrewPay: group of the graph synchronisation''s logins.';
comment on role crewpay_issuer is 'CrewPay: group of the services that sign people in; makes tokens for pools, sees no rows.';
comment on role crewpay_jobs is 'CrewPay: scheduled jobs (pg_cron) log in as this role, by the socket.';
comment on role crewpay_backup is 'CrewPay: dumps; reads everything past row-level security, writes nothing. No login until an operator gives one.';
