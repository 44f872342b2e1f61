-- What an open period is going to pay: flown as far as it is flown, scheduled for the rest.

create or replace function pay.project(p_enterprise uuid, p_period uuid)
returns pay.pay_runs
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
set jit = off
set work_mem = '256MB'
set enable_nestloop = off
as $$
declare
  v_period pay.pay_periods;
  v_run pay.pay_runs;
begin
  perform auth.require_role('payroll', 'admin', 'service_role', 'jobs');
  perform auth.require_enterprise(p_enterprise);
  v_period := pay.share_period(p_enterprise, p_period);
  -- Two at once: the second replaces what the first has projected.
  perform pg_advisory_xact_lock(hashtext('pay.project'), hashtext(p_period::text));
  v_run := pay.compute_aside(pay.new_run_aside(v_period, 'PROJECTION'), v_period,
    pay.plan_tokens(p_enterprise, v_period, null) || jsonb_build_object('@flights@', replace(rules.scheduled_flights_sql(), '@flights@', 'crew.flights')));
  -- The last projection is no evidence of anything.
  delete from pay.calculation_versions as c
  using pay.pay_runs as r
  where r.enterprise_id = p_enterprise and r.pay_period_id = p_period and r.kind = 'PROJECTION' and r.id <> v_run.id
    and c.enterprise_id = r.enterprise_id and c.run_id = r.id;
  update pay.pay_runs as r
  set state = 'superseded'
  where r.enterprise_id = p_enterprise and r.pay_period_id = p_period and r.kind = 'PROJECTION' and r.state = 'published' and r.id <> v_run.id;
  return v_run;
end
$$;
alter function pay.project(uuid, uuid) owner to crewpay_definer;
revoke all on function pay.project(uuid, uuid) from public;
grant execute on function pay.project(uuid, uuid) to crewpay_payroll, crewpay_admin, crewpay_service, crewpay_jobs;
comment on function pay.project(uuid, uuid) is
'What an open period is going to pay: a flight without actual times is taken as scheduled, from its actual departure where it has left; adjustments
included. Returns the run, of kind PROJECTION: its results are in pay.calculation_versions and replace the period''s last projection; current
results stay. Cancelled flights stay cancelled.
p_enterprise: tenant; p_period: an open pay period. Raises 42501, CP211 (not open), CP213 (no terms), CP214 (unknown period), CP201 to CP207 (terms).';
