-- The compiled terms of a group of positions: numbered, typed, with conflicts resolved into conditions.

-- Conflicts of the rule graph as changes of conditions. PRIORITY, MOST_SPECIFIC and FAA_PREVAILS drop the loser where the
-- winner's own condition holds (whether or not the winner is itself dropped); ADDITIVE turns the lesser into an add.
create or replace function rules.wins_over(p_method text, p_term rules.union_contract_terms, p_other rules.union_contract_terms)
returns boolean
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select case p_method
    when 'MOST_SPECIFIC' then (-rules.specificity(p_term.calculation_formula -> 'when'), p_term.priority, p_term.term_code)
      < (-rules.specificity(p_other.calculation_formula -> 'when'), p_other.priority, p_other.term_code)
    else (p_term.priority, p_term.term_code) < (p_other.priority, p_other.term_code)
  end
$$;
comment on function rules.wins_over(text, rules.union_contract_terms, rules.union_contract_terms) is
'Whether a term goes before another by a method of the rule graph: the lower priority number, then the code; by MOST_SPECIFIC more comparisons in its condition first.
p_method: resolution method; p_term, p_other: the two.';

create or replace function rules.conflict_losses(p_enterprise uuid, p_generation bigint, p_codes text[])
returns table (winner text, loser text, method text, notes text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select
    case when ranked.first_wins then e.from_code else e.to_code end,
    case when ranked.first_wins then e.to_code else e.from_code end,
    e.properties ->> 'resolutionMethod',
    e.properties ->> 'notes'
  from graph.edges as e
  join lateral (
    select t from rules.terms_in_force(p_enterprise) as t where t.term_code = e.from_code order by t.effective_date desc limit 1
  ) as a (term) on true
  join lateral (
    select t from rules.terms_in_force(p_enterprise) as t where t.term_code = e.to_code order by t.effective_date desc limit 1
  ) as b (term) on true
  cross join lateral (select rules.wins_over(e.properties ->> 'resolutionMethod', a.term, b.term)) as ranked (first_wins)
  where e.enterprise_id = p_enterprise
    and e.generation = p_generation
    and e.kind = 'CONFLICTS_WITH'
    and e.from_code = any (p_codes)
    and e.to_code = any (p_codes)
  order by e.from_code, e.to_code
$$;
comment on function rules.conflict_losses(uuid, bigint, text[]) is
'Winner and loser of each conflict among the given term codes, by the method of the rule graph.
p_enterprise: tenant; p_generation: accepted generation; p_codes: codes of terms in force.';

-- The order of components must have no cycle.
create or replace function rules.check_dependencies(p_enterprise uuid, p_generation bigint)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_cycle text;
begin
  with recursive walk as (
    select e.from_code, e.to_code, array[e.from_code, e.to_code] as path, e.from_code = e.to_code as is_cycle
    from graph.edges as e
    where e.enterprise_id = p_enterprise and e.generation = p_generation and e.kind = 'DEPENDS_ON'
    union all
    select w.from_code, e.to_code, w.path || e.to_code, e.to_code = any (w.path)
    from walk as w
    join graph.edges as e on e.from_code = w.to_code
    where e.enterprise_id = p_enterprise and e.generation = p_generation and e.kind = 'DEPENDS_ON' and not w.is_cycle
  )
  select array_to_string(path, ' → ') into v_cycle from walk where is_cycle limit 1;
  if found then
    raise exception using
      errcode = 'CP206',
      message = 'pay components depend on each other in a cycle: ' || v_cycle,
      hint = 'Remove one DEPENDS_ON edge of the cycle from the rule graph.';
  end if;
end
$$;
comment on function rules.check_dependencies(uuid, bigint) is
'Refuses a rule graph whose components depend on each other in a cycle.
Raises CP206.';

-- What a term must not ask for yet, by name, before anything is compiled.
create or replace function rules.refuse_unsupported(p_where text, p_part jsonb)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_part ->> 'kind' not in ('settings', 'hourly_rate')
    and coalesce(p_part ->> 'level' not in ('leg', 'duty', 'day', 'trip', 'period', 'month', 'quarter', 'year'), true) then
    perform rules.refuse('CP205', p_where || ' $.level', format('level %s is not offered', coalesce(p_part ->> 'level', '(none)')),
      'leg, duty, day, trip, period, month, quarter or year.');
  elsif p_part ->> 'kind' = 'treatment' and p_part ->> 'level' = any (rules.span_levels()) then
    perform rules.refuse('CP205', p_where || ' $.level', format('a treatment of a %s is not offered', p_part ->> 'level'),
      'leg, duty, day or trip; a term''s own toward_guarantee and toward_threshold hold for all of it.');
  elsif p_part ->> 'kind' = 'hourly_rate' and (jsonb_typeof(p_part -> 'steps') <> 'array' or jsonb_path_exists(p_part, '$.steps[*] ? (@.type() != "object")')) then
    perform rules.refuse('CP202', p_where || ' $.steps', 'the steps of a rate table are a list of rows', 'Write [{"position": "CAPTAIN", "year": 1, "rate": 72.40}].');
  elsif p_part ->> 'kind' = 'hourly_rate' and exists (
    select from jsonb_array_elements(p_part -> 'steps') as step where step ? 'aircraft_type') then
    perform rules.refuse('CP205', p_where || ' $.steps', 'rates by aircraft type are not offered', 'Leave aircraft_type out of the steps.');
  end if;
end
$$;
comment on function rules.refuse_unsupported(text, jsonb) is
'Refuses by name what the catalogue defines and the engine doesn''t offer.
Raises CP205.';

create or replace function rules.is_date(p_text text)
returns boolean
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_text !~ '^\d{4}-\d\d-\d\d$' then
    return false;
  end if;
  return make_date(left(p_text, 4)::integer, substr(p_text, 6, 2)::integer, right(p_text, 2)::integer) is not null;
exception when datetime_field_overflow then
  return false;
end
$$;
comment on function rules.is_date(text) is 'Whether a text is a day as YYYY-MM-DD; null for null.';

-- What a term says in words must be words that mean something: a misspelt choice would pay nothing, silently.
create or replace function rules.refuse_malformed(p_where text, p_part jsonb)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_kind text := p_part ->> 'kind';
  v_joins text := p_part ->> 'joins';
  v_bad record;
begin
  select c.* into v_bad
  from (values
    ('combine', array['greatest', 'add']),
    ('books', array['start', 'end', 'split']),
    ('joins', array['leg', 'duty', 'day', 'trip', 'period', 'month', 'quarter', 'year']),
    ('component', array_remove(enum_range(null::pay.component)::text[], 'adjustment')),
    ('toward_guarantee', array['true', 'false']),
    ('toward_threshold', array['true', 'false']),
    ('paid', array['true', 'false']),
    ('stacking', array['add', 'highest', 'multiply']),
    ('unit', array['hour', 'TFP', 'PCH']),
    ('leg_month_clock', array['base', 'departure']),
    ('version_on', array['trip_start', 'duty_start'])) as c (parameter, choices)
  where p_part ->> c.parameter <> all (c.choices)
  limit 1;
  if found then
    perform rules.refuse('CP202', p_where || ' $.' || v_bad.parameter, format('%s is no value of %s', p_part ->> v_bad.parameter, v_bad.parameter),
      'Known values: ' || array_to_string(v_bad.choices, ', ') || '.');
  end if;

  case v_kind
    when 'measure' then
      if p_part ->> 'name' !~ '^[a-z0-9_]{1,55}$' or p_part ->> 'name' in ('no', 'base', 'credit', 'end_at', 'start_at')
        or p_part ->> 'name' ~ '^joins_' or exists (select from rules.known_facts as f where f.name = p_part ->> 'name') then
        perform rules.refuse('CP202', p_where || ' $.name', format('%s can''t be the name of a measure', p_part ->> 'name'),
          'Use lower-case letters, digits and underscores, and no name of rules.facts.');
      end if;
    when 'settings' then
      select key into v_bad
      from jsonb_each(p_part)
      where key in ('report_before', 'release_after') and not (jsonb_typeof(value) = 'number' and value #>> '{}' ~ '^\d{1,3}$')
      limit 1;
      if found then
        perform rules.refuse('CP202', p_where || ' $.' || v_bad.key, 'it is a number of minutes', 'Give whole minutes, 0 to 999.');
      elsif coalesce(p_part ->> 'day_clock', 'base') <> 'base' then
        perform rules.refuse('CP205', p_where, 'the day of a duty is that of its base', 'Leave day_clock at base.');
      end if;
    when 'hourly_rate' then
      select step_no into v_bad
      from jsonb_array_elements(p_part -> 'steps') with ordinality as steps (step, step_no)
      where coalesce(step ->> 'position' <> all (enum_range(null::crew.crew_position)::text[]), true)
        or coalesce(jsonb_typeof(step -> 'rate') <> 'number' or step ->> 'rate' ~ '^-', true)
        or step ? 'year' and not (jsonb_typeof(step -> 'year') = 'number' and step ->> 'year' ~ '^[1-9]\d?$')
        or step ? 'from' and not coalesce(rules.is_date(step ->> 'from'), false)
        or exists (select from jsonb_object_keys(step) as key where key not in ('position', 'year', 'from', 'rate'))
      order by step_no
      limit 1;
      if found then
        perform rules.refuse('CP202', format('%s $.steps[%s]', p_where, v_bad.step_no - 1), 'a step has position, rate, and year of service and from if it needs them',
          'Write {"position": "CAPTAIN", "year": 1, "from": "2026-01-01", "rate": 72.40}.');
      end if;
    else
      if v_kind = 'treatment' and not p_part ?| array['toward_guarantee', 'toward_threshold', 'paid'] then
        perform rules.refuse('CP202', p_where, 'a treatment says toward_guarantee, toward_threshold or paid', 'Add what it changes.');
      elsif v_joins is not null and rules.level_rank(v_joins) < rules.level_rank(p_part ->> 'level') then
        perform rules.refuse('CP202', p_where || ' $.joins', 'a term joins its own level or one above', 'Leave joins out, or name a higher level.');
      end if;
  end case;
end
$$;
comment on function rules.refuse_malformed(text, jsonb) is
'Refuses values that a term doesn''t know: choices, names of measures, settings, rate steps.
p_where: term code; p_part: expanded term. Raises CP202, CP205.';

-- A conflict that names no method would be paid twice, silently. ADDITIVE needs one level; GREATEST across levels is what two
-- competing credits do anyway (a duty rig against the legs below it), but an add can't compete with another level.
create or replace function rules.refuse_conflicts(p_terms jsonb, p_losses jsonb)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_loss jsonb;
begin
  for v_loss in select value from jsonb_array_elements(p_losses) loop
    if coalesce(v_loss ->> 'method', '') not in ('GREATEST', 'PRIORITY', 'ADDITIVE', 'MOST_SPECIFIC', 'FAA_PREVAILS') then
      perform rules.refuse('CP206', v_loss ->> 'loser',
        format('its conflict with %s is resolved by %s', v_loss ->> 'winner', coalesce(v_loss ->> 'method', 'nothing')),
        'resolutionMethod is GREATEST, PRIORITY, ADDITIVE, MOST_SPECIFIC or FAA_PREVAILS.');
    elsif v_loss ->> 'method' in ('GREATEST', 'ADDITIVE') and (
      select count(distinct t -> 'part' ->> 'level')
      from jsonb_array_elements(p_terms) as t
      where t ->> 'code' in (v_loss ->> 'winner', v_loss ->> 'loser') and t -> 'part' ->> 'kind' in ('credit', 'pay')) > 1
      and (v_loss ->> 'method' = 'ADDITIVE' or exists (
        select
        from jsonb_array_elements(p_terms) as t
        where t ->> 'code' in (v_loss ->> 'winner', v_loss ->> 'loser') and t -> 'part' ->> 'combine' = 'add')) then
      perform rules.refuse('CP206', v_loss ->> 'loser',
        format('its conflict with %s is resolved by %s across levels', v_loss ->> 'winner', v_loss ->> 'method'),
        'Put both at one level, or resolve by PRIORITY.');
    end if;
  end loop;
end
$$;
comment on function rules.refuse_conflicts(jsonb, jsonb) is
'Refuses conflicts that cannot be resolved.
p_terms: expanded terms; p_losses: from rules.conflict_losses(). Raises CP206.';

-- Measures in the order of who reads whom, before all else.
create or replace function rules.order_measures(p_terms jsonb)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_left jsonb := (select coalesce(jsonb_agg(value order by no), '[]') from jsonb_array_elements(p_terms) with ordinality as t (value, no)
    where value -> 'part' ->> 'kind' = 'measure');
  v_ordered jsonb := '[]'::jsonb;
  v_ready jsonb;
begin
  while jsonb_array_length(v_left) > 0 loop
    select jsonb_agg(m.value order by m.no) into v_ready
    from jsonb_array_elements(v_left) with ordinality as m (value, no)
    where not exists (
      select
      from jsonb_array_elements(v_left) as other
      join (
        select regexp_replace(case jsonb_typeof(read) when 'array' then read ->> 0 else read #>> '{}' end, '^.*\.', '') as name
        from jsonb_path_query(m.value, '$.**.var') as read
        union all
        select m.value -> 'part' ->> 'basis'
      ) as r on r.name = other -> 'part' ->> 'name');
    if v_ready is null then
      perform rules.refuse('CP206', v_left -> 0 ->> 'code', 'measures read each other in a circle: '
          || (select string_agg(distinct value -> 'part' ->> 'name', ', ') from jsonb_array_elements(v_left)),
        'Break the circle.');
    end if;
    v_ordered := v_ordered || v_ready;
    v_left := (select coalesce(jsonb_agg(value order by no), '[]') from jsonb_array_elements(v_left) with ordinality as t (value, no)
      where not v_ready @> jsonb_build_array(value));
  end loop;
  return v_ordered || (select coalesce(jsonb_agg(value order by no), '[]') from jsonb_array_elements(p_terms) with ordinality as t (value, no)
    where value -> 'part' ->> 'kind' <> 'measure');
end
$$;
comment on function rules.order_measures(jsonb) is
'Expanded terms, measures first, each after the measures that it reads.
p_terms: [{"code", "part", "gate", …}]. Raises CP206.';

-- One pass for conditions: the loser's condition excludes the winner's.
create or replace function rules.exclude_winners(
  p_gate jsonb, p_level text, p_code text, p_terms jsonb, p_losses jsonb)
returns jsonb
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_loss jsonb;
  v_winner jsonb;
  v_gate jsonb := p_gate;
  v_condition jsonb;
begin
  for v_loss in select value from jsonb_array_elements(p_losses) where value ->> 'loser' = p_code loop
    if v_loss ->> 'method' not in ('PRIORITY', 'MOST_SPECIFIC', 'FAA_PREVAILS') then
      continue;
    end if;
    select value into v_winner
    from jsonb_array_elements(p_terms)
    where value ->> 'code' = v_loss ->> 'winner' and value -> 'part' ->> 'kind' in ('credit', 'pay')
    limit 1;
    if v_winner is null then
      continue;
    end if;
    v_condition := coalesce(nullif(v_winner -> 'gate', 'null'), 'true');
    if rules.level_rank(v_winner -> 'part' ->> 'level') > rules.level_rank(p_level) then
      v_condition := rules.qualify(v_condition, v_winner -> 'part' ->> 'level');
    elsif rules.level_rank(v_winner -> 'part' ->> 'level') < rules.level_rank(p_level) then
      v_condition := jsonb_build_object('>', jsonb_build_array(
        jsonb_build_object('var', rules.helper_name('applies', v_loss ->> 'winner')), 0));
    end if;
    v_condition := jsonb_build_object('!', jsonb_build_array(v_condition));
    v_gate := case when v_gate is null then v_condition else jsonb_build_object('and', jsonb_build_array(v_gate, v_condition)) end;
  end loop;
  return v_gate;
end
$$;
comment on function rules.exclude_winners(jsonb, text, text, jsonb, jsonb) is
'A term''s condition without the nodes where a term that wins over it applies.
p_gate: condition or null; p_level: the term''s level; p_code: its code; p_terms: all expanded terms; p_losses: conflicts.';

create or replace function rules.compile_terms(
  p_enterprise uuid, p_positions crew.crew_position[], p_span daterange, p_generation bigint)
returns setof rules.compiled_term
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_terms jsonb;
  v_losses jsonb;
  v_measures jsonb := '{}'::jsonb;
  v_term jsonb;
  v_part jsonb;
  v_compiled rules.compiled_term;
  v_where text;
  v_number smallint := 0;
  v_version_on text;
  v_parameter text;
  v_version text;
  v_span daterange := rules.staged_span(p_enterprise, p_positions, p_span);
  v_month_only boolean := v_span = p_span;
begin
  perform rules.check_dependencies(p_enterprise, p_generation);

  select coalesce(jsonb_agg(jsonb_build_object(
      'id', e.term_id, 'code', e.term_code, 'priority', e.priority, 'part_no', e.part_no, 'part', e.part, 'gate', e.gate,
      'from', e.effective_date, 'to', e.expiration_date)
    order by rules.level_rank(e.part ->> 'level') nulls first, array_position(array['settings', 'hourly_rate', 'measure', 'treatment', 'credit', 'pay'], e.part ->> 'kind'),
      e.priority, e.term_code, e.effective_date, e.part_no), '[]')
  into v_terms
  from rules.expanded_terms(p_enterprise, p_positions, v_span, p_generation) as e;

  select coalesce(jsonb_agg(to_jsonb(l)), '[]')
  into v_losses
  from rules.conflict_losses(p_enterprise, p_generation,
    array(select distinct value ->> 'code' from jsonb_array_elements(v_terms))) as l;

  perform rules.refuse_conflicts(v_terms, v_losses);

  -- The setting of the month's first day says what decides the version of a term.
  select t -> 'part' ->> 'version_on' into v_version_on
  from jsonb_array_elements(v_terms) as t
  where t -> 'part' ? 'version_on'
    and daterange((t ->> 'from')::date, (t ->> 'to')::date) @> (lower(p_span) + 31);

  -- A winner below its loser is read as the sum of a helper measure.
  select v_terms || coalesce(jsonb_agg(jsonb_build_object(
    'id', w -> 'id', 'code', w -> 'code', 'priority', 0, 'part_no', 2000, 'gate', w -> 'gate',
    'part', jsonb_build_object('kind', 'measure', 'level', w -> 'part' -> 'level', 'label', 'applies ' || (w ->> 'code'),
      'name', rules.helper_name('applies', w ->> 'code')))), '[]')
  into v_terms
  from (
    select distinct on (w ->> 'code') w
    from jsonb_array_elements(v_losses) as l
    join jsonb_array_elements(v_terms) as w on w ->> 'code' = l ->> 'winner' and w -> 'part' ->> 'kind' in ('credit', 'pay')
    join jsonb_array_elements(v_terms) as z on z ->> 'code' = l ->> 'loser' and z -> 'part' ->> 'kind' in ('credit', 'pay')
      and rules.level_rank(z -> 'part' ->> 'level') > rules.level_rank(w -> 'part' ->> 'level')
    where l ->> 'method' in ('PRIORITY', 'MOST_SPECIFIC', 'FAA_PREVAILS')
    order by w ->> 'code'
  ) as winners (w);

  for v_term in
    select value
    from jsonb_array_elements(rules.order_measures(v_terms)) with ordinality as t (value, no)
    order by no
  loop
    v_part := v_term -> 'part';
    v_where := v_term ->> 'code';
    perform rules.refuse_unsupported(v_where, v_part);
    perform rules.refuse_malformed(v_where, v_part);
    if (v_part ->> 'level' = 'month' and (v_month_only or v_part ? 'guarantee') or v_part ->> 'kind' = 'settings')
      and not daterange((v_term ->> 'from')::date, (v_term ->> 'to')::date) @> (lower(p_span) + 31) then
      -- A span is paid under the version in force on its first day, and settings are those of the span.
      continue;
    end if;

    v_number := v_number + 1;
    v_compiled := null;
    v_compiled.term_no := v_number;
    v_compiled.term_id := (v_term ->> 'id')::uuid;
    v_compiled.term_code := v_term ->> 'code';
    v_compiled.kind := v_part ->> 'kind';
    v_compiled.level := coalesce(v_part ->> 'level', 'crew');
    v_compiled.combine := coalesce(v_part ->> 'combine', 'greatest');
    v_compiled.joins := coalesce(v_part ->> 'joins', v_compiled.level);
    v_compiled.books := coalesce(v_part ->> 'books', 'start');
    v_compiled.label := coalesce(v_part ->> 'label', v_compiled.kind);
    v_compiled.name := v_part ->> 'name';
    v_compiled.priority := (v_term ->> 'priority')::integer;
    v_compiled.expanded := v_part || jsonb_strip_nulls(jsonb_build_object('when', v_term -> 'gate'));
    if v_compiled.kind = 'hourly_rate' then
      v_compiled.expanded := v_compiled.expanded || jsonb_build_object('effective', v_term -> 'from', 'expires', v_term -> 'to');
    end if;
    v_compiled.is_guarantee := coalesce((v_part ->> 'guarantee')::boolean, false);
    v_compiled.toward_guarantee := coalesce((v_part ->> 'toward_guarantee')::boolean, v_compiled.kind = 'credit');
    v_compiled.toward_threshold := coalesce((v_part ->> 'toward_threshold')::boolean, v_compiled.kind = 'credit');
    v_compiled.component := coalesce(v_part ->> 'component',
      case v_compiled.kind when 'credit' then 'flight_pay' when 'advance' then 'flight_pay' when 'pay' then 'premium' end);
    v_compiled.depth := 0;

    if v_compiled.kind in ('measure', 'credit', 'pay', 'advance', 'treatment') then
      if v_losses @> jsonb_build_array(jsonb_build_object('loser', v_compiled.term_code, 'method', 'ADDITIVE')) then
        v_compiled.combine := 'add';
        v_compiled.expanded := v_compiled.expanded || '{"combine": "add"}'::jsonb;
      elsif v_compiled.kind = 'credit' and (v_losses @> jsonb_build_array(jsonb_build_object('loser', v_compiled.term_code, 'method', 'GREATEST'))
        or v_losses @> jsonb_build_array(jsonb_build_object('winner', v_compiled.term_code, 'method', 'GREATEST'))) then
        v_compiled.combine := 'greatest';
        v_compiled.joins := v_compiled.level;
        v_compiled.expanded := v_compiled.expanded || '{"combine": "greatest"}'::jsonb;
      end if;
      if v_compiled.kind = 'pay' and (v_losses @> jsonb_build_array(jsonb_build_object('loser', v_compiled.term_code, 'method', 'GREATEST'))) then
        perform rules.refuse('CP205', v_where, 'GREATEST between pay terms is not offered', 'Resolve by PRIORITY, or let both pay (ADDITIVE).');
      end if;

      v_compiled.gate := null;
      v_term := jsonb_set(v_term, '{gate}', coalesce(
        case when v_compiled.kind in ('measure', 'advance', 'treatment') then v_term -> 'gate'
          else rules.exclude_winners(nullif(v_term -> 'gate', 'null'), v_compiled.level, v_compiled.term_code, v_terms, v_losses) end, 'null'));
      if nullif(v_term -> 'gate', 'null') is not null then
        v_compiled.gate := rules.compile_expression(v_term -> 'gate', v_compiled.level, v_measures, v_where || ' $.when');
        if (v_compiled.gate).value_type <> 'bool' then
          perform rules.refuse('CP204', v_where || ' $.when', 'a condition must be true or false', 'Use a comparison or a boolean fact.');
        end if;
      end if;
      -- A version that begins or ends inside the span pays only the trips, and the spans, that start while it is in force.
      if not (v_compiled.level = 'month' and (v_month_only or v_compiled.is_guarantee)) and v_term ->> 'from' is not null
        and not daterange((v_term ->> 'from')::date, (v_term ->> 'to')::date) @> v_span then
        v_version := case
          when v_compiled.level = any (rules.span_levels()) then v_compiled.level || '.first_day'
          when v_compiled.level in ('leg', 'duty') and v_version_on = 'duty_start' then 'duty.version_day'
          else 'trip.version_day' end;
        v_compiled.gate := (
          format('(%1$s %2$s >= %3$s and %2$s < %4$s)',
            case when (v_compiled.gate).sql is null then '' else format('(%s) and', (v_compiled.gate).sql) end,
            replace(v_version, '.', '_'),
            (v_term ->> 'from')::date - date '1970-01-01',
            coalesce(((v_term ->> 'to')::date - date '1970-01-01')::text, '2147483647')),
          'bool', 'none', false, coalesce((v_compiled.gate).needs, '{}') || v_version)::rules.sql_expression;
      end if;

      if v_compiled.kind = 'treatment' then
        return next v_compiled;
        continue;
      elsif v_compiled.is_guarantee then
        v_compiled.quantity := rules.compile_guarantee(v_part, v_measures, v_where);
      else
        v_compiled.quantity := rules.compile_quantity(v_part, v_compiled.level, v_measures, v_where, v_span);
      end if;

      if v_compiled.expanded ->> 'books' = 'split' and (not rules.is_time_based(v_compiled) or v_part ?| array['amount', 'per_unit']) then
        perform rules.refuse('CP205', v_where || ' $.books', 'only time of a duty or trip is split, by its minutes', 'start or end.');
      end if;
      if v_compiled.kind = 'pay' then
        foreach v_parameter in array array['multiplier', 'per_hour', 'per_unit', 'amount'] loop
          if v_part ? v_parameter then
            if v_compiled.price_kind is not null then
              perform rules.refuse('CP202', v_where || ' $.' || v_parameter, format('both %s and %s', v_compiled.price_kind, v_parameter), 'Give one price.');
            end if;
            v_compiled.price_kind := v_parameter;
            v_compiled.price := rules.compile_expression(v_part -> v_parameter, v_compiled.level, v_measures, v_where || ' $.' || v_parameter);
            perform rules.require_number(v_compiled.price, v_where || ' $.' || v_parameter, false);
          end if;
        end loop;
        v_compiled.price_kind := coalesce(v_compiled.price_kind, 'rate');
        if v_compiled.price_kind = 'multiplier' and v_part ? 'factor' then
          perform rules.refuse('CP202', v_where || ' $.factor', 'factor and multiplier together', 'factor scales the quantity of a term paid from zero; multiplier pays m − 1.');
        end if;
      end if;

      -- Facts that can be missing, so that a finding names them.
      select v_compiled.expanded || coalesce(jsonb_build_object('can_lack', jsonb_agg(distinct f.name order by f.name)), '{}'::jsonb)
      into v_compiled.expanded
      from unnest((v_compiled.quantity).needs || coalesce((v_compiled.price).needs, '{}')) as need
      join rules.known_facts as f on f.level = split_part(need, '.', 1) and f.name = split_part(need, '.', 2) and f.nullable
      having count(*) > 0
      union all
      select v_compiled.expanded
      limit 1;

      if v_compiled.kind <> 'advance' and 'month.projected_credit' = any ((v_compiled.quantity).needs || coalesce((v_compiled.gate).needs, '{}')) then
        perform rules.refuse('CP205', v_where, 'the projected credit of a month is read by advances only', 'Before the month is over it isn''t known what it will come to.');
      end if;
      if v_compiled.kind <> 'pay' and exists (
        select from unnest((v_compiled.quantity).needs || coalesce((v_compiled.gate).needs, '{}')) as need
        where split_part(need, '.', 2) = 'credit'
          or split_part(need, '.', 2) = 'base' and (v_compiled.kind = 'measure' or split_part(need, '.', 1) <> v_compiled.level)) then
        perform rules.refuse('CP203', v_where, 'credit, and base of a level above, are read by pay terms only, and a measure reads neither base nor credit',
          'Facts and measures go up first, credit second, pay last.');
      end if;
      if v_compiled.kind = 'measure' then
        -- Versions of one term are one measure: each counts the trips of its time.
        if v_measures ? v_compiled.name and (v_measures -> v_compiled.name ->> 'code', v_measures -> v_compiled.name ->> 'level')
            is distinct from (v_compiled.term_code, v_compiled.level) then
          perform rules.refuse('CP202', v_where || ' $.name', format('measure %s is defined twice', v_compiled.name), 'Give each measure its own name.');
        end if;
        select 1 + coalesce(max((v_measures -> split_part(need, '.', 2) ->> 'depth')::integer), 0)
        into v_compiled.depth
        from unnest((v_compiled.quantity).needs || coalesce((v_compiled.gate).needs, '{}')) as need
        where v_measures ? split_part(need, '.', 2)
          and v_measures -> split_part(need, '.', 2) ->> 'level' = v_compiled.level;
        if v_part ? 'rolling' then
          v_compiled := rules.roll(v_compiled, v_where);
        end if;
        v_measures := v_measures || jsonb_build_object(v_compiled.name, jsonb_build_object(
          'rolling', v_part ? 'rolling',
          'level', v_compiled.level, 'code', v_compiled.term_code, 'type', (v_compiled.quantity).value_type, 'unit', (v_compiled.quantity).unit, 'depth', v_compiled.depth));
      end if;
    end if;
    return next v_compiled;
  end loop;
end
$$;
comment on function rules.compile_terms(uuid, crew.crew_position[], daterange, bigint) is
'The terms in force for some positions, compiled: conditions, quantities and prices as typed SQL.
p_enterprise: tenant; p_positions: positions paid alike; p_span: staged days, 31 before the contract month; p_generation: rule graph.
Raises CP201 to CP206.';

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
  case p_part ->> 'proration'
    when 'none' then
      return v_hours;
    when 'calendar_days' then
      return (format('((%s)::numeric * (month_days - month_unpaid_days) / month_days)', v_hours.sql), 'numeric', 'min', v_hours.nullable,
        v_hours.needs || array['month.days', 'month.unpaid_days'])::rules.sql_expression;
    when 'day_value' then
      if not p_part ? 'day_value' then
        perform rules.refuse('CP202', p_where || ' $.day_value', 'proration by day_value needs day_value', 'Add day_value, in hours or "h:mm".');
      end if;
      v_day_value := rules.compile_duration(p_part -> 'day_value', 'month', p_measures, p_where || ' $.day_value');
      -- greatest() ignores null: a value of a day that isn't known must stay unknown, and matters only where a day is unpaid.
      return (format('(case when month_unpaid_days = 0 then (%1$s) when (%1$s) - month_unpaid_days * (%2$s) < 0 then 0 else (%1$s) - month_unpaid_days * (%2$s) end)',
          v_hours.sql, v_day_value.sql), 'numeric', 'min',
        v_hours.nullable or v_day_value.nullable, v_hours.needs || v_day_value.needs || array['month.unpaid_days'])::rules.sql_expression;
    else
      perform rules.refuse('CP202', p_where || ' $.proration', format('unknown proration %s', p_part ->> 'proration'), 'calendar_days, day_value or none.');
  end case;
  return null;
end
$$;
comment on function rules.compile_guarantee(jsonb, jsonb, text) is
'Guaranteed minutes of a month, prorated (PSA: value per day; calendar days for a new hire).
p_part: expanded monthly_guarantee; p_measures, p_where: as rules.compile_expression. Raises CP202.';
