-- A pay run: computed set-based, checked, then published in one step. One transaction: readers see the old result or the new,
-- and a run that dies leaves nothing.
--
--   building ──checks pass──▶ published ──next run──▶ superseded

create or replace function pay.require_open(p_period uuid, p_found pay.pay_periods)
returns void
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_found.id is null then
    raise exception using
      errcode = 'CP214',
      message = format('no pay period %s', p_period),
      hint = 'List them: select id, start_date, end_date from pay.pay_periods.';
  elsif p_found.status not in ('OPEN', 'PROCESSING') then
    raise exception using
      errcode = 'CP211',
      message = format('the pay period %s to %s is %s', p_found.start_date, p_found.end_date, p_found.status),
      hint = 'Only an open period is computed and booked to.';
  end if;
end
$$;
comment on function pay.require_open(uuid, pay.pay_periods) is
'Refuses a period that isn''t open.
p_period: the key asked for; p_found: the row found for it. Raises CP211 (not open), CP214 (unknown).';

-- The tenant's own period, held against other runs of it.
create or replace function pay.lock_period(p_enterprise uuid, p_period uuid)
returns pay.pay_periods
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_period pay.pay_periods;
begin
  begin
    select * into v_period
    from pay.pay_periods
    where enterprise_id = p_enterprise and id = p_period
    for no key update nowait;
  exception when lock_not_available then
    raise exception using
      errcode = 'CP210',
      message = 'another run of this pay period is in progress',
      detail = format('period %s', p_period),
      hint = 'Wait for it to finish, then run again.';
  end;
  perform pay.require_open(p_period, v_period);
  -- One generation of the rule graph from the first group to the last.
  perform graph.hold_generation(p_enterprise);
  return v_period;
end
$$;
comment on function pay.lock_period(uuid, uuid) is
'The period, locked against other runs until the transaction ends, and with it the rule graph in force against replacement.
p_enterprise: tenant; p_period: period. Raises CP210 (a run is in progress), CP211 (not open), CP214 (unknown).';

-- Results that the run replaces move to the kept versions.
create or replace function pay.supersede(p_enterprise uuid, p_period uuid, p_crew uuid[])
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  with replaced as (
    delete from pay.pay_calculations as c
    where c.enterprise_id = p_enterprise
      and c.pay_period_id = p_period
      and (p_crew is null or c.crew_member_id = any (p_crew))
    returning c.*
  )
  insert into pay.calculation_versions (
    enterprise_id, run_id, crew_member_id, pay_period_id, id, flight_pay_hours, flight_pay_amount, overtime_hours, overtime_amount,
    delay_pay_amount, per_diem_amount, premium_pay_amount, guarantee_hours, guarantee_amount, adjustment_amount, total_gross_pay,
    calculation_date, validated_at, validated_by, ruleset_id, line_term, line_node, line_quantity, line_cents)
  select
    enterprise_id, run_id, crew_member_id, pay_period_id, id, flight_pay_hours, flight_pay_amount, overtime_hours, overtime_amount,
    delay_pay_amount, per_diem_amount, premium_pay_amount, guarantee_hours, guarantee_amount, adjustment_amount, total_gross_pay,
    calculation_date, validated_at, validated_by, ruleset_id, line_term, line_node, line_quantity, line_cents
  from replaced;
end
$$;
comment on function pay.supersede(uuid, uuid, uuid[]) is
'Moves current results of a period to pay.calculation_versions.
p_enterprise: tenant; p_period: period; p_crew: crew members, null for all.';

create or replace function pay.time_zone_version()
returns text
language sql
stable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  -- The server names no version; what matters is what the data says, so it is fingerprinted.
  select md5(string_agg(concat_ws(':', z.name, z.summer, z.winter), ';' order by z.name))
  from (
    select names.name, crew.zone_offset_at(names.name, '2013-07-01 12:00Z') as summer, crew.zone_offset_at(names.name, '2026-01-01 12:00Z') as winter
    from unnest(array['America/New_York', 'America/Los_Angeles', 'America/Denver', 'America/Chicago', 'Europe/London', 'Asia/Tokyo']) as names (name)
  ) as z
