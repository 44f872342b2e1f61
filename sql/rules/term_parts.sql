-- One term, piece by piece: what it is called and how its amounts count, its condition, its price, and what it may read.

create or replace function rules.begin_term(p_term jsonb, p_term_no integer)
returns rules.compiled_term
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_part jsonb := p_term -> 'part';
  v_term rules.compiled_term;
begin
  v_term.term_no := p_term_no;
  v_term.term_id := (p_term ->> 'id')::uuid;
  v_term.term_code := p_term ->> 'code';
  v_term.kind := v_part ->> 'kind';
  v_term.level := coalesce(v_part ->> 'level', 'crew');
  v_term.combine := coalesce(v_part ->> 'combine', 'greatest');
  v_term.joins := coalesce(v_part ->> 'joins', v_term.level);
  v_term.books := coalesce(v_part ->> 'books', 'start');
  v_term.label := coalesce(v_part ->> 'label', v_term.kind);
  v_term.name := v_part ->> 'name';
  v_term.priority := (p_term ->> 'priority')::integer;
  v_term.expanded := v_part || jsonb_strip_nulls(jsonb_build_object('when', p_term -> 'gate'));
  if v_term.kind = 'hourly_rate' then
    v_term.expanded := v_term.expanded || jsonb_build_object('effective', p_term -> 'from', 'expires', p_term -> 'to');
  end if;
  v_term.is_guarantee := coalesce((v_part ->> 'guarantee')::boolean, false);
  v_term.toward_guarantee := coalesce((v_part ->> 'toward_guarantee')::boolean, v_term.kind = 'credit');
  v_term.toward_threshold := coalesce((v_part ->> 'toward_threshold')::boolean, v_term.kind = 'credit');
  v_term.component := coalesce(v_part ->> 'component',
    case v_term.kind when 'credit' then 'flight_pay' when 'advance' then 'flight_pay' when 'pay' then 'premium' end);
  v_term.depth := 0;
  return v_term;
end
$$;
comment on function rules.begin_term(jsonb, integer) is
'A term without what is compiled of it.
p_term: {"id", "code", "priority", "part", "gate", "from", "to"}; p_term_no: its number within the ruleset.';

-- A term's condition as SQL, and that its version is in force: a version that begins or ends inside the staged days pays only the trips,
-- and the spans, that start while it is in force.
create or replace function rules.compile_gate(p_term rules.compiled_term, p_gate jsonb, p_measures jsonb, p_version_fact text, p_from date, p_to date)
returns rules.sql_expression
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_gate rules.sql_expression;
begin
  if nullif(p_gate, 'null') is not null then
    v_gate := rules.compile_expression(p_gate, p_term.level, p_measures, p_term.term_code || ' $.when');
    if v_gate.value_type <> 'bool' then
      perform rules.refuse('CP204', p_term.term_code || ' $.when', 'a condition must be true or false', 'Use a comparison, a boolean fact, or {"!!": …} for the truth of a value.');
    end if;
  end if;
  if p_version_fact is not null then
    v_gate := (
      format('(%1$s %2$s >= %3$s and %2$s < %4$s)',
        case when v_gate.sql is null then '' else format('(%s) and', v_gate.sql) end,
        replace(p_version_fact, '.', '_'), p_from - date '1970-01-01', coalesce((p_to - date '1970-01-01')::text, '2147483647')),
      'bool', 'none', false, coalesce(v_gate.needs, '{}') || p_version_fact)::rules.sql_expression;
  end if;
  return v_gate;
end
$$;
comment on function rules.compile_gate(rules.compiled_term, jsonb, jsonb, text, date, date) is
'SQL of a term''s condition; null where it always applies.
p_gate: JsonLogic or null; p_measures: the contract''s measures; p_version_fact: level.name of the day that decides the version, null where
the version holds for all; p_from, p_to: its time in force. Raises CP203, CP204, CP205.';

create or replace function rules.compile_price(p_term rules.compiled_term, p_measures jsonb)
returns rules.compiled_term
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_parameter text;
  v_where text;
begin
  foreach v_parameter in array array['multiplier', 'per_hour', 'per_unit', 'amount'] loop
    continue when not p_term.expanded ? v_parameter;
    v_where := p_term.term_code || ' $.' || v_parameter;
    if p_term.price_kind is not null then
      perform rules.refuse('CP202', v_where, format('both %s and %s', p_term.price_kind, v_parameter), 'Give one price.');
    end if;
    p_term.price_kind := v_parameter;
    p_term.price := rules.compile_expression(p_term.expanded -> v_parameter, p_term.level, p_measures, v_where);
    perform rules.require_number(p_term.price, v_where, false);
  end loop;
  p_term.price_kind := coalesce(p_term.price_kind, 'rate');
  if p_term.price_kind = 'multiplier' and p_term.expanded ? 'factor' then
    perform rules.refuse('CP202', p_term.term_code || ' $.factor', 'factor and multiplier together', 'factor scales the quantity of a term paid from zero; multiplier pays m − 1.');
  end if;
  return p_term;
