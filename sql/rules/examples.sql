-- Examples that can be executed: a crew member, a month and its duties as a few lines of JSON, paid by the contract itself. The plan is
-- the one of a run; its tables are the example's rows.

-- A time of an example: with its date, on the base clock or with Z in UTC; or the first hh:mm at or after a moment.
create or replace function rules.example_time(p_text text, p_zone text, p_after timestamptz)
returns timestamptz
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_at timestamptz;
begin
  if p_text like '%Z' then
    return (rtrim(p_text, 'Z')::timestamp) at time zone 'UTC';
  elsif length(p_text) > 5 then
    return p_text::timestamp at time zone p_zone;
  end if;
  v_at := ((p_after at time zone p_zone)::date + lpad(p_text, 5, '0')::time) at time zone p_zone;
  return case when v_at < p_after then ((p_after at time zone p_zone)::date + 1 + lpad(p_text, 5, '0')::time) at time zone p_zone else v_at end;
end
$$;
comment on function rules.example_time(text, text, timestamptz) is
'A time of an example.
p_text: "2026-01-05 08:00", "2026-01-05 13:00Z", or "08:00"; p_zone: zone of the base; p_after: the moment before it.';

-- One end of "07:00-09:30", or of "2026-01-05 07:00 to 2026-01-05 09:30".
create or replace function rules.example_span(p_text text, p_end integer)
returns text
language sql
immutable
parallel safe
return case when position(' to ' in p_text) > 0 then split_part(p_text, ' to ', p_end) else split_part(p_text, '-', p_end) end;
comment on function rules.example_span(text, integer) is 'The first (1) or second (2) time of a span of an example.';

create or replace function rules.example_month(p_example jsonb)
returns date
language sql
immutable
parallel safe
return to_date(left(coalesce(p_example ->> 'month', p_example -> 'trips' -> 0 -> 'duties' -> 0 ->> 'report', p_example -> 'duties' -> 0 ->> 'report'), 7), 'YYYY-MM');
comment on function rules.example_month(jsonb) is 'Contract month of an example: given, or that of its first report.';

