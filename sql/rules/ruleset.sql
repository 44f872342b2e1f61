-- Rulesets: what is in force for a group of positions in a contract month, compiled once and found again by its hash.

create or replace function rules.accepted_generation(p_enterprise uuid)
returns bigint
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select max(g.generation)
  from graph.generations as g
  where g.enterprise_id = p_enterprise
    and g.accepted_at is not null
$$;
comment on function rules.accepted_generation(uuid) is 'Newest accepted generation of the rule graph; null where there is none.';

-- The days whose terms a contract month can need: trips that reach into it began up to a month before.
create or replace function rules.month_span(p_enterprise uuid, p_month date)
returns daterange
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select daterange(m.month - 31, m.last_day + 2)
  from crew.contract_month(p_enterprise, p_month) as m
$$;
comment on function rules.month_span(uuid, date) is
'Days whose terms in force a contract month can need, from 31 days before it.
p_enterprise: tenant; p_month: any day of the contract month.';

-- Where a term in force looks back, the facts of earlier months are staged, with the terms of their time.
create or replace function rules.staged_span(p_enterprise uuid, p_positions crew.crew_position[], p_span daterange)
returns daterange
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select daterange(least(lower(p_span),
      case when bool_or(t.calculation_formula ->> 'level' = 'year') then m.year - 31
        when bool_or(t.calculation_formula ->> 'level' = 'quarter') then m.quarter - 31 end,
      (m.month - 62 - make_interval(months => max(case when t.calculation_formula -> 'rolling' ->> 'months' ~ '^\d{1,2}$'
        then (t.calculation_formula -> 'rolling' ->> 'months')::integer end)))::date,
      m.month - 62 - max(case when t.calculation_formula -> 'rolling' ->> 'days' ~ '^\d{1,3}$'
        then (t.calculation_formula -> 'rolling' ->> 'days')::integer end)),
    upper(p_span))
  from crew.contract_month(p_enterprise, lower(p_span) + 31) as m
  left join rules.terms_in_force(p_enterprise) as t on t.applies_to && p_positions
    and daterange(t.effective_date, t.expiration_date) && p_span
  group by m.month, m.quarter, m.year
$$;
comment on function rules.staged_span(uuid, crew.crew_position[], daterange) is
'The days whose terms a plan needs: rules.month_span(), longer where a term is of a quarter or year, or rolling.
p_enterprise: tenant; p_positions: positions paid alike; p_span: from rules.month_span().';

-- Positions under the same terms are paid by one plan.
create or replace function rules.position_groups(p_enterprise uuid, p_span daterange)
returns table (positions crew.crew_position[], term_ids uuid[])
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select array_agg(by_position.crew_position order by by_position.crew_position), by_position.term_ids
  from (
    select covered.crew_position, array_agg(t.id order by t.id) as term_ids
    from rules.terms_in_force(p_enterprise) as t
    cross join lateral unnest(t.applies_to) as covered (crew_position)
    where t.calculation_formula is not null
      and daterange(t.effective_date, t.expiration_date) && p_span
    group by covered.crew_position
  ) as by_position
  group by by_position.term_ids
  order by 1
$$;
comment on function rules.position_groups(uuid, daterange) is
'Groups of positions that share all their terms in force on a day of the span.
p_enterprise: tenant; p_span: days.';

-- Contract-wide choices, merged from the settings terms in force; the first day of the month decides.
create or replace function rules.settings_of(p_terms rules.compiled_term[])
returns jsonb
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_settings jsonb := '{
    "unit": "hour", "day_clock": "base", "leg_month_clock": "base", "books": "start",
    "rate_on": "end", "tafb_from": "actual", "report_from": "recorded",
    "report_before": 60, "release_after": 15, "round_money": "line"}'::jsonb;
  v_term rules.compiled_term;
begin
  foreach v_term in array p_terms loop
    if v_term.kind = 'settings' then
      v_settings := v_settings || (v_term.expanded - 'kind' - 'when' - 'note');
    end if;
  end loop;
  v_settings := v_settings || jsonb_build_object('reach', rules.reach_of(rules.terms_in_use(p_terms)))
    || case when rules.has_advances(p_terms) then '{"advances": true}'::jsonb else '{}' end;
  if v_settings ->> 'day_clock' <> 'base' then
    perform rules.refuse('CP205', 'settings', 'the day of a duty is that of its base', 'Leave day_clock at base.');
  end if;
  return v_settings;
end
$$;
comment on function rules.settings_of(rules.compiled_term[]) is
'Settings of a contract with their defaults.
Raises CP205.';

