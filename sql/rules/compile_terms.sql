-- The compiled terms of a group of positions: numbered, typed, with conflicts resolved into conditions.

-- Conflicts of the rule graph as changes of conditions. PRIORITY, MOST_SPECIFIC and FAA_PREVAILS drop the loser where the
-- winner's own condition holds (whether or not the winner is itself dropped); ADDITIVE turns the lesser into an add.
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
    select t.priority, rules.specificity(t.calculation_formula -> 'when') as specificity
    from rules.union_contract_terms as t
    where t.enterprise_id = p_enterprise and t.term_code = e.from_code and t.superseded_at is null
    order by t.effective_date desc
    limit 1
  ) as a on true
  join lateral (
    select t.priority, rules.specificity(t.calculation_formula -> 'when') as specificity
    from rules.union_contract_terms as t
    where t.enterprise_id = p_enterprise and t.term_code = e.to_code and t.superseded_at is null
    order by t.effective_date desc
    limit 1
  ) as b on true
  cross join lateral (
    select case e.properties ->> 'resolutionMethod'
      when 'MOST_SPECIFIC' then (-a.specificity, a.priority, e.from_code) < (-b.specificity, b.priority, e.to_code)
      else (a.priority, e.from_code) < (b.priority, e.to_code)
    end as first_wins
  ) as ranked
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
  if p_part ->> 'kind' in ('treatment', 'advance') then
    perform rules.refuse('CP205', p_where, format('kind %s is not offered yet', p_part ->> 'kind'), 'See docs/contracts.md for what is offered.');
  elsif p_part ->> 'kind' not in ('settings', 'hourly_rate')
    and coalesce(p_part ->> 'level', '') not in ('leg', 'duty', 'day', 'trip', 'month') then
    perform rules.refuse('CP205', p_where || ' $.level', format('level %s is not offered', coalesce(p_part ->> 'level', '(none)')), 'leg, duty, day, trip or month.');
  elsif p_part ->> 'level' = 'day' and p_part ->> 'kind' <> 'credit' then
    perform rules.refuse('CP205', p_where || ' $.level', format('%s at level day', p_part ->> 'kind'), 'At day level only credit is offered.');
  elsif p_part ->> 'books' = 'split' then
    perform rules.refuse('CP205', p_where || ' $.books', 'books split is not offered', 'start or end.');
  elsif p_part ->> 'kind' = 'hourly_rate' and exists (
    select from jsonb_array_elements(p_part -> 'steps') as step where step ? 'aircraft_type') then
    perform rules.refuse('CP205', p_where || ' $.steps', 'rates by aircraft type are not offered', 'Leave aircraft_type out of the steps.');
  end if;
end
$$;
comment on function rules.refuse_unsupported(text, jsonb) is
'Refuses by name what the catalogue defines and the engine doesn''t offer.
Raises CP205.';

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
    v_condition := coalesce(v_winner -> 'gate', 'true'::jsonb);
    if rules.level_rank(v_winner -> 'part' ->> 'level') > rules.level_rank(p_level) then
      v_condition := rules.qualify(v_condition, v_winner -> 'part' ->> 'level');
    elsif rules.level_rank(v_winner -> 'part' ->> 'level') < rules.level_rank(p_level) then
      v_condition := jsonb_build_object('>', jsonb_build_array(
        jsonb_build_object('var', 'applies_' || lower(regexp_replace(v_loss ->> 'winner', '\W', '_', 'g'))), 0));
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
  v_parameter text;
