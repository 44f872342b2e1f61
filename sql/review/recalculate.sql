-- What is owed under the facts and terms now on record, kept as a run of kind CHECK. Of its results only those stay that differ from
-- what is recorded: they are the evidence; no row says that nothing differs.

create or replace function review.recalculate(p_period pay.pay_periods, p_crew uuid[], p_keep_all boolean default false)
returns pay.pay_runs
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set enable_nestloop = on
as $$
declare
  v_run pay.pay_runs;
  v_legs bigint;
  v_inputs text;
begin
  insert into pay.pay_runs (enterprise_id, pay_period_id, kind, whole_period, engine_version, time_zone_version, requested_by, requested_by_person)
  values (p_period.enterprise_id, p_period.id, 'CHECK', p_crew is null, pay.engine_version(), pay.time_zone_version(), session_user, auth.person())
  returning * into v_run;
  if p_crew is null or cardinality(p_crew) > 20 then
    -- Stages have no statistics: a guess of one row must not become a loop over many. Until this function ends.
    perform set_config('enable_nestloop', 'off', true);
  end if;

  drop table if exists pg_temp._recalculated;
  create temporary table _recalculated (like pay.calculation_versions) on commit drop;
  alter table _recalculated alter column adjustment_amount set default 0;
  select coalesce(sum(c.leg_count), 0), coalesce(string_agg('|' || c.ruleset_hash || ':' || c.input_sum, '' order by c.group_no), '')
  into v_legs, v_inputs
  from pay.compute(v_run, p_period, p_crew, pay.plan_tokens(p_period.enterprise_id, p_period, p_crew), 'pg_temp._recalculated', 1, 1) as c;

  execute $q$
    insert into pay.calculation_versions
    select n.*
    from _recalculated as n
    left join pay.pay_calculations as c
      on c.enterprise_id = n.enterprise_id and c.crew_member_id = n.crew_member_id and c.pay_period_id = n.pay_period_id
    where $1 or c.id is null
      or (c.ruleset_id, c.line_term, c.line_node, c.line_quantity, c.line_cents, c.guarantee_hours)
        is distinct from (n.ruleset_id, n.line_term, n.line_node, n.line_quantity, n.line_cents, n.guarantee_hours)
  $q$ using p_keep_all;

  update pay.pay_runs as r
  set state = 'published', finished_at = clock_timestamp(), leg_count = v_legs, crew_count = t.crew_count, line_count = t.line_count,
    total_amount = t.total_amount, input_hash = encode(sha256(convert_to(v_inputs, 'UTF8')), 'hex'),
    result_hash = t.result_hash,
    finding_count = (select count(*) from pay.run_findings as f where f.enterprise_id = r.enterprise_id and f.run_id = r.id)
  from (
    select count(*) as crew_count, coalesce(sum(cardinality(v.line_cents)), 0) as line_count, coalesce(sum(v.total_gross_pay), 0) as total_amount,
      encode(sha256(coalesce(string_agg(
        sha256(uuid_send(v.crew_member_id) || array_send(v.line_term) || array_send(v.line_node) || array_send(v.line_quantity) || array_send(v.line_cents)),
        ''::bytea order by v.crew_member_id), '')), 'hex') as result_hash
    from pay.calculation_versions as v
    where v.enterprise_id = v_run.enterprise_id and v.run_id = v_run.id
  ) as t
  where r.enterprise_id = v_run.enterprise_id and r.id = v_run.id
  returning r.* into v_run;
  return v_run;
end
$$;
comment on function review.recalculate(pay.pay_periods, uuid[], boolean) is
'Recomputes a period under the facts and terms now on record, without touching what is recorded; returns the run, of kind CHECK.
p_period: period, in any state; p_crew: crew members, null for all; p_keep_all: keep equal results as well (as evidence of a claim).
Raises what pay.run_groups() and rules.ruleset_for() raise.';
