-- This database: owner, who may connect, and the search path that lets unqualified queries find their tables.

do $database$
declare
  v_database text := current_database();
begin
  execute format('alter database %I owner to crewpay_owner', v_database);
  execute format('revoke all on database %I from public', v_database);
  execute format(
    'grant connect on database %I to crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi,'
    ' crewpay_sync, crewpay_issuer, crewpay_jobs, crewpay_backup', v_database);
  -- Nobody else gets TEMP: a caller's temporary table with a trigger would run inside a definer function.
  execute format('grant connect, create, temporary on database %I to crewpay_owner', v_database);
  execute format('grant connect, temporary on database %I to crewpay_definer', v_database);
  execute format(
    'alter database %I set search_path = crew, pay, review, rules, notify, audit, platform, ops, ext', v_database);
  -- A run stages in temporary tables; the default of 8 MB spills them (measured: 8.3 s against 5.1 s for 10,000 crew).
  execute format('alter database %I set temp_buffers = ''256MB''', v_database);
end
$database$;

revoke all on schema public from public;

comment on schema public is 'Empty on purpose: CrewPay keeps every object in a schema of its own.';
