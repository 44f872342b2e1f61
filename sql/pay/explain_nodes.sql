-- The nodes of one result, evaluated again, and where each stands in its statement.

-- Recomputes the nodes of one result as one statement: the ruleset's plan as a chain of materialized CTEs, over facts as of the run.
create or replace function pay.nodes(p_calculation pay.pay_calculations, p_period pay.pay_periods, p_as_of timestamptz)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set jit = off
as $$
declare
  v_tokens jsonb := pay.plan_tokens(p_calculation.enterprise_id, p_period, array[p_calculation.crew_member_id]);
  v_ctes text;
  v_stages text;
  v_nodes jsonb;
begin
  v_tokens := pay.tokens_as_of(v_tokens, p_period, p_as_of);
  select string_agg(format(E'%I as materialized (\n%s\n)', s.name, pay.fill_tokens(s.statement, v_tokens)), E',\n' order by s.step_no),
    string_agg(format('%L, (select coalesce(jsonb_agg(x), ''[]'') from %I as x)', ltrim(s.name, '_'), s.name), ', ' order by s.step_no)
      filter (where s.name not in ('_zones', '_credit', '_held') and s.name !~ '^_projected')
  into v_ctes, v_stages
  from rules.plans as s
  where s.enterprise_id = p_calculation.enterprise_id and s.ruleset_id = p_calculation.ruleset_id;
  execute format(E'with %s\nselect jsonb_build_object(%s)', v_ctes, v_stages) into v_nodes;
  return v_nodes;
end
$$;
comment on function pay.nodes(pay.pay_calculations, pay.pay_periods, timestamptz) is
'The evaluated nodes of one result: {"people","legs","duties","days","trips","periods","months","quarters","years","lines","findings"}, each with the values of every candidate.
p_calculation: the result; p_period: its period; p_as_of: facts on record then.';

-- Legs for people: flight, route, scheduled and actual departure and block.
create or replace function pay.leg_headings(p_enterprise uuid, p_leg_nos bigint[], p_as_of timestamptz)
returns table (leg_no bigint, departure_at bigint, heading text)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  -- Keys first, so that the flights are looked up and not scanned.
  v_flights uuid[] := array(
    select a.flight_id
    from crew.crew_assignments as a
    where a.enterprise_id = p_enterprise and a.leg_no = any (p_leg_nos) and a.flight_id is not null);
begin
  return query
  select a.leg_no,
    floor(date_part('epoch', coalesce(f.actual_departure, f.scheduled_departure, a.duty_start_time)) / 60)::bigint,
    case when f.id is null then format('%s  %s', initcap(a.activity::text), pay.minutes_text(
      (date_part('epoch', a.duty_end_time - a.duty_start_time) / 60)::numeric))
    else format('%s %s–%s%s  sched %s %s, actual %s%s%s', f.flight_number, f.origin_airport, f.destination_airport,
      case when a.position = 'OPERATING' then '' else ' ' || lower(a.position::text) end,
      to_char(f.scheduled_departure at time zone o.time_zone, 'HH24:MI'),
      pay.minutes_text((date_part('epoch', f.scheduled_arrival - f.scheduled_departure) / 60)::numeric),
      coalesce(to_char(f.actual_departure at time zone o.time_zone, 'HH24:MI') || ' '
        || coalesce(pay.minutes_text((date_part('epoch', f.actual_arrival - f.actual_departure) / 60)::numeric), '(no arrival)'), '—'),
      case when f.status in ('CANCELLED', 'DIVERTED') then ' ' || lower(f.status::text) else '' end,
      case when f.source = 'inferred' then ' (inferred)' else '' end) end
  from crew.crew_assignments as a
  left join crew.flights_as_of(p_as_of) as f on f.enterprise_id = p_enterprise and f.id = any (v_flights) and f.id = a.flight_id
  left join crew.airports as o on o.iata = f.origin_airport
  where a.enterprise_id = p_enterprise and a.leg_no = any (p_leg_nos);
end
$$;
comment on function pay.leg_headings(uuid, bigint[], timestamptz) is
'Legs for people: departure (minutes since 1970 UTC) and a line with flight, route, scheduled and actual times and block.
p_enterprise: tenant; p_leg_nos: legs; p_as_of: facts on record then.';

-- The rate of a crew member on a day; they change three times around a month at most.
create or replace function pay.rate_of_day(p_crew_member jsonb, p_day integer)
returns numeric
language sql
immutable
parallel safe
return case
  when p_day >= (p_crew_member ->> 'rate_4_day')::integer then (p_crew_member ->> 'rate_4')::numeric
  when p_day >= (p_crew_member ->> 'rate_3_day')::integer then (p_crew_member ->> 'rate_3')::numeric
  when p_day >= (p_crew_member ->> 'rate_2_day')::integer then (p_crew_member ->> 'rate_2')::numeric
  else (p_crew_member ->> 'rate_1')::numeric
end;
comment on function pay.rate_of_day(jsonb, integer) is
'The hourly rate of a crew member on a day.
p_crew_member: their row of the stage _people; p_day: days since 1970.';