$$;
comment on function pay.time_zone_version() is 'Fingerprint of the server''s time zone data, stored with each run.';

create or replace function pay.engine_version()
returns text
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
return '1';
comment on function pay.engine_version() is 'Version of the engine, stored with each run; raised when the same facts and terms would give other lines.';

-- The run's row, visible to nobody until it is committed or published.
create or replace function pay.new_run(p_enterprise uuid, p_period uuid, p_whole_period boolean)
returns pay.pay_runs
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  insert into pay.pay_runs (enterprise_id, pay_period_id, kind, whole_period, engine_version, time_zone_version, requested_by, requested_by_person)
  values (p_enterprise, p_period, 'REGULAR', p_whole_period, pay.engine_version(), pay.time_zone_version(), session_user, auth.person())
  returning *
$$;
comment on function pay.new_run(uuid, uuid, boolean) is
'A new run, building.
p_enterprise: tenant; p_period: period; p_whole_period: whether it covers everybody.';

create or replace function pay.findings_sql()
returns text
language sql
stable
parallel safe
return $q$
  insert into pay.run_findings (enterprise_id, run_id, finding_no, code, crew_member_id, term_id, level, node, detail)
  select $1, $2,
    ((select count(*) from pay.run_findings as known where known.enterprise_id = $1 and known.run_id = $2)
      + row_number() over (order by p.no, f.term_no, f.node)) * $4 + $5 - 1,
    f.code, p.id, t.term_id, t.level, f.node,
    format('%s: %s (%s) could not be evaluated: %s', p.employee_id, u.term_code, t.label,
      case f.code when 'CP110' then 'no hourly rate for the day'
        else 'missing ' || array_to_string(array(select jsonb_array_elements_text(t.expanded -> 'can_lack')), ' or ') end)
  from _findings as f
  join _people as p on p.no = f.no
  join rules.ruleset_terms as t on t.enterprise_id = $1 and t.ruleset_id = $3 and t.term_no = f.term_no
  join rules.union_contract_terms as u on u.enterprise_id = t.enterprise_id and u.id = t.term_id$q$;
comment on function pay.findings_sql() is 'INSERT of a staged plan''s findings; parameters: enterprise, run, ruleset, parts of the run, number of the part (numbers of parts don''t meet).';

create or replace function pay.inputs_sql()
returns text
language sql
stable
parallel safe
return 'select count(*)::integer, coalesce(sum(hash_record_extended(row(l.leg_no, l.report, l.release, l.trip_no, l.day, l.credit), 0)), 0) from _legs as l';
comment on function pay.inputs_sql() is 'SELECT of the number of staged legs and the sum of their hashes.';

-- Stages one group of positions and writes its results and findings. Returns legs read and a hash of them.
create or replace function pay.compute_group(
  p_run pay.pay_runs, p_period pay.pay_periods, p_positions crew.crew_position[], p_tokens jsonb,
  p_into regclass, p_slice_no integer, p_part_no integer, p_parts integer,
  out ruleset_hash text, out leg_count integer, out input_sum numeric)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_ruleset uuid := rules.ruleset_for(p_run.enterprise_id, p_positions, p_period.contract_month);