begin
  perform rules.check_dependencies(p_enterprise, p_generation);

  select coalesce(jsonb_agg(jsonb_build_object(
      'id', e.term_id, 'code', e.term_code, 'priority', e.priority, 'part_no', e.part_no, 'part', e.part, 'gate', e.gate,
      'from', e.effective_date, 'to', e.expiration_date)
    order by rules.level_rank(e.part ->> 'level') nulls first, array_position(array['settings', 'hourly_rate', 'measure', 'credit', 'pay'], e.part ->> 'kind'),
      e.priority, e.term_code, e.effective_date, e.part_no), '[]')
  into v_terms
  from rules.expanded_terms(p_enterprise, p_positions, p_span, p_generation) as e;

  select coalesce(jsonb_agg(to_jsonb(l)), '[]')
  into v_losses
  from rules.conflict_losses(p_enterprise, p_generation,
    array(select distinct value ->> 'code' from jsonb_array_elements(v_terms))) as l;

  -- A winner below its loser is read as the sum of a helper measure.
  select v_terms || coalesce(jsonb_agg(jsonb_build_object(
    'id', w -> 'id', 'code', w -> 'code', 'priority', 0, 'part_no', 2000, 'gate', w -> 'gate',
    'part', jsonb_build_object('kind', 'measure', 'level', w -> 'part' -> 'level', 'label', 'applies ' || (w ->> 'code'),
      'name', 'applies_' || lower(regexp_replace(w ->> 'code', '\W', '_', 'g'))))), '[]')
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
    from jsonb_array_elements(v_terms) with ordinality as t (value, no)
    order by (value -> 'part' ->> 'kind' = 'measure') desc, no
  loop
    v_part := v_term -> 'part';
    v_where := v_term ->> 'code';
    perform rules.refuse_unsupported(v_where, v_part);
    if (v_part ->> 'level' = 'month' or v_part ->> 'kind' = 'settings')
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
      case v_compiled.kind when 'credit' then 'flight_pay' when 'pay' then 'premium' end);
    v_compiled.depth := 0;

    if v_compiled.kind in ('measure', 'credit', 'pay') then
      if v_losses @> jsonb_build_array(jsonb_build_object('loser', v_compiled.term_code, 'method', 'ADDITIVE')) then
        v_compiled.combine := 'add';
      end if;
      if v_compiled.kind = 'pay' and (v_losses @> jsonb_build_array(jsonb_build_object('loser', v_compiled.term_code, 'method', 'GREATEST'))) then
        perform rules.refuse('CP205', v_where, 'GREATEST between pay terms is not offered', 'Resolve by PRIORITY, or let both pay (ADDITIVE).');
      end if;

      v_compiled.gate := null;
      v_term := jsonb_set(v_term, '{gate}', coalesce(
        case when v_compiled.kind = 'measure' then v_term -> 'gate'
          else rules.exclude_winners(nullif(v_term -> 'gate', 'null'), v_compiled.level, v_compiled.term_code, v_terms, v_losses) end, 'null'));
      if nullif(v_term -> 'gate', 'null') is not null then
        v_compiled.gate := rules.compile_expression(v_term -> 'gate', v_compiled.level, v_measures, v_where || ' $.when');
        if (v_compiled.gate).value_type <> 'bool' then
          perform rules.refuse('CP204', v_where || ' $.when', 'a condition must be true or false', 'Use a comparison or a boolean fact.');
        end if;
      end if;
      -- A version that begins or ends inside the span pays only the trips that start while it is in force.
      if v_compiled.level <> 'month' and v_term ->> 'from' is not null
        and not daterange((v_term ->> 'from')::date, (v_term ->> 'to')::date) @> p_span then
        v_compiled.gate := (
          format('(%s trip_version_day >= %s and trip_version_day < %s)',
            case when (v_compiled.gate).sql is null then '' else format('(%s) and', (v_compiled.gate).sql) end,
            (v_term ->> 'from')::date - date '1970-01-01',
            coalesce(((v_term ->> 'to')::date - date '1970-01-01')::text, '2147483647')),
          'bool', 'none', false, coalesce((v_compiled.gate).needs, '{}') || array['trip.version_day'])::rules.sql_expression;
      end if;

      if v_compiled.is_guarantee then
        v_compiled.quantity := rules.compile_guarantee(v_part, v_measures, v_where);
      else
        v_compiled.quantity := rules.compile_quantity(v_part, v_compiled.level, v_measures, v_where, p_span);
      end if;

      if v_compiled.kind = 'pay' then
        foreach v_parameter in array array['multiplier', 'per_hour', 'per_unit', 'amount'] loop
          if v_part ? v_parameter then
            if v_compiled.price_kind is not null then
              perform rules.refuse('CP202', v_where || ' $.' || v_parameter, format('both %s and %s', v_compiled.price_kind, v_parameter), 'Give one price.');
            end if;
            v_compiled.price_kind := v_parameter;
            v_compiled.price := rules.compile_expression(v_part -> v_parameter, v_compiled.level, v_measures, v_where || ' $.' || v_parameter);
          end if;
        end loop;
        v_compiled.price_kind := coalesce(v_compiled.price_kind, 'rate');
        if v_compiled.price_kind = 'multiplier' and v_part ? 'factor' then
          perform rules.refuse('CP202', v_where || ' $.factor', 'factor and multiplier together', 'factor scales the quantity of a term paid from zero; multiplier pays m − 1.');
        end if;
      end if;

      if v_compiled.kind = 'measure' then
        if v_measures ? v_compiled.name then
          perform rules.refuse('CP202', v_where || ' $.name', format('measure %s is defined twice', v_compiled.name), 'Give each measure its own name.');
        end if;
        select 1 + coalesce(max((v_measures -> split_part(need, '.', 2) ->> 'depth')::integer), 0)
        into v_compiled.depth
        from unnest((v_compiled.quantity).needs || coalesce((v_compiled.gate).needs, '{}')) as need
        where v_measures ? split_part(need, '.', 2)
          and v_measures -> split_part(need, '.', 2) ->> 'level' = v_compiled.level;
        v_measures := v_measures || jsonb_build_object(v_compiled.name, jsonb_build_object(
          'level', v_compiled.level, 'type', (v_compiled.quantity).value_type, 'unit', (v_compiled.quantity).unit, 'depth', v_compiled.depth));
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
  v_hours rules.sql_expression := rules.compile_duration(p_part -> 'hours', 'month', p_measures, p_where || ' $.hours');
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
      return (format('greatest(0, (%s) - month_unpaid_days * (%s))', v_hours.sql, v_day_value.sql), 'numeric', 'min',
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
