-- Runs beside the books: their results are kept versions and never current.

create or replace function pay.new_run_aside(p_period pay.pay_periods, p_kind pay.run_kind)
returns pay.pay_runs
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_run pay.pay_runs := pay.new_run(p_period.enterprise_id, p_period.id, true);
begin
  perform graph.hold_generation(p_period.enterprise_id);
  update pay.pay_runs as r
  set kind = p_kind
  where r.enterprise_id = v_run.enterprise_id and r.id = v_run.id
  returning r.* into v_run;
  return v_run;
end
$$;
comment on function pay.new_run_aside(pay.pay_periods, pay.run_kind) is
'A new run whose results never become current, building.
p_period: period; p_kind: PROJECTION or RETRO.';

create or replace function pay.compute_aside(p_run pay.pay_runs, p_period pay.pay_periods, p_tokens jsonb)
returns pay.pay_runs
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_run pay.pay_runs;
  v_legs bigint;
  v_inputs text;
begin
  select sum(c.leg_count), string_agg('|' || c.ruleset_hash || ':' || c.input_sum, '' order by c.group_no)
  into v_legs, v_inputs
  from pay.compute(p_run, p_period, null, p_tokens, 'pay.calculation_versions', 1, 1) as c;
  update pay.pay_runs as r
  set state = 'published',
    finished_at = clock_timestamp(),
    leg_count = v_legs,
    crew_count = totals.crew_count,
    line_count = totals.line_count,
    total_amount = totals.total_amount,
    result_hash = totals.result_hash,
    graph_generation = totals.graph_generation,
    finding_count = (select count(*) from pay.run_findings as f where f.enterprise_id = p_run.enterprise_id and f.run_id = p_run.id),
    input_hash = encode(sha256(convert_to(v_inputs, 'UTF8')), 'hex')
  from (
    select count(*) as crew_count, coalesce(sum(cardinality(c.line_cents)), 0) as line_count, coalesce(sum(c.total_gross_pay), 0) as total_amount,
      max(s.graph_generation) as graph_generation,
      encode(sha256(coalesce(string_agg(
        sha256(uuid_send(c.crew_member_id) || array_send(c.line_term) || array_send(c.line_node) || array_send(c.line_quantity) || array_send(c.line_cents)),
        ''::bytea order by c.crew_member_id), '')), 'hex') as result_hash
    from pay.calculation_versions as c
    join rules.rulesets as s on s.enterprise_id = c.enterprise_id and s.id = c.ruleset_id
    where c.enterprise_id = p_run.enterprise_id and c.run_id = p_run.id
  ) as totals
  where r.enterprise_id = p_run.enterprise_id and r.id = p_run.id
  returning r.* into v_run;
  return v_run;
end
$$;
comment on function pay.compute_aside(pay.pay_runs, pay.pay_periods, jsonb) is
'Computes a run beside the books into pay.calculation_versions and finishes it; returns it.
p_run: from pay.new_run_aside(); p_period: its period; p_tokens: from pay.plan_tokens(). Raises what pay.compute() raises.';