begin
  select r.hash into ruleset_hash
  from rules.rulesets as r
  where r.enterprise_id = p_run.enterprise_id and r.id = v_ruleset;

  perform pay.stage(p_run.enterprise_id, v_ruleset, p_tokens);
  perform pay.stage_adjustments(p_run.enterprise_id, p_run.pay_period_id);
  perform pay.stage_overrides(p_run.enterprise_id, p_run.pay_period_id, v_ruleset, 'infinity');

  execute format($q$
    insert into %s (
      enterprise_id, id, crew_member_id, pay_period_id, flight_pay_hours, flight_pay_amount, overtime_hours, overtime_amount,
      delay_pay_amount, per_diem_amount, premium_pay_amount, guarantee_hours, guarantee_amount, adjustment_amount, total_gross_pay,
      calculation_date, run_id, ruleset_id, line_term, line_node, line_quantity, line_cents)
    select $1, gen_random_uuid(), r.crew_member_id, $2, r.flight_pay_hours, r.flight_pay_amount, r.overtime_hours, r.overtime_amount,
      r.delay_pay_amount, r.per_diem_amount, r.premium_pay_amount, r.guarantee_hours, r.guarantee_amount, r.adjustment_amount, r.total_gross_pay,
      $3, $4, $5, r.line_term, r.line_node, r.line_quantity, r.line_cents
    from (%s) as r$q$, p_into, pay.results_sql(p_run.enterprise_id, v_ruleset))
  using p_run.enterprise_id, p_run.pay_period_id, p_run.as_of, p_run.id, v_ruleset;
  if p_slice_no = 1 then
    execute format($q$
      insert into %s (
        enterprise_id, id, crew_member_id, pay_period_id, flight_pay_hours, flight_pay_amount, overtime_hours, overtime_amount,
        delay_pay_amount, per_diem_amount, premium_pay_amount, guarantee_amount, adjustment_amount, total_gross_pay,
        calculation_date, run_id, ruleset_id, line_term, line_node, line_quantity, line_cents)
      select $1, gen_random_uuid(), r.crew_member_id, $2, 0, 0, 0, 0, 0, 0, 0, 0, r.amount, r.amount,
        $3, $4, $5, r.line_term, r.line_node, r.line_quantity, r.line_cents
      from (%s) as r$q$, p_into, pay.fill_tokens(pay.former_crew_sql(), p_tokens))
    using p_run.enterprise_id, p_run.pay_period_id, p_run.as_of, p_run.id, v_ruleset, p_positions;
  end if;

  execute pay.findings_sql() using p_run.enterprise_id, p_run.id, v_ruleset, p_parts, p_part_no;
  execute pay.inputs_sql() into leg_count, input_sum;
end
$$;
comment on function pay.compute_group(pay.pay_runs, pay.pay_periods, crew.crew_position[], jsonb, regclass, integer, integer, integer) is
'Computes one group of positions of a run.
p_run, p_period: the run and its period; p_positions: positions under one contract; p_tokens: from pay.plan_tokens();
p_into: pay.pay_calculations, or pay.slice_results for a slice; p_slice_no: slice, 1 for the whole;
p_part_no, p_parts: which of the parts that are computed without seeing each other, 1 of 1 for the whole.
Raises what rules.ruleset_for() raises.';

-- Days whose terms a period's plan reads: a trip of the month may have begun in the month before.
create or replace function pay.plan_span(p_period pay.pay_periods)
returns daterange
language sql
stable
set search_path = pg_catalog, pg_temp
return rules.month_span(p_period.enterprise_id, p_period.contract_month);
comment on function pay.plan_span(pay.pay_periods) is 'Days whose terms the plan of a period reads.
p_period: the period.';

-- Groups of positions that share their terms in the days that a period's plan can reach.
create or replace function pay.run_groups(p_period pay.pay_periods)
returns table (group_no integer, positions crew.crew_position[])
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select g.group_no::integer, g.positions
    from rules.position_groups(p_period.enterprise_id, pay.plan_span(p_period)) with ordinality as g (positions, term_ids, group_no);
  if not found then
    raise exception using
      errcode = 'CP213',
      message = format('no contract terms are in force in %s', to_char(p_period.contract_month, 'YYYY-MM')),
      hint = 'Load a contract whose effective dates cover the month.';
  end if;
end
$$;
comment on function pay.run_groups(pay.pay_periods) is
'The groups of positions of a period, each computed by itself.
Raises CP213 when there is none.';

-- Computes all groups, or one, for the crew of a slice; one slice is everybody. Of a few crew members only the groups they are in.
create or replace function pay.compute(
  p_run pay.pay_runs, p_period pay.pay_periods, p_crew uuid[], p_tokens jsonb, p_into regclass, p_slice_no integer, p_slices integer,
  p_group_no integer default null)
returns table (group_no integer, ruleset_hash text, leg_count integer, input_sum numeric)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_group record;
  v_ruleset uuid;