-- The plan of compiled terms: one SELECT a stage, in order.
create or replace function rules.assemble_plan(p_terms rules.compiled_term[], p_positions crew.crew_position[])
returns table (step_no smallint, name text, statement text)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_settings jsonb := rules.settings_of(p_terms);
  v_terms rules.compiled_term[] := rules.terms_in_use(p_terms);
  v_treatments rules.compiled_term[] := array(select t from rules.treatments(v_terms) as t);
  v_measures jsonb;
  v_day_needs text[];
  v_columns text[];
  v_leg_needs text[];
  v_duty_needs text[];
  v_trip_needs text[];
  v_legs text;
  v_duties text;
  v_days text;
  v_trips text;
  v_credit text;
begin
  v_terms := v_terms || v_treatments;
  select coalesce(jsonb_object_agg(t.name, jsonb_build_object('level', t.level)), '{}') into v_measures
  from unnest(v_terms) as t
  where t.kind = 'measure';

  select
    coalesce(array_agg(distinct n) filter (where t.level = 'leg'), '{}'),
    coalesce(array_agg(distinct n) filter (where t.level = 'duty'), '{}'),
    coalesce(array_agg(distinct n) filter (where t.level = 'day'), '{}'),
    coalesce(array_agg(distinct n) filter (where t.level = 'trip'), '{}')
  into v_leg_needs, v_duty_needs, v_day_needs, v_trip_needs
  from unnest(v_terms) as t
  cross join lateral unnest(coalesce((t.quantity).needs, '{}') || coalesce((t.gate).needs, '{}') || coalesce((t.price).needs, '{}')) as n;

  -- Treatments are read by every node that they are of, or that lies within.
  v_leg_needs := v_leg_needs || array(select t.level || '.' || t.name from unnest(v_treatments) as t);
  v_duty_needs := v_duty_needs || array(select t.level || '.' || t.name from unnest(v_treatments) as t where t.level <> 'leg');
  if rules.has_days(v_terms) then
    v_day_needs := v_day_needs || array(select t.level || '.' || t.name from unnest(v_treatments) as t where t.level in ('day', 'trip'));
  end if;
  v_trip_needs := v_trip_needs || array(select t.level || '.' || t.name from unnest(v_treatments) as t where t.level = 'trip');

  -- What a span sums up must be there at the stage it is made at.
  select
    v_leg_needs || coalesce(array_agg('leg.' || s.name) filter (where s.made_at = 'leg'), '{}'),
    v_duty_needs || coalesce(array_agg('duty.' || s.name) filter (where s.made_at = 'duty'), '{}'),
    v_day_needs || coalesce(array_agg('day.' || s.name) filter (where s.made_at = 'day'), '{}'),
    v_trip_needs || coalesce(array_agg('trip.' || s.name) filter (where s.made_at = 'trip'), '{}')
  into v_leg_needs, v_duty_needs, v_day_needs, v_trip_needs
  from unnest(rules.span_levels()) as span
  cross join lateral rules.span_sums(v_terms, v_measures, span) as s;

  if rules.has_flown_rates(v_terms) then
    v_leg_needs := v_leg_needs || '{leg.position_flown,leg.aircraft_type,leg.sequence_at,leg.activity}'::text[];
  end if;
  if v_settings ->> 'round_money' = 'total' then
    -- What orders the lines of a duty's legs.
    v_leg_needs := v_leg_needs || '{leg.scheduled_out_at}'::text[];
  end if;
  -- Facts of a day that rest on what is held in its month.
  select v_day_needs || coalesce(array_agg('month.' || referenced[1]), '{}') into v_day_needs
  from unnest(v_day_needs) as n
  join rules.known_facts as f on f.level = 'day' and n = 'day.' || f.name
  cross join lateral regexp_matches(f.expression, '\mmonth_(\w+)', 'g') as referenced;

  select coalesce(array_agg(distinct need), '{}') into v_duty_needs
  from unnest(v_duty_needs || rules.needs_below('trip', v_trip_needs, v_measures) || rules.needs_below('day', v_day_needs, v_measures)) as need;
  v_leg_needs := v_leg_needs || rules.needs_below('duty', v_duty_needs, v_measures);
  select l.statement, l.columns into v_legs, v_columns from rules.plan_legs(v_terms, v_leg_needs, v_settings, v_measures) as l;
  v_columns := v_columns || array(
    select f.expression
    from unnest(v_terms) as t
    cross join lateral unnest(coalesce((t.quantity).needs, '{}') || coalesce((t.gate).needs, '{}') || coalesce((t.price).needs, '{}')) as n
    join rules.known_facts as f on f.level = split_part(n, '.', 1) and f.name = split_part(n, '.', 2));
  if rules.has_flown_rates(v_terms) then
    v_columns := v_columns || 'anniversary_day'::text;
  end if;

  v_duties := rules.plan_duties(v_terms, v_duty_needs, v_measures);
  v_days := rules.plan_days(v_terms, v_day_needs, v_measures);
  v_trips := rules.plan_trips(v_terms, v_trip_needs, v_measures);
  v_credit := rules.plan_credit(v_terms, v_settings);

  step_no := 0;
  for name, statement in
    values
      ('_zones', rules.reach_forward(v_terms, rules.plan_zones(rules.reads_airports(v_columns, v_settings), v_settings))),
      ('_people', rules.plan_people(p_positions,
        nullif(jsonb_path_query_array(rules.rate_steps(v_terms), '$[*] ? (@.aircraft_type == null)'), '[]'), v_settings, v_columns)),
      ('_held', rules.plan_held(v_settings, v_columns)),
      ('_legs', v_legs),
      ('_rates', rules.plan_rates(v_terms)),
      ('_duties', v_duties),
      ('_days', v_days),
      ('_trips', v_trips),
      ('_credit', v_credit),
      ('_projected_legs', rules.projected(v_terms, v_legs)),
      ('_projected_duties', rules.projected(v_terms, v_duties)),
      ('_projected_days', rules.projected(v_terms, v_days)),
      ('_projected_trips', rules.projected(v_terms, v_trips)),
      ('_projected_credit', rules.projected(v_terms, v_credit)),
      ('_periods', rules.plan_span(v_terms, 'period', v_measures, v_settings)),
      ('_advances', rules.plan_advances(v_terms)),
      ('_months', rules.plan_span(v_terms, 'month', v_measures, v_settings)),
      ('_quarters', rules.plan_span(v_terms, 'quarter', v_measures, v_settings)),
      ('_years', rules.plan_span(v_terms, 'year', v_measures, v_settings)),
      ('_lines', rules.plan_lines(v_terms, v_settings)),
      ('_findings', rules.plan_findings(v_terms, v_settings))
  loop
    if statement is not null then
      statement := rules.round_cents(name, statement, v_terms, v_settings);
      step_no := step_no + 1;
      return next;
    end if;
  end loop;