end
$$;
comment on function rules.compile_price(rules.compiled_term, jsonb) is
'A pay term with its price: the one of multiplier, per_hour, per_unit, amount that it gives, else the hourly rate.
p_measures: the contract''s measures. Raises CP202, CP203, CP204, CP205.';

-- Facts that can be missing, so that a finding names them.
create or replace function rules.facts_that_lack(p_term rules.compiled_term)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select case when count(*) = 0 then '{}'::jsonb else jsonb_build_object('can_lack', jsonb_agg(distinct f.name order by f.name)) end
    from unnest((p_term.quantity).needs || coalesce((p_term.price).needs, '{}')) as need
    join rules.known_facts as f on f.level = split_part(need, '.', 1) and f.name = split_part(need, '.', 2) and f.nullable);
end
$$;
comment on function rules.facts_that_lack(rules.compiled_term) is '{"can_lack": [names]} of the facts that a quantity or price reads and that can be missing; {} for none.';

-- Where in a term a name is read.
create or replace function rules.place_of(p_term rules.compiled_term, p_pattern text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select p_term.term_code || coalesce(' $.' || (
    select case key when 'own_when' then 'when' else key end
    from jsonb_each(p_term.expanded)
    where key <> 'can_lack' and value::text ~ ('"' || p_pattern || '"')
    order by key
    limit 1), '')
$$;
comment on function rules.place_of(rules.compiled_term, text) is
'Term code and JSON path of the parameter that reads a name; the code alone where a preset reads it.
p_pattern: regular expression of the name as written.';

create or replace function rules.refuse_reads(p_term rules.compiled_term)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_needs text[] := coalesce((p_term.quantity).needs, '{}') || coalesce((p_term.gate).needs, '{}') || coalesce((p_term.price).needs, '{}');
  v_early text;
begin
  select need into v_early
  from unnest(v_needs) as need
  where rules.is_computed(need) and (p_term.kind in ('measure', 'treatment') or need <> p_term.level || '.base')
  limit 1;
  if p_term.kind <> 'advance' and 'month.projected_credit' = any (v_needs) then
    perform rules.refuse('CP205', rules.place_of(p_term, '(month\.)?projected_credit'), 'the projected credit of a month is read by advances only',
      'Before the month is over it isn''t known what it will come to.');
  elsif p_term.kind <> 'pay' and v_early is not null then
    perform rules.refuse('CP203', rules.place_of(p_term, '([a-z]+\.)?(paid_)?' || regexp_replace(v_early, '^(to_date\.[a-z]+_|[a-z]+\.)(paid_)?', '')),
      format('%s is read by pay terms only', replace(v_early, 'to_date.', '')),
      'Facts and measures go up first, credit second, pay last. A credit term reads the base of its own level.');
  elsif p_term.expanded ->> 'books' = 'split' and (not rules.is_time_based(p_term) or p_term.expanded ?| array['amount', 'per_unit']) then
    perform rules.refuse('CP205', p_term.term_code || ' $.books', 'only time of a duty or trip is split, by its minutes', 'start or end.');
  end if;
end
$$;
comment on function rules.refuse_reads(rules.compiled_term) is
'Refuses what a term of its kind can''t read, or can''t be booked by. Raises CP203, CP205.';

-- Measures of one level are computed in layers.
create or replace function rules.layer_measure(p_term rules.compiled_term, p_measures jsonb)
returns rules.compiled_term
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  -- Versions of one term are one measure: each counts the trips of its time.
  if p_measures ? p_term.name and (p_measures -> p_term.name ->> 'code', p_measures -> p_term.name ->> 'level')
      is distinct from (p_term.term_code, p_term.level) then
    perform rules.refuse('CP202', p_term.term_code || ' $.name', format('measure %s is defined twice', p_term.name), 'Give each measure its own name.');
  end if;
  p_term.depth := (
    select 1 + coalesce(max((p_measures -> split_part(need, '.', 2) ->> 'depth')::integer), 0)
    from unnest((p_term.quantity).needs || coalesce((p_term.gate).needs, '{}')) as need
    where p_measures ? split_part(need, '.', 2) and p_measures -> split_part(need, '.', 2) ->> 'level' = p_term.level);
  if p_term.expanded ? 'rolling' then
    p_term := rules.roll(p_term, p_term.term_code);
  end if;
  return p_term;
end
$$;
comment on function rules.layer_measure(rules.compiled_term, jsonb) is
'A measure with the depth of its layer, rolled where it looks back.
p_measures: the measures before it. Raises CP202, CP204, CP205.';

-- A rounded node is made by one more add, its remainder; at the month by what all credit of it has come to.
create or replace function rules.node_roundings(p_settings rules.compiled_term, p_first_no integer)
returns setof rules.compiled_term
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select (r.term).*
  from (
    select jsonb_populate_record(p_settings, jsonb_build_object(
      'term_no', p_first_no + row_number() over (order by rules.level_rank(s.key)) - 1,
      'kind', 'credit', 'level', s.key, 'combine', 'add', 'joins', s.key, 'label', 'rounding', 'component', 'flight_pay', 'priority', 0,
      'toward_guarantee', true, 'toward_threshold', true,
      'expanded', jsonb_build_object('kind', 'credit', 'level', s.key, 'combine', 'add', 'rounding', s.value),
      'quantity', jsonb_build_object('sql', format('(round(round((%s)::numeric, 6) / (%s)) * (%2$s))', case s.key when 'month' then 'month_exact_credit' else 'exact_credit' end,
          (rules.compile_duration(s.value, s.key, '{}', p_settings.term_code || ' $.round_nodes.' || s.key)).sql),
        'value_type', 'numeric', 'unit', 'min', 'nullable', false, 'needs', '[]'::jsonb))) as term
    from jsonb_each(p_settings.expanded -> 'round_nodes') as s
  ) as r
$$;
comment on function rules.node_roundings(rules.compiled_term, integer) is
'The adds that round nodes, one for each level that the settings name in round_nodes.
p_settings: the settings term; p_first_no: number of the first.';

-- Guaranteed hours, prorated. By calendar days for part of a month employed, or by a contract's value per unpaid day.
create or replace function rules.compile_guarantee(p_part jsonb, p_measures jsonb, p_where text)
returns rules.sql_expression
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_hours rules.sql_expression := rules.compile_duration(p_part -> 'hours', p_part ->> 'level', p_measures, p_where || ' $.hours');
  v_day_value rules.sql_expression;
begin
  if p_part ? 'day_value' and p_part ->> 'proration' <> 'day_value' then
    perform rules.refuse('CP202', p_where || ' $.day_value', 'a value of a day without a proration by it', 'Add "proration": "day_value".');
  end if;
  case p_part ->> 'proration'
    when 'none' then
      null;
    when 'calendar_days' then
      v_hours := (format('((%s)::numeric * (month_days - month_unpaid_days) / month_days)', v_hours.sql), 'numeric', 'min', v_hours.nullable,
        v_hours.needs || array['month.days', 'month.unpaid_days'])::rules.sql_expression;
    when 'day_value' then
      if not p_part ? 'day_value' then
        perform rules.refuse('CP202', p_where || ' $.day_value', 'proration by day_value needs day_value', 'Add day_value, in hours or "h:mm".');
      end if;
      v_day_value := rules.compile_duration(p_part -> 'day_value', 'month', p_measures, p_where || ' $.day_value');
      -- greatest() ignores null: a value of a day that isn't known must stay unknown, and matters only where a day is unpaid.
      v_hours := (format('(case when month_unpaid_days = 0 then (%1$s) when (%1$s) - month_unpaid_days * (%2$s) < 0 then 0 else (%1$s) - month_unpaid_days * (%2$s) end)',
          v_hours.sql, v_day_value.sql), 'numeric', 'min',
        v_hours.nullable or v_day_value.nullable, v_hours.needs || v_day_value.needs || array['month.unpaid_days'])::rules.sql_expression;
    else
      perform rules.refuse('CP202', p_where || ' $.proration', format('unknown proration %s', p_part ->> 'proration'), 'calendar_days, day_value or none.');
  end case;
  return rules.round_quantity(v_hours, p_part -> 'round', p_part ->> 'level', p_where || ' $.round');
end
$$;
comment on function rules.compile_guarantee(jsonb, jsonb, text) is
'Guaranteed minutes of a month, prorated (PSA: value per day; calendar days for a new hire).
p_part: expanded monthly_guarantee; p_measures, p_where: as rules.compile_expression. Raises CP202.';