begin
  for v_group in
    select g.group_no, g.positions, p_tokens || coalesce(s.tokens, '{}'::jsonb) as tokens,
      -- The first slice also has who left, and is still owed something.
      coalesce(s.crew = 0, false) and p_slice_no > 1 as is_empty,
      case when p_group_no is null then 1 else (p_slice_no - 1) * g.groups + g.group_no end as part_no,
      case when p_group_no is null then 1 else p_slices * g.groups end as parts
    from (select r.group_no, r.positions, (count(*) over ())::integer as groups from pay.run_groups(p_period) as r) as g
    left join pay.slice_members(p_period, p_slice_no, p_slices) as s on s.group_no = g.group_no
    where (p_group_no is null or g.group_no = p_group_no)
      and (p_crew is null
        or exists (
          select
          from crew.crew_members as m
          where m.enterprise_id = p_period.enterprise_id and m.id = any (p_crew) and m.position = any (g.positions)))
    order by g.group_no
  loop
    if v_group.is_empty then
      v_ruleset := rules.ruleset_for(p_run.enterprise_id, v_group.positions, p_period.contract_month);
      return query
        select v_group.group_no::integer, r.hash, 0, 0::numeric
        from rules.rulesets as r
        where r.enterprise_id = p_run.enterprise_id and r.id = v_ruleset;
      continue;
    end if;
    return query
      select v_group.group_no::integer, c.ruleset_hash, c.leg_count, c.input_sum
      from pay.compute_group(p_run, p_period, v_group.positions, v_group.tokens, p_into, p_slice_no, v_group.part_no, v_group.parts) as c;
  end loop;
end
$$;
comment on function pay.compute(pay.pay_runs, pay.pay_periods, uuid[], jsonb, regclass, integer, integer, integer) is
'Computes the groups of positions of a run, or of a slice of it; one row a group: legs read and a hash of them.
p_crew: crew members that p_tokens stand for, null for all; p_group_no: only this group, null for all. Other arguments and errors: as pay.compute_group() and pay.run_groups().';

-- What must hold before anybody sees the result.
create or replace function pay.check_run(p_run pay.pay_runs, p_period pay.pay_periods, p_crew uuid[])
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_missing text;
begin
  select string_agg(c.employee_id, ', ' order by c.employee_id) into v_missing
  from (
    select c.employee_id
    from crew.crew_members as c
    where c.enterprise_id = p_run.enterprise_id
      and c.hire_date <= p_period.end_date
      and (c.termination_date is null or c.termination_date >= p_period.start_date)
      and (p_crew is null or c.id = any (p_crew))
      and c.id not in (
        select r.crew_member_id
        from pay.pay_calculations as r
        where r.enterprise_id = p_run.enterprise_id
          and r.pay_period_id = p_period.id
          and (p_crew is null or r.crew_member_id = any (p_crew)))
    limit 5
  ) as c;
  if v_missing is not null then
    raise exception using
      errcode = 'CP212',
      message = 'crew members without a result: ' || v_missing,
      hint = 'Terms in force must cover their positions (union_contract_terms.applies_to).';
  end if;
end
$$;
comment on function pay.check_run(pay.pay_runs, pay.pay_periods, uuid[]) is
'Coverage: everybody employed in the period has a result; those it replaces are gone by then. Sums and citations are enforced by constraints and construction.
Raises CP212.';