end
$$;
comment on function rules.assemble_plan(rules.compiled_term[], crew.crew_position[]) is
'The plan of a ruleset: stages in order, each a SELECT that reads the ones before it.
p_terms: from rules.compile_terms(); p_positions: positions it pays.';

-- All that a compiled plan rests on: terms, the catalogue, the rule graph, the spans, and the compiler itself. What changes gets another
-- hash, so a stored plan is never one of yesterday's.
create or replace function rules.hash_of(
  p_enterprise uuid, p_positions crew.crew_position[], p_span daterange, p_staged daterange, p_generation bigint)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select encode(sha256(convert_to(concat_ws('|',
    'plan-1', p_span, p_staged, p_positions, p_generation,
    (select string_agg(concat_ws(':', t.id, t.recorded_at, t.priority, t.effective_date, t.expiration_date, t.term_code, t.calculation_formula), ';' order by t.id)
      from rules.terms_in_force(p_enterprise) as t
      where t.applies_to && p_positions
        and t.calculation_formula is not null and daterange(t.effective_date, t.expiration_date) && p_staged),
    (select string_agg(concat_ws(':', f.level, f.name, f.value_type, f.unit, f.nullable, f.sums_upward, f.expression), ';' order by f.level, f.name) from rules.known_facts as f),
    (select string_agg(concat_ws(':', ft.name, ft.kind, ft.template, ft.parameters, ft.required), ';' order by ft.name) from rules.formula_types as ft),
    (select string_agg(concat_ws(':', s.id, s.level, s.pattern), ';' order by s.id) from graph.scenarios as s
      where s.enterprise_id = p_enterprise and s.generation = p_generation),
    (select string_agg(concat_ws(':', e.kind, e.from_code, e.to_code, e.properties), ';' order by e.kind, e.from_code, e.to_code) from graph.edges as e
      where e.enterprise_id = p_enterprise and e.generation = p_generation),
    (select string_agg(md5(coalesce(pg_get_function_sqlbody(p.oid), p.prosrc)), ';' order by p.oid::regprocedure::text) from pg_proc as p
      where p.pronamespace = 'rules'::regnamespace)), 'UTF8')), 'hex')
