-- From the terms in force to compiled terms: presets expanded, scenarios and conflicts of the rule graph worked in,
-- expressions typed. Nothing here knows any one contract.

-- Puts a level before every unqualified name, so that a pattern of a higher level can be read from below.
create or replace function rules.qualify(p_logic jsonb, p_level text)
returns jsonb
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  case jsonb_typeof(p_logic)
    when 'array' then
      return (select coalesce(jsonb_agg(rules.qualify(element, p_level) order by element_no), '[]')
        from jsonb_array_elements(p_logic) with ordinality as elements (element, element_no));
    when 'object' then
      if p_logic ? 'var' then
        return case
          when jsonb_typeof(p_logic -> 'var') = 'array' then
            jsonb_build_object('var', jsonb_build_array(
              case when position('.' in p_logic -> 'var' ->> 0) > 0 then '' else p_level || '.' end || (p_logic -> 'var' ->> 0), p_logic -> 'var' -> 1))
          when position('.' in p_logic ->> 'var') > 0 then p_logic
          else jsonb_build_object('var', p_level || '.' || (p_logic ->> 'var')) end;
      end if;
      return (select jsonb_object_agg(key, rules.qualify(value, p_level)) from jsonb_each(p_logic));
    else
      return p_logic;
  end case;
end
$$;
comment on function rules.qualify(jsonb, text) is
'JsonLogic with p_level put before every unqualified name.';

-- How specific a condition is: its number of comparisons.
create or replace function rules.specificity(p_logic jsonb)
returns integer
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select count(*)::integer
  from regexp_matches(p_logic::text, '"(===?|!==?|<=?|>=?|in)": ', 'g')
$$;
comment on function rules.specificity(jsonb) is 'Number of comparisons in a condition; MOST_SPECIFIC prefers more.';

-- Name of a measure that the compiler makes for itself.
create or replace function rules.helper_name(p_prefix text, p_of text)
returns text
language sql
immutable
parallel safe
return p_prefix || '_' || left(regexp_replace(lower(p_of), '[^a-z0-9]', '_', 'g'), 40);
comment on function rules.helper_name(text, text) is 'Name of a helper measure for a term code or a scenario: lower-case letters, digits and underscores only.';

-- Terms on record that apply to the positions and are in force on a day of the span, expanded to kinds.
-- Helper measures for scenarios of a lower level are part of the result.
create or replace function rules.expanded_terms(p_enterprise uuid, p_positions crew.crew_position[], p_span daterange, p_generation bigint)
returns table (term_id uuid, term_code text, priority integer, part_no integer, effective_date date, expiration_date date, part jsonb, gate jsonb)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
  with terms as materialized (
    select t.id, t.term_code::text as code, t.priority, t.effective_date, t.expiration_date, t.calculation_formula
    from rules.terms_in_force(p_enterprise) as t
    where t.applies_to && p_positions
      and t.calculation_formula is not null
      and daterange(t.effective_date, t.expiration_date) && p_span
  ),
  parts as materialized (
    select t.id, t.code, t.priority, p.part_no::integer, t.effective_date, t.expiration_date,
      -- A kind written directly has only its own condition.
      case when ft.template = '{}' then p.part - 'when' || jsonb_strip_nulls(jsonb_build_object('own_when', p.part -> 'when')) else p.part end as part
    from terms as t
    join rules.formula_types as ft on ft.name = t.calculation_formula ->> 'type'
      or ft.name = 'settings' and not exists (select from rules.formula_types as known where known.name = t.calculation_formula ->> 'type')
    cross join lateral rules.expand_formula(t.code, t.calculation_formula) with ordinality as p (part, part_no)
  ),
  applications as materialized (
    select e.from_code as code, s.id as scenario_id, s.level::text as level, s.pattern
    from graph.edges as e
    join graph.scenarios as s on s.enterprise_id = e.enterprise_id and s.generation = e.generation and s.id = e.to_code
    where e.enterprise_id = p_enterprise
      and e.generation = p_generation
      and e.kind = 'APPLIES_TO'
      and e.from_code in (select parts.code from parts)
  ),
  gates as (
    -- A term applies where a scenario matches or where its own condition holds; with neither, always.
    select p.id, p.part_no, jsonb_agg(alternative order by alternative_no) as alternatives
    from parts as p
    cross join lateral (
      select 0, p.part -> 'own_when'
      where p.part ? 'own_when'
      union all
      select row_number() over (order by a.scenario_id)::integer,
        case
          when a.level = p.part ->> 'level' then a.pattern
          when rules.level_rank(a.level) > rules.level_rank(p.part ->> 'level') then rules.qualify(a.pattern, a.level)
          else jsonb_build_object('>', jsonb_build_array(jsonb_build_object('var', rules.helper_name('scenario', a.scenario_id)), 0))
        end
      from applications as a
      where a.code = p.code
    ) as alternatives (alternative_no, alternative)
    where p.part ->> 'kind' not in ('settings', 'hourly_rate')
    group by p.id, p.part_no
  )
  select p.id, p.code, p.priority, p.part_no, p.effective_date, p.expiration_date, p.part - 'when' - 'own_when',
    case
      when p.part ? 'when' and g.alternatives is not null then
        jsonb_build_object('and', jsonb_build_array(p.part -> 'when',
          case when jsonb_array_length(g.alternatives) = 1 then g.alternatives -> 0 else jsonb_build_object('or', g.alternatives) end))
      when p.part ? 'when' then p.part -> 'when'
      when jsonb_array_length(g.alternatives) = 1 then g.alternatives -> 0
      when g.alternatives is not null then jsonb_build_object('or', g.alternatives)
    end
  from parts as p
  left join gates as g on g.id = p.id and g.part_no = p.part_no
  union all
  select first_part.id, first_part.code, 0, 1000 + (row_number() over (order by a.scenario_id))::integer, null, null,
    jsonb_build_object('kind', 'measure', 'level', a.level, 'name', rules.helper_name('scenario', a.scenario_id), 'label', 'scenario ' || a.scenario_id),
    a.pattern
  from (
    select distinct on (a.scenario_id) a.scenario_id, a.level, a.pattern, a.code
    from applications as a
    join parts as p on p.code = a.code and rules.level_rank(a.level) < rules.level_rank(p.part ->> 'level')
    order by a.scenario_id
  ) as a
  join lateral (select p.id, p.code from parts as p where p.code = a.code limit 1) as first_part on true;