-- Checks, then the flip: counts and hashes into the run's row, which is published, and the last one superseded.
create or replace function pay.finish_run(p_run pay.pay_runs, p_period pay.pay_periods, p_crew uuid[], p_leg_count bigint, p_inputs text)
returns pay.pay_runs
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_run pay.pay_runs;
begin
  perform pay.check_run(p_run, p_period, p_crew);
  perform pay.mark_adjustments_paid(p_run);
  perform pay.version_findings(p_run, p_period, p_crew);
  perform pay.mark_later(p_run, p_period, p_crew);

  update pay.pay_runs as r
  set state = 'superseded'
  where r.enterprise_id = p_run.enterprise_id
    and r.pay_period_id = p_run.pay_period_id
    and r.kind = 'REGULAR'
    and r.state = 'published'
    and p_crew is null;

  update pay.pay_runs as r
  set state = 'published',
    finished_at = clock_timestamp(),
    leg_count = p_leg_count,
    crew_count = totals.crew_count,
    line_count = totals.line_count,
    total_amount = totals.total_amount,
    result_hash = totals.result_hash,
    graph_generation = (
      select max(s.graph_generation)
      from rules.rulesets as s
      where s.enterprise_id = p_run.enterprise_id
        and s.id in (
          select c.ruleset_id
          from pay.pay_calculations as c
          where c.enterprise_id = p_run.enterprise_id and c.pay_period_id = p_run.pay_period_id and (p_crew is null or c.crew_member_id = any (p_crew)))),
    finding_count = (select count(*) from pay.run_findings as f where f.enterprise_id = p_run.enterprise_id and f.run_id = p_run.id),
    input_hash = encode(sha256(convert_to(p_inputs, 'UTF8')), 'hex')
  from (
    select count(*) as crew_count, coalesce(sum(cardinality(c.line_cents)), 0) as line_count, coalesce(sum(c.total_gross_pay), 0) as total_amount,
      encode(sha256(coalesce(string_agg(
        sha256(uuid_send(c.crew_member_id) || array_send(c.line_term) || array_send(c.line_node) || array_send(c.line_quantity) || array_send(c.line_cents)),
        ''::bytea order by c.crew_member_id), '')), 'hex') as result_hash
    from pay.pay_calculations as c
    where c.enterprise_id = p_run.enterprise_id and c.pay_period_id = p_run.pay_period_id and (p_crew is null or c.crew_member_id = any (p_crew))
  ) as totals
  where r.enterprise_id = p_run.enterprise_id and r.id = p_run.id
  returning r.* into v_run;
  return v_run;
end
$$;
comment on function pay.finish_run(pay.pay_runs, pay.pay_periods, uuid[], bigint, text) is
'Checks a run''s results and publishes it.
p_run, p_period: the run and its period; p_crew: crew members, null for all; p_leg_count: legs read; p_inputs: ruleset hashes and hashes of the facts read.
Raises CP212.';

create or replace function pay.run(p_enterprise uuid, p_period uuid, p_crew uuid[] default null)
returns pay.pay_runs
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
set jit = off
set work_mem = '256MB'
-- Stages have no statistics: a guess of one row must not become a loop over all rows (seen: 3.6 s in one branch).
set enable_nestloop = off
as $$
declare
  v_period pay.pay_periods;
  v_run pay.pay_runs;
  v_legs bigint;
  v_inputs text;
  v_snapshot pg_snapshot;
begin
  perform auth.require_role('payroll', 'admin', 'service_role', 'jobs');
  perform auth.require_enterprise(p_enterprise);
  v_period := pay.lock_period(p_enterprise, p_period);
  v_snapshot := pg_current_snapshot();
  v_run := pay.new_run(p_enterprise, p_period, p_crew is null);
  perform pay.supersede(p_enterprise, p_period, p_crew);

  select coalesce(sum(c.leg_count), 0), coalesce(string_agg('|' || c.ruleset_hash || ':' || c.input_sum, '' order by c.group_no), '')
  into v_legs, v_inputs
  from pay.compute(v_run, v_period, p_crew, pay.plan_tokens(p_enterprise, v_period, p_crew), 'pay.pay_calculations', 1, 1) as c;
  if p_crew is null then
    perform pay.clear_marks(p_enterprise, p_period, v_snapshot);
  end if;
  return pay.finish_run(v_run, v_period, p_crew, v_legs, v_inputs);
end
$$;
alter function pay.run(uuid, uuid, uuid[]) owner to crewpay_definer;
grant execute on function pay.run(uuid, uuid, uuid[]) to crewpay_payroll, crewpay_admin, crewpay_service, crewpay_jobs;
comment on function pay.run(uuid, uuid, uuid[]) is
'Computes the pay of a period and publishes it in one step; returns the run.
p_enterprise: tenant; p_period: an open pay period; p_crew: only these crew members (the others keep their results), null for everybody.
Call it in a REPEATABLE READ transaction where facts may change meanwhile (crewpay pay run does): then all of them are read as of one moment.
A repeat on the same facts gives the same lines. Inputs that can''t be paid are in pay.run_findings.
Raises CP210 (a run is in progress), CP211 (period not open), CP212 (coverage), CP213 (no terms), CP214 (unknown period), CP201 to CP206 (terms).';