$$;
comment on function rules.hash_of(uuid, crew.crew_position[], daterange, daterange, bigint) is
'Hash of everything that a compiled plan rests on.
p_enterprise: tenant; p_positions: positions paid alike; p_span: rules.month_span(); p_staged: rules.staged_span(); p_generation: rule graph.';

-- Finds the ruleset by its hash, or compiles and stores it.
create or replace function rules.ruleset_for(p_enterprise uuid, p_positions crew.crew_position[], p_month date)
returns uuid
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_span daterange := rules.month_span(p_enterprise, p_month);
  v_staged daterange := rules.staged_span(p_enterprise, p_positions, v_span);
  v_generation bigint := coalesce(rules.accepted_generation(p_enterprise), -1);
  v_hash text;
  v_id uuid;
  v_terms rules.compiled_term[];
begin
  v_hash := rules.hash_of(p_enterprise, p_positions, v_span, v_staged, v_generation);

  select r.id into v_id
  from rules.rulesets as r
  where r.enterprise_id = p_enterprise and r.hash = v_hash;
  if found then
    return v_id;
  end if;

  select array_agg(t) into v_terms
  from rules.compile_terms(p_enterprise, p_positions, v_span, v_generation) as t;

  insert into rules.rulesets (enterprise_id, hash, span, positions, graph_generation, settings)
  values (p_enterprise, v_hash, v_span, p_positions, v_generation, rules.settings_of(v_terms))
  on conflict (enterprise_id, hash) do nothing
  returning id into v_id;
  if v_id is null then
    -- Another session stored the same ruleset first.
    return (select r.id from rules.rulesets as r where r.enterprise_id = p_enterprise and r.hash = v_hash);
  end if;

  insert into rules.ruleset_terms (enterprise_id, ruleset_id, term_no, term_id, kind, level, component, label, expanded, price)
  select p_enterprise, v_id, t.term_no, t.term_id, t.kind, t.level,
    case when t.kind in ('credit', 'pay', 'advance') then t.component::pay.component end, t.label, t.expanded,
    case t.price_kind when 'multiplier' then t.expanded -> 'multiplier' when 'per_hour' then t.expanded -> 'per_hour'
      when 'per_unit' then t.expanded -> 'per_unit' when 'amount' then t.expanded -> 'amount' end
  from unnest(v_terms) as t;

  insert into rules.plans (enterprise_id, ruleset_id, step_no, name, statement)
  select p_enterprise, v_id, s.step_no, s.name, s.statement
  from rules.assemble_plan(v_terms, p_positions) as s;
  return v_id;
end
$$;
comment on function rules.ruleset_for(uuid, crew.crew_position[], date) is
'The ruleset of some positions in a contract month; compiled and stored when it is new.
p_enterprise: tenant; p_positions: a group of rules.position_groups(); p_month: first day of the month. Raises CP201 to CP206.';

-- As the ruleset has them: an old result is explained by the versions and the generation it was paid by.
create or replace function rules.ruleset_conflicts(p_enterprise uuid, p_ruleset uuid)
returns table (winner text, loser text, method text, notes text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  with terms as materialized (
    select distinct on (u.term_code) u.term_code, u as term
    from rules.ruleset_terms as t
    join rules.union_contract_terms as u on u.enterprise_id = t.enterprise_id and u.id = t.term_id
    where t.enterprise_id = p_enterprise and t.ruleset_id = p_ruleset
    order by u.term_code, u.effective_date desc
  )
  select
    case when ranked.first_wins then e.from_code else e.to_code end,
    case when ranked.first_wins then e.to_code else e.from_code end,
    e.properties ->> 'resolutionMethod',
    e.properties ->> 'notes'
  from rules.rulesets as r
  join graph.edges as e on e.enterprise_id = r.enterprise_id and e.generation = r.graph_generation and e.kind = 'CONFLICTS_WITH'
  join terms as a on a.term_code = e.from_code
  join terms as b on b.term_code = e.to_code
  cross join lateral (select rules.wins_over(e.properties ->> 'resolutionMethod', a.term, b.term)) as ranked (first_wins)
  where r.enterprise_id = p_enterprise and r.id = p_ruleset
$$;
comment on function rules.ruleset_conflicts(uuid, uuid) is
'The conflicts of the rule graph among the terms of a ruleset, with who wins.
p_enterprise: tenant; p_ruleset: ruleset.';