end
$$;
comment on function rules.expanded_terms(uuid, crew.crew_position[], daterange, bigint) is
'Terms in force, expanded to kinds, with the condition under which each applies (scenarios of the rule graph included).
p_enterprise: tenant; p_positions: crew positions; p_span: days; p_generation: accepted generation of the rule graph.
Raises CP201, CP202.';

create or replace function rules.minute_of_day(p_time text)
returns integer
language sql
immutable
parallel safe
return split_part(p_time, ':', 1)::integer * 60 + split_part(p_time, ':', 2)::integer;
comment on function rules.minute_of_day(text) is 'Minute of the day of "hh:mm".';

-- A clock as offset, change, offset after it. The departure clock of a duty or trip is its first leg's, the arrival clock its last leg's;
-- what flies nowhere has the clock of its base.
create or replace function rules.clock_sql(p_clock text, p_level text)
returns text
language sql
immutable
parallel safe
return case
  when p_clock = 'base' then 'crew_base_offset, crew_base_change, crew_base_offset_after'
  when p_clock = 'utc' then '0, 1000000000, 0'
  when p_clock = 'departure' and p_level = 'leg' then 'leg_origin_offset, leg_origin_change, leg_origin_offset_after'
  else replace(replace('coalesce(%l_%e_offset, crew_base_offset), coalesce(%l_%e_change, crew_base_change), coalesce(%l_%e_offset_after, crew_base_offset_after)',
    '%l', p_level), '%e', case p_clock when 'departure' then 'origin' else 'destination' end) end;
comment on function rules.clock_sql(text, text) is
'SQL of a clock as the last three arguments of rules.window_minutes().
p_clock: base, departure, arrival or utc; p_level: leg, duty or trip.';

-- The part of a quantity that lies inside a window. A time basis that is the node's own interval gives the overlap exactly;
-- any other basis is scaled by the share of the interval inside.
create or replace function rules.apply_window(
  p_quantity rules.sql_expression, p_basis text, p_window jsonb, p_level text, p_where text, p_span daterange)
returns rules.sql_expression
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_from text := coalesce(p_window ->> 'from', '00:00');
  v_to text := coalesce(p_window ->> 'to', '00:00');
  v_clock text := coalesce(p_window ->> 'clock', 'base');
  v_zone text;
  v_zone_needs text[];
  v_start text;
  v_end text;
  v_overlap text;
  v_is_interval boolean;
  v_inside text;
  v_needs text[];
