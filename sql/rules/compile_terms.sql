-- The compiled terms of a group of positions: numbered, typed, with conflicts resolved into conditions.

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
        select regexp_replace(name #>> '{}', '^.*\.', '') from jsonb_path_query(m.value, '$.**.missing[*]') as name
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
  v_compiled rules.compiled_term;
  v_rounding rules.compiled_term;
  v_number integer := 0;
  v_version_on text;
  v_span daterange := rules.staged_span(p_enterprise, p_positions, p_span);
  v_month_only boolean := v_span = p_span;
  v_in_force daterange;
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
  perform rules.refuse_groups(v_terms);
  perform rules.refuse_settings(v_terms);

  -- The setting of the month's first day says what decides the version of a term.
  select t -> 'part' ->> 'version_on' into v_version_on
  from jsonb_array_elements(v_terms) as t
  where t -> 'part' ? 'version_on'
    and daterange((t ->> 'from')::date, (t ->> 'to')::date) @> (lower(p_span) + 31);

  v_terms := v_terms || rules.winners_below(v_terms, v_losses);
  for v_term in
    select value
    from jsonb_array_elements(rules.order_measures(v_terms)) with ordinality as t (value, no)
    order by no
  loop
    perform rules.refuse_unsupported(v_term ->> 'code', v_term -> 'part');
    perform rules.refuse_malformed(v_term ->> 'code', v_term -> 'part');
    v_in_force := daterange((v_term ->> 'from')::date, (v_term ->> 'to')::date);
    if (v_term -> 'part' ->> 'level' = 'month' and (v_month_only or v_term -> 'part' ? 'guarantee') or v_term -> 'part' ->> 'kind' = 'settings')
      and not v_in_force @> (lower(p_span) + 31) then
      -- A span is paid under the version in force on its first day, and settings are those of the span.
      continue;
    end if;

    v_number := v_number + 1;
    v_compiled := rules.begin_term(v_term, v_number);
    if v_compiled.kind in ('settings', 'hourly_rate') then
      return next v_compiled;
      if v_compiled.kind = 'settings' then
        for v_rounding in select * from rules.node_roundings(v_compiled, v_number + 1) loop
          v_number := v_rounding.term_no;
          return next v_rounding;
        end loop;
      end if;
      continue;
    end if;

    if v_compiled.kind in ('credit', 'pay') then
      v_compiled := rules.apply_conflicts(v_compiled, v_losses);
    end if;
    v_compiled.gate := rules.compile_gate(v_compiled,
      case when v_compiled.kind in ('measure', 'advance', 'treatment') then v_term -> 'gate'
        else rules.exclude_winners(nullif(v_term -> 'gate', 'null'), v_compiled.level, v_compiled.term_code, v_terms, v_losses) end,
      v_measures,
      case
        when v_term ->> 'from' is null or v_in_force @> v_span or v_compiled.level = 'month' and (v_month_only or v_compiled.is_guarantee) then null
        when v_compiled.level = any (rules.span_levels()) then v_compiled.level || '.first_day'
        when v_compiled.level in ('leg', 'duty') and v_version_on = 'duty_start' then 'duty.version_day'
        else 'trip.version_day' end,
      (v_term ->> 'from')::date, (v_term ->> 'to')::date);
    if v_compiled.kind = 'treatment' then
      perform rules.refuse_reads(v_compiled);
      return next v_compiled;
      continue;
    end if;

    v_compiled.quantity := case
      when v_compiled.is_guarantee then rules.compile_guarantee(v_term -> 'part', v_measures, v_compiled.term_code)
      else rules.compile_quantity(v_term -> 'part', v_compiled.level, v_measures, v_compiled.term_code, v_span) end;
    if v_compiled.kind = 'pay' then
      v_compiled := rules.compile_price(v_compiled, v_measures);
    end if;
    v_compiled.expanded := v_compiled.expanded || rules.facts_that_lack(v_compiled);
    perform rules.refuse_reads(v_compiled);
    if v_compiled.kind = 'measure' then
      v_compiled := rules.layer_measure(v_compiled, v_measures);
      v_measures := v_measures || jsonb_build_object(v_compiled.name, jsonb_build_object(
        'rolling', v_compiled.expanded ? 'rolling', 'level', v_compiled.level, 'code', v_compiled.term_code,
        'type', (v_compiled.quantity).value_type, 'unit', (v_compiled.quantity).unit, 'depth', v_compiled.depth));
    end if;
    return next v_compiled;
  end loop;
end
$$;
comment on function rules.compile_terms(uuid, crew.crew_position[], daterange, bigint) is
'The terms in force for some positions, compiled: conditions, quantities and prices as typed SQL.
p_enterprise: tenant; p_positions: positions paid alike; p_span: staged days, 31 before the contract month; p_generation: rule graph.
Raises CP201 to CP206.';