-- The rows of an example as the fact tables have them.
create or replace function rules.example_rows(p_enterprise uuid, p_example jsonb)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  with crew_member as (
    select md5('example')::uuid as id, coalesce(p_example ->> 'base', 'JFK') as base,
      (select a.time_zone from crew.airports as a where a.iata = coalesce(p_example ->> 'base', 'JFK')) as zone
  ),
  trips as (
    select trip_no, t as trip
    from jsonb_array_elements(p_example -> 'trips') with ordinality as listed (t, trip_no)
  ),
  duties as (
    select t.trip_no, d as duty, d_no from trips as t cross join lateral jsonb_array_elements(t.trip -> 'duties') with ordinality as listed (d, d_no)
    union all
    select null, d, d_no from jsonb_array_elements(p_example -> 'duties') with ordinality as listed (d, d_no)
  ),
  reported as (
    select row_number() over (order by d.trip_no, d.d_no) as duty_no, d.trip_no, d.duty, c.zone, rules.example_time(d.duty ->> 'report', c.zone, null) as report_at
    from duties as d cross join crew_member as c
  ),
  timed as (
    select r.*, rules.example_time(r.duty ->> 'release', r.zone, r.report_at) as release_at from reported as r
  ),
  departing as (
    select t.duty_no, t.trip_no, t.duty, t.zone, t.report_at, t.release_at, l as leg, row_number() over (order by t.duty_no, l_no) as leg_no,
      rules.example_time(rules.example_span(l ->> 'scheduled', 1), t.zone, t.report_at) as scheduled_out,
      rules.example_time(rules.example_span(coalesce(l ->> 'actual', l ->> 'scheduled'), 1), t.zone, t.report_at) as actual_out
    from timed as t
    cross join lateral jsonb_array_elements(coalesce(t.duty -> 'legs', '[null]')) with ordinality as listed (l, l_no)
  ),
  legs as (
    select d.*,
      rules.example_time(rules.example_span(d.leg ->> 'scheduled', 2), d.zone, d.scheduled_out) as scheduled_in,
      rules.example_time(rules.example_span(coalesce(d.leg ->> 'actual', d.leg ->> 'scheduled'), 2), d.zone, d.actual_out) as actual_in
    from departing as d
  )
  select jsonb_build_object(
    'members', (
      select jsonb_build_array(jsonb_build_object('enterprise_id', p_enterprise, 'id', c.id, 'employee_id', 'EXAMPLE', 'first_name', 'Example', 'last_name', 'Example',
        'position', p_example -> 'position', 'base_location', c.base, 'hire_date', coalesce(p_example ->> 'hired', '2000-01-01'), 'seniority_number', 1,
        'base_hourly_rate', p_example -> 'hourly_rate', 'union_status', 'UNION_MEMBER', 'contract_type', 'FULL_TIME', 'attributes', '{}'::jsonb))
      from crew_member as c),
    'months', (
      select jsonb_build_array(jsonb_build_object('enterprise_id', p_enterprise, 'crew_member_id', c.id, 'month', to_char(rules.example_month(p_example), 'YYYY-MM-DD'),
        'line_type', coalesce(p_example ->> 'line', 'LINE'), 'unpaid_days', coalesce(p_example -> 'unpaid_days', '0'), 'work_days', p_example -> 'work_days',
        'award_credit_minutes', p_example -> 'award', 'attributes', '{}'::jsonb))
      from crew_member as c),
    'trips', (
      select coalesce(jsonb_agg(jsonb_build_object('enterprise_id', p_enterprise, 'id', md5('trip' || t.trip_no)::uuid, 'trip_no', t.trip_no, 'crew_member_id', c.id,
        'trip_number', 'T' || t.trip_no, 'base_location', c.base, 'start_at', s.start_at, 'end_at', s.end_at,
        'scheduled_start_at', coalesce(rules.example_time(t.trip ->> 'scheduled_start', c.zone, null), s.start_at),
        'scheduled_end_at', coalesce(rules.example_time(t.trip ->> 'scheduled_end', c.zone, s.start_at), s.end_at),
        'pickup', coalesce(t.trip ->> 'pickup', 'AWARDED'), 'from_reserve', coalesce(t.trip -> 'from_reserve', 'false'), 'awarded_credit_minutes', t.trip -> 'awarded',
        'attributes', '{}'::jsonb)), '[]')
      from trips as t
      cross join crew_member as c
      cross join lateral (
        select min(d.report_at) as start_at, max(d.release_at) as end_at from timed as d where d.trip_no = t.trip_no
      ) as s),
    'flights', (
      select coalesce(jsonb_agg(jsonb_build_object('enterprise_id', p_enterprise, 'id', md5('flight' || l.leg_no)::uuid, 'flight_number', 'EX' || l.leg_no,
        'origin_airport', split_part(l.leg ->> 'leg', '-', 1), 'destination_airport', split_part(l.leg ->> 'leg', '-', 2),
        'scheduled_departure', l.scheduled_out, 'scheduled_arrival', l.scheduled_in,
        'actual_departure', case when l.leg ->> 'status' = 'CANCELLED' then null else l.actual_out end,
        'actual_arrival', case when l.leg ->> 'status' = 'CANCELLED' then null else l.actual_in end,
        'delay_minutes', coalesce(l.leg -> 'delay', '0'), 'delay_code', l.leg -> 'code', 'aircraft_type', l.leg -> 'aircraft',
        'status', coalesce(l.leg ->> 'status', 'ARRIVED'), 'attributes', '{}'::jsonb)), '[]')
      from legs as l
      where l.leg <> 'null'),
    'assignments', (
      select coalesce(jsonb_agg(jsonb_build_object('enterprise_id', p_enterprise, 'id', md5('leg' || l.leg_no)::uuid, 'leg_no', l.leg_no, 'crew_member_id', c.id,
        'flight_id', case when l.leg <> 'null' then md5('flight' || l.leg_no)::uuid end, 'trip_id', case when l.trip_no is not null then md5('trip' || l.trip_no)::uuid end,
        'position', coalesce(l.leg ->> 'as', l.duty ->> 'as', 'OPERATING'), 'activity', coalesce(l.duty ->> 'activity', 'FLIGHT'),
        'duty_start_time', l.report_at, 'duty_end_time', l.release_at, 'published_credit_minutes', coalesce(l.leg -> 'published', l.duty -> 'published'),
        'attributes', '{}'::jsonb)), '[]')
      from legs as l
      cross join crew_member as c))