begin
  if jsonb_typeof(p_window) <> 'object' or exists (select from jsonb_object_keys(p_window) as key where key not in ('from', 'to', 'dates', 'clock')) then
    perform rules.refuse('CP204', p_where, 'a window has from, to, dates and clock', 'Write {"from": "22:00", "to": "06:00", "clock": "base"}.');
  end if;
  if p_window ? 'dates' and (jsonb_typeof(p_window -> 'dates') <> 'array'
    or exists (select from jsonb_array_elements(p_window -> 'dates') as listed where not rules.is_date(listed #>> '{}'))) then
    perform rules.refuse('CP204', p_where || '.dates', 'the dates of a window are a list of days', 'Write ["2026-11-26", "2026-12-25"].');
  end if;
  if p_level not in ('leg', 'duty', 'trip') then
    perform rules.refuse('CP205', p_where, format('a window at level %s', p_level), 'Measure it at leg, duty or trip and read the measure.');
  end if;
  if v_from !~ '^([01]\d|2[0-4]):[0-5]\d$' or v_to !~ '^([01]\d|2[0-4]):[0-5]\d$'
    or (v_from = v_to and not p_window ? 'dates') then
    perform rules.refuse('CP204', p_where, 'a window runs from one "hh:mm" to another', 'Write {"from": "22:00", "to": "06:00"}.');
  end if;
  if v_clock not in ('base', 'departure', 'arrival', 'utc') then
    perform rules.refuse('CP204', p_where || '.clock', format('there is no clock %s', v_clock), 'base, departure, arrival or utc.');
  end if;
  v_zone := rules.clock_sql(v_clock, p_level);
  v_zone_needs := array(select regexp_replace(referenced[1], '_', '.') from regexp_matches(v_zone, '\m([a-z]+_[a-z_]+)', 'g') as referenced);

  v_start := case
    when p_level = 'leg' and p_basis like 'scheduled%' then 'leg_scheduled_out_at'
    when p_level = 'leg' then 'leg_out_at'
    when p_level = 'duty' then 'duty_report_at'
    when p_basis = 'tafb' then 'trip_away_at'
    else 'trip_start_at' end;
  v_end := case
    when p_level = 'leg' and p_basis like 'scheduled%' then 'leg_scheduled_in_at'
    when p_level = 'leg' then 'leg_in_at'
    when p_level = 'duty' then 'duty_release_at'
    when p_basis = 'tafb' then 'trip_back_at'
    else 'trip_end_at' end;
  v_is_interval := case p_level when 'leg' then p_basis in ('block', 'scheduled_block') when 'duty' then p_basis = 'duty_minutes' else p_basis = 'tafb' end;

  if p_window ? 'dates' then
    -- Only dates of the span can matter: the rest costs nothing.
    -- A window that wraps leaves a date two pieces.
    select coalesce(string_agg(
        format('rules.date_window_minutes(%s, %s, %s, %s, %s, %s)', v_start, v_end, listed::date - date '1970-01-01', piece_from, piece_to, v_zone),
        ' + ' order by listed, piece_from), '0')
    into v_overlap
    from jsonb_array_elements_text(p_window -> 'dates') as listed
    cross join lateral (
      select rules.minute_of_day(v_from), rules.minute_of_day(v_to)
      where rules.minute_of_day(v_from) < rules.minute_of_day(v_to)
      union all
      select rules.minute_of_day(v_from), 1440
      where rules.minute_of_day(v_from) >= rules.minute_of_day(v_to)
      union all
      select 0, rules.minute_of_day(v_to)
      where rules.minute_of_day(v_from) >= rules.minute_of_day(v_to) and v_to <> '00:00'
    ) as pieces (piece_from, piece_to)
    where listed::date <@ daterange(lower(p_span) - 1, upper(p_span) + 1);
  else
    v_overlap := format('rules.window_minutes(%s, %s, %s, %s, %s)', v_start, v_end,
      rules.minute_of_day(v_from), rules.minute_of_day(v_to), v_zone);
  end if;
  v_needs := p_quantity.needs || regexp_replace(v_start, '_', '.') || regexp_replace(v_end, '_', '.') || v_zone_needs;
  if p_quantity.unit = 'none' then
    -- A count is inside where its node starts inside.
    return (
      format('(case when (%s) > 0 then (%s) when (%s) is not null then 0 end)',
        replace(v_overlap, '(' || v_start || ', ' || v_end, '(' || v_start || ', ' || v_start || ' + 1'), p_quantity.sql, v_start),
      p_quantity.value_type, p_quantity.unit, true, v_needs)::rules.sql_expression;
  end if;
  v_inside := case when v_is_interval then '(' || v_overlap || ')'
    -- Most nodes lie outside: no division for these.
    else format('(case when (%3$s) = (%4$s) or ((%2$s) = 0 and (%1$s) is not null) then 0 else (%1$s)::numeric * (%2$s) / ((%3$s) - (%4$s)) end)',
      p_quantity.sql, v_overlap, v_end, v_start) end;
  if p_level = 'leg' and v_end = 'leg_in_at' then
    -- A leg that never arrived is missing its time only where its schedule touches the window.
    -- A ground activity has no block, and lasts from report to release.
    v_inside := format('(case when leg_activity <> ''FLIGHT'' then %s when (leg_out_at + leg_in_at) is null and (%s) = 0 then 0 else %s end)',
      case when v_is_interval then '0' else replace(replace(v_inside, 'leg_out_at', 'leg_report_at'), 'leg_in_at', 'leg_release_at') end,
      replace(v_overlap, 'leg_out_at, leg_in_at', 'leg_scheduled_out_at, leg_scheduled_in_at'), v_inside);
    v_needs := v_needs || array['leg.activity', 'leg.report_at', 'leg.release_at', 'leg.scheduled_out_at', 'leg.scheduled_in_at'];
  end if;
  return (v_inside, case when v_is_interval then 'int' else 'numeric' end, p_quantity.unit, true, v_needs)::rules.sql_expression;
end
$$;
comment on function rules.apply_window(rules.sql_expression, text, jsonb, text, text, daterange) is
'The part of a quantity inside a window {"from","to","dates","clock"}.
Raises CP204 (form of the window), CP205 (level not offered).';

-- The rounding of a term's value.
create or replace function rules.round_quantity(p_quantity rules.sql_expression, p_round jsonb, p_level text, p_where text)
returns rules.sql_expression
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_step rules.sql_expression;
begin
  if p_round is null then
    return p_quantity;
  end if;
  v_step := rules.compile_duration(p_round -> 'to', p_level, '{}', p_where || '.to');
  perform rules.require_number(v_step, p_where || '.to', true);
  if cardinality(v_step.needs) > 0 then
    perform rules.refuse('CP204', p_where || '.to', 'the step of a rounding is a constant', 'Give hours, or "h:mm".');
  elsif coalesce(p_round ->> 'mode', 'half_up') not in ('half_up', 'up', 'down') then
    perform rules.refuse('CP204', p_where || '.mode', 'unknown rounding mode', 'half_up, up or down.');
  end if;
  -- A quotient is never exact: six decimals decide ties.
  return (format('(%s(round((%s)::numeric, 6) / (%s)) * (%s))',
      case coalesce(p_round ->> 'mode', 'half_up') when 'half_up' then 'round' when 'up' then 'ceil' else 'floor' end,
      p_quantity.sql, v_step.sql, v_step.sql),
    'numeric', p_quantity.unit, p_quantity.nullable, p_quantity.needs)::rules.sql_expression;
end
$$;
comment on function rules.round_quantity(rules.sql_expression, jsonb, text, text) is
'A quantity rounded as {"to", "mode"} says; as it is where nothing is said.
p_quantity: compiled; p_round: the parameter or null; p_level: level of the term; p_where: for messages. Raises CP204.';

-- The base quantity of a term, its window, then beyond, cap, factor / ratio / hours, round: in this order.
create or replace function rules.compile_quantity(p_part jsonb, p_level text, p_measures jsonb, p_where text, p_span daterange)
returns rules.sql_expression
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_quantity rules.sql_expression;
  v_other rules.sql_expression;
  v_basis text := p_part ->> 'basis';
  v_window jsonb := p_part -> 'window';
  v_counts boolean := false;
  v_is_count boolean;
begin
  if p_part ? 'value' then
    v_quantity := rules.compile_expression(p_part -> 'value', p_level, p_measures, p_where || ' $.value');
  elsif p_part ? 'basis' then
    v_quantity := rules.compile_variable(v_basis, p_level, p_measures, p_where || ' $.basis');
  else
    v_quantity := ('1', 'int', 'none', false, '{}')::rules.sql_expression;
    v_counts := true;
  end if;
  if v_quantity.value_type not in ('int', 'numeric') then
    perform rules.refuse('CP204', p_where || ' $.basis', 'a quantity must be a number', 'Use a numeric fact, a measure or arithmetic.');
  end if;

  if v_window is not null then
    v_quantity := rules.apply_window(v_quantity, v_basis, v_window, p_level, p_where || ' $.window', p_span);
  end if;

  -- A number of hours bounds minutes; what is counted is bounded by a number of the same things.
  v_is_count := v_basis is not null and v_quantity.unit = 'none';
  if p_part ? 'beyond' or p_part ? 'beyond_minutes' then
    v_other := case when p_part ? 'beyond' then rules.compile_bound(p_part -> 'beyond', v_is_count, p_level, p_measures, p_where || ' $.beyond')
      else rules.compile_expression(p_part -> 'beyond_minutes', p_level, p_measures, p_where || ' $.over_minutes') end;
    -- greatest() ignores null; a null quantity must stay null to be found.
    v_quantity := (format('(case when (%1$s) > (%2$s) then (%1$s) - (%2$s) when (%1$s) <= (%2$s) then 0 end)', v_quantity.sql, v_other.sql),
      case when 'numeric' in (v_quantity.value_type, v_other.value_type) then 'numeric' else 'int' end,
      v_quantity.unit, v_quantity.nullable or v_other.nullable, v_quantity.needs || v_other.needs)::rules.sql_expression;
  end if;
  if p_part ? 'cap' then
    v_other := rules.compile_bound(p_part -> 'cap', v_is_count, p_level, p_measures, p_where || ' $.cap');
    v_quantity := (format('(case when (%1$s) > (%2$s) then (%2$s) when (%1$s) <= (%2$s) then (%1$s) end)', v_quantity.sql, v_other.sql), 'numeric',
      v_quantity.unit, v_quantity.nullable or v_other.nullable, v_quantity.needs || v_other.needs)::rules.sql_expression;
  end if;
  if p_part ? 'factor' then
    v_other := rules.compile_expression(p_part -> 'factor', p_level, p_measures, p_where || ' $.factor');
    perform rules.require_number(v_other, p_where || ' $.factor', false);
    v_quantity := (format('((%s) * (%s))', v_quantity.sql, v_other.sql), 'numeric', v_quantity.unit,
      v_quantity.nullable or v_other.nullable, v_quantity.needs || v_other.needs)::rules.sql_expression;
  end if;
  if p_part ? 'ratio' then
    v_other := rules.compile_expression(p_part -> 'ratio', p_level, p_measures, p_where || ' $.ratio');
    perform rules.require_number(v_other, p_where || ' $.ratio', true);
    v_other.nullable := v_other.nullable or cardinality(v_other.needs) > 0;
    v_quantity := (format('((%s)::numeric / nullif(%s, 0))', v_quantity.sql, v_other.sql), 'numeric', v_quantity.unit,
      v_quantity.nullable or v_other.nullable, v_quantity.needs || v_other.needs)::rules.sql_expression;
  end if;
  if p_part ? 'hours' then
    v_other := rules.compile_duration(p_part -> 'hours', p_level, p_measures, p_where || ' $.hours');
    if not v_counts and v_quantity.unit <> 'none' then
      perform rules.refuse('CP204', p_where || ' $.hours', 'hours multiplies a count, not a time', 'Leave out basis, or use factor.');
    end if;
    v_quantity := (case when v_quantity.sql = '1' then v_other.sql else format('((%s) * (%s))', v_quantity.sql, v_other.sql) end,
      case when 'numeric' in (v_quantity.value_type, v_other.value_type) then 'numeric' else 'int' end, 'min',
      v_quantity.nullable or v_other.nullable, v_quantity.needs || v_other.needs)::rules.sql_expression;
  end if;
  return rules.round_quantity(v_quantity, p_part -> 'round', p_level, p_where || ' $.round');
end
$$;
comment on function rules.compile_quantity(jsonb, text, jsonb, text, daterange) is
'The quantity of a term as SQL: basis or value, window, beyond, cap, factor, ratio, hours, round.
Raises CP203, CP204, CP205.';