-- Every node of the trips, and of the duties without a trip, of which the period pays something; and the spans.
create or replace function pay.placed_nodes(p_calculation pay.pay_calculations, p_period pay.pay_periods, p_nodes jsonb, p_as_of timestamptz)
returns pay.placed_node[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_crew_member jsonb := p_nodes -> 'people' -> 0;
  v_zone text;
begin
  select a.time_zone into v_zone from crew.airports as a where a.iata = v_crew_member ->> 'crew_base';
  return array(
    with leg_headings as materialized (
      select h.leg_no, h.departure_at, h.heading
      from pay.leg_headings(p_calculation.enterprise_id, array(select (n ->> 'leg_no')::bigint from jsonb_array_elements(p_nodes -> 'legs') as n), p_as_of) as h
    ),
    trips as materialized (
      select n, (n ->> 'trip_no')::bigint as trip_no, (n ->> 'start_at')::bigint as start_at from jsonb_array_elements(p_nodes -> 'trips') as n
    ),
    duties as materialized (
      select n, (n ->> 'report')::bigint as report, (n ->> 'day')::bigint as day from jsonb_array_elements(p_nodes -> 'duties') as n
    ),
    line_places as materialized (
      select distinct t.level, l.node
      from unnest(p_calculation.line_term, p_calculation.line_node) as l (term_no, node)
      join rules.ruleset_terms as t on t.enterprise_id = p_calculation.enterprise_id
        and t.ruleset_id = p_calculation.ruleset_id
        and t.term_no = l.term_no
    ),
    nodes as materialized (
      select 'trip' as level, t.trip_no as node, t.trip_no, null::bigint as report, null::bigint as leg_at, (t.n ->> 'day')::integer as rate_day, t.n as facts
      from trips as t
      union all
      -- A day without a trip stands with its first duty.
      select 'day', (n ->> 'day')::bigint, (n ->> 'trip_no')::bigint,
        case when n ->> 'trip_no' is null then (select min(d.report) from duties as d where d.day = (n ->> 'day')::bigint) end,
        null, (n ->> 'day')::integer, n
      from jsonb_array_elements(coalesce(p_nodes -> 'days', '[]')) as n
      union all
      select 'duty', d.report, (d.n ->> 'trip_no')::bigint, d.report, null, d.day::integer, d.n
      from duties as d
      union all
      select 'leg', l.leg_no, (n ->> 'trip_no')::bigint, (n ->> 'report')::bigint, l.departure_at, (n ->> 'day')::integer, n
      from jsonb_array_elements(p_nodes -> 'legs') as n
      join leg_headings as l on l.leg_no = (n ->> 'leg_no')::bigint
    ),
    shown as (
      select distinct n.trip_no, case when n.trip_no is null then n.report end as lone_report
      from line_places as l
      join nodes as n on n.level = l.level and n.node = l.node
    ),
    spans as (
      select levels.level, (
        select n from jsonb_array_elements(coalesce(p_nodes -> (levels.level || 's'), '[]')) as n where (n ->> 'at_end')::boolean limit 1) as facts
      from unnest(rules.span_levels()) as levels (level)
    ),
    placed as (
      select n.level, n.node, coalesce(t.start_at, n.report) as trip_at, n.report, n.leg_at, n.rate_day, n.facts
      from nodes as n
      left join trips as t on t.trip_no = n.trip_no
      where exists (select from shown as s where s.trip_no = n.trip_no or s.lone_report = n.report)
      union all
      -- Who has left by the period is not of it, and may have lines of it: an advance is taken back.
      select s.level, 0, null, null, null, p_period.end_date - date '1970-01-01', coalesce(s.facts, '{}')
      from spans as s
      where s.facts is not null or exists (select from line_places as l where l.level = s.level)
    )
    select (p.level, p.node, p.trip_at, p.report, p.leg_at,
      case p.level
        when 'trip' then format('Trip %s  %s – %s  away %s', t.trip_number,
          pay.local_text((p.facts ->> 'start_at')::integer, v_zone, 'DD Mon HH24:MI'), pay.local_text((p.facts ->> 'end_at')::integer, v_zone, 'DD Mon HH24:MI'),
          pay.minutes_text((p.facts ->> 'end_at')::numeric - (p.facts ->> 'start_at')::numeric))
        when 'day' then format('Day %s', to_char(date '1970-01-01' + p.node::integer, 'DD Mon'))
        when 'duty' then format('Duty  %s – %s  %s', pay.local_text(p.node::integer, v_zone, 'DD Mon HH24:MI'),
          pay.local_text((p.facts ->> 'release')::integer, v_zone, 'HH24:MI'), pay.minutes_text((p.facts ->> 'release')::numeric - p.node))
        when 'leg' then l.heading
        when 'month' then 'Month ' || case
          when extract(day from p_period.contract_month) = 1 then to_char(p_period.contract_month, 'YYYY-MM') else 'from ' || p_period.contract_month end
        when 'period' then format('Period %s – %s', p_period.start_date, p_period.end_date)
        else format('%s from %s', initcap(p.level), date '1970-01-01' + (p.facts ->> 'first_day')::integer) end,
      coalesce((
          select (r ->> 'rate')::numeric from jsonb_array_elements(p_nodes -> 'rates') as r
          where (r ->> 'level_no')::integer = rules.level_rank(p.level) and (r ->> 'node')::bigint = p.node),
        pay.rate_of_day(v_crew_member, p.rate_day)),
      p.facts)::pay.placed_node
    from placed as p
    left join crew.trips as t on t.enterprise_id = p_calculation.enterprise_id and t.trip_no = p.node and p.level = 'trip'
    left join leg_headings as l on l.leg_no = p.node and p.level = 'leg');
end
$$;
comment on function pay.placed_nodes(pay.pay_calculations, pay.pay_periods, jsonb, timestamptz) is
'The nodes that a pay statement shows, with their place in it.
p_calculation: the result; p_period: its period; p_nodes: from pay.nodes(); p_as_of: facts on record then.';