$$;
comment on function rules.example_rows(uuid, jsonb) is
'An example''s crew member, month, trips, flights and assignments, as rows of the fact tables: {"members","months","trips","flights","assignments"}.
p_enterprise: tenant; p_example: {"position","hourly_rate","base","month","trips","duties", …}, see docs/contracts.md.';

-- What the contract pays for an example.
create or replace function rules.example_lines(p_enterprise uuid, p_example jsonb, p_generation bigint)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set jit = off
as $$
declare
  v_month record;
  v_span daterange;
  v_positions crew.crew_position[];
  v_terms rules.compiled_term[];
  v_rows jsonb;
  v_period pay.pay_periods;
  v_tokens jsonb;
  v_ctes text;
  v_lines jsonb;
  v_unknown text;
begin
  select string_agg(distinct named.iata, ', ' order by named.iata) into v_unknown
  from (
    select coalesce(p_example ->> 'base', 'JFK') as iata
    union all
    select split_part(leg #>> '{}', '-', side)
    from jsonb_path_query(p_example, '$.**.leg') as leg
    cross join generate_series(1, 2) as side
  ) as named
  where not exists (select from crew.airports as a where a.iata = named.iata);
  if v_unknown is not null then
    raise exception using
      errcode = 'CP101',
      message = format('an airport of the example is not known: %s', v_unknown),
      hint = 'Use IATA codes of crew.airports.';
  end if;
  select m.* into v_month from crew.contract_month(p_enterprise, rules.example_month(p_example) + 14) as m;
  v_span := rules.month_span(p_enterprise, v_month.month);
  select g.positions into v_positions
  from rules.position_groups(p_enterprise, v_span) as g
  where (p_example ->> 'position')::crew.crew_position = any (g.positions);
  if v_positions is null then
    raise exception using
      errcode = 'CP213',
      message = format('no terms of %s are in force in %s', coalesce(p_example ->> 'position', 'no position'), to_char(v_month.month, 'YYYY-MM')),
      hint = 'Give the example a position and a month that the contract covers.';
  end if;

  select array_agg(t order by t.term_no) into v_terms
  from rules.compile_terms(p_enterprise, v_positions, v_span, p_generation) as t;
  v_rows := rules.example_rows(p_enterprise, p_example);
  v_period := jsonb_populate_record(null::pay.pay_periods, jsonb_build_object(
    'enterprise_id', p_enterprise, 'id', md5('example period')::uuid, 'start_date', v_month.month, 'end_date', v_month.last_day,
    'status', 'OPEN', 'contract_month', v_month.month));
  -- The example's own words stay outside the statement, as a parameter: in a literal they could hold what a token is replaced by.
  v_tokens := pay.plan_tokens(p_enterprise, v_period, array[md5('example')::uuid]) || jsonb_build_object(
    '@lo@', format('%L::timestamptz', v_month.month - 40), '@hi@', format('%L::timestamptz', v_month.last_day + 10),
    '@flights_of_crew@', '', '@legs_of_crew@', '',
    '@members@', 'jsonb_populate_recordset(null::crew.crew_members, $6 -> ''members'')',
    '@months@', 'jsonb_populate_recordset(null::crew.crew_months, $6 -> ''months'')',
    '@trips@', 'jsonb_populate_recordset(null::crew.trips, $6 -> ''trips'')',
    '@flights@', 'jsonb_populate_recordset(null::crew.flights, $6 -> ''flights'')',
    '@assignments@', 'jsonb_populate_recordset(null::crew.crew_assignments, $6 -> ''assignments'')');
  select string_agg(format(E'%I as materialized (\n%s\n)', s.name, pay.fill_tokens(s.statement, v_tokens)), E',\n' order by s.step_no)
  into v_ctes
  from rules.assemble_plan(v_terms, v_positions) as s;
  execute format($q$with %s
    select coalesce(jsonb_agg(jsonb_build_object('term', t.code, 'component', t.component, 'label', t.label, 'level', t.level,
      'quantity', trim_scale(round(l.quantity, 6)), 'amount', l.cents * 0.01) order by t.term_no, l.node), '[]')
    from _lines as l
    join unnest($1, $2, $3, $4, $5) as t (term_no, code, component, label, level) on t.term_no = l.term_no
    where l.cents <> 0$q$, v_ctes)
  into v_lines
  using array(select t.term_no from unnest(v_terms) as t), array(select t.term_code from unnest(v_terms) as t),
    array(select t.component from unnest(v_terms) as t), array(select t.label from unnest(v_terms) as t), array(select t.level from unnest(v_terms) as t),
    v_rows;
  return v_lines;
end
$$;
comment on function rules.example_lines(uuid, jsonb, bigint) is
'The lines that the contract in force pays for an example: [{"term","component","label","level","quantity","amount"}]. Reads no facts of the airline.
p_enterprise: tenant; p_example: see docs/contracts.md; p_generation: rule graph. Raises CP101 (airport), CP213 (no terms), CP201 to CP206, and for days that are none 22008.';

-- An example holds where the clauses it is about pay exactly the lines that it lists.
create or replace function rules.example_check(p_enterprise uuid, p_example jsonb, p_codes text[], p_generation bigint,
  out holds boolean, out code text, out expected jsonb, out computed jsonb, out detail text)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_codes text[];
begin
  holds := false;
  if coalesce(jsonb_typeof(p_example -> 'lines'), 'null') <> 'array' then
    code := 'CP222';
    detail := 'the example lists no lines';
    return;
  end if;
  select coalesce(jsonb_agg(jsonb_build_object('term', l ->> 'term', 'quantity', trim_scale(round((l ->> 'quantity')::numeric, 6)), 'amount', (l ->> 'amount')::numeric(12, 2))
      order by l ->> 'term', (l ->> 'quantity')::numeric, (l ->> 'amount')::numeric), '[]'),
    array_agg(distinct l ->> 'term') || p_codes
  into expected, v_codes
  from jsonb_array_elements(p_example -> 'lines') as l;
  begin
    select coalesce(jsonb_agg(jsonb_build_object('term', l ->> 'term', 'quantity', (l ->> 'quantity')::numeric, 'amount', (l ->> 'amount')::numeric(12, 2))
        order by l ->> 'term', (l ->> 'quantity')::numeric, (l ->> 'amount')::numeric), '[]')
    into computed
    from jsonb_array_elements(rules.example_lines(p_enterprise, p_example, p_generation)) as l
    where l ->> 'term' = any (v_codes);
  exception when others then
    code := sqlstate;
    detail := sqlerrm;
    return;
  end;
  holds := expected = computed
    and coalesce((p_example ->> 'total')::numeric = (select sum((l ->> 'amount')::numeric) from jsonb_array_elements(expected) as l), true);
  if not holds then
    code := 'CP222';
    detail := case when expected = computed then format('the lines make %s, not %s', (select sum((l ->> 'amount')::numeric) from jsonb_array_elements(expected) as l), p_example ->> 'total')
      else concat_ws('; ',
        (select 'expected ' || string_agg(format('%s %s → %s', l ->> 'term', l ->> 'quantity', l ->> 'amount'), ', ')
          from (select * from jsonb_array_elements(expected) except all select * from jsonb_array_elements(computed)) as missing (l)),
        (select 'paid ' || string_agg(format('%s %s → %s', l ->> 'term', l ->> 'quantity', l ->> 'amount'), ', ')
          from (select * from jsonb_array_elements(computed) except all select * from jsonb_array_elements(expected)) as extra (l))) end;
  end if;
end
$$;
comment on function rules.example_check(uuid, jsonb, text[], bigint) is
'Recomputes an example: whether the clauses it names, and those of p_codes, pay exactly the lines it lists (quantity to six decimals, amount to the cent).
p_enterprise: tenant; p_example: the example; p_codes: clauses that it is about; p_generation: rule graph.
code: CP222 where the lines differ, or the SQLSTATE of what refused it; detail: what differs.';
