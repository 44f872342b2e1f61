-- Which columns a stage must deliver, and how each is made. A column is named level_name at whatever stage it is read.
--
-- A value of a level is made once, where the level is grouped; a formula below that reads it gets it at the leg, over the window
-- of the leg's duty, day or trip, and carried up from there. So what nobody reads from below costs nothing.

-- The level at which a name that is read at a level is made: a fact or measure of that level, or what is summed up to it.
create or replace function rules.home_level(p_level text, p_name text, p_measures jsonb)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_of_measure text := p_measures -> p_name ->> 'level';
begin
  if exists (select from rules.known_facts as f where f.level = p_level and f.name = p_name) then
    return p_level;
  elsif rules.level_rank(v_of_measure) <= rules.level_rank(p_level) then
    return v_of_measure;
  end if;
  return (
    select f.level
    from rules.known_facts as f
    where f.name = p_name and f.sums_upward and rules.level_rank(f.level) < rules.level_rank(p_level) and p_level <> 'crew'
    order by rules.level_rank(f.level) desc
    limit 1);
end
$$;
comment on function rules.home_level(text, text, jsonb) is
'Level at which a name is made that is read at a level: its own, or a lower one that is summed up to it; null for an unknown name.
p_level: where it is read; p_name: fact or measure; p_measures: {"name": {"level", …}}.';

create or replace function rules.is_computed(p_need text)
returns boolean
language sql
immutable
parallel safe
return p_need ~ '^(leg|duty|day|trip)\.(base|credit)$|^crew\.rate$|^to_date\.';
comment on function rules.is_computed(text) is
'Whether a need (level.name) is known only once credit is made: what a node, or to_date a span, has come to, or the rate that pays it.';

-- What a span has come to is needed as to_date.month_block: month.block, at the end of the period.
create or replace function rules.of_span(p_need text, out level text, out name text)
language sql
immutable
parallel safe
return (regexp_replace(p_need, '^to_date\.([a-z]+)_.*$', '\1'), regexp_replace(p_need, '^to_date\.[a-z]+_', ''));
comment on function rules.of_span(text) is 'Span and name that a need of the form to_date.<span>_<name> is about.
p_need: such a need.';

-- What a measure is at a node, over the columns it reads. Versions of one measure add up: each counts the trips of its time.
create or replace function rules.measure_sql(p_terms rules.compiled_term[], p_name text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select string_agg(format('coalesce(%s, 0)',
      case when (t.gate).sql is null then format('(%s)', (t.quantity).sql)
        else format('case when (%s) then (%s) end', (t.gate).sql, (t.quantity).sql) end), ' + ' order by t.term_no)
  from unnest(p_terms) as t
  where t.kind = 'measure' and t.name = p_name
$$;
comment on function rules.measure_sql(rules.compiled_term[], text) is 'SQL of a measure of the contract; null where it has none of that name.';

-- Facts and measures that a measure reads.
create or replace function rules.measure_needs(p_terms rules.compiled_term[], p_name text)
returns text[]
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select coalesce(array_agg(distinct need), '{}')
    from unnest(p_terms) as t
    cross join lateral unnest(coalesce((t.quantity).needs, '{}') || coalesce((t.gate).needs, '{}')) as need
    where t.kind = 'measure' and t.name = p_name);
end
$$;
comment on function rules.measure_needs(rules.compiled_term[], text) is 'What a measure reads, as level.name.';

-- Measures of a level, a fenced layer for each depth.
create or replace function rules.measure_layers(p_terms rules.compiled_term[], p_level text, p_inner text)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_sql text := p_inner;
  v_layer record;
begin
  for v_layer in
    select m.depth, string_agg(format(', %s as %s_%s', rules.measure_sql(p_terms, m.name), p_level, m.name), '' order by m.name) as columns
    from (
      select max(t.depth) as depth, t.name
      from unnest(p_terms) as t
      where t.level = p_level and t.kind = 'measure'
      group by t.name
    ) as m
    group by m.depth
    order by m.depth
  loop
    v_sql := format(E'select l.*%s\nfrom (%s) as l\noffset 0', v_layer.columns, v_sql);
  end loop;
  return v_sql;
end
$$;
comment on function rules.measure_layers(rules.compiled_term[], text, text) is
'Wraps a SELECT with the measures of a level.
p_inner: SELECT that has the columns they read.';

-- Measures that no credit, pay or other measure in use reads are not computed.
create or replace function rules.terms_in_use(p_terms rules.compiled_term[])
returns rules.compiled_term[]
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_used text[] := array[]::text[];
  v_more text[];
begin
  loop
    select array_agg(distinct case when need like 'to\_date.%' then (rules.of_span(need)).name else split_part(need, '.', 2) end) into v_more
    from unnest(p_terms) as t
    cross join lateral unnest(coalesce((t.quantity).needs, '{}') || coalesce((t.gate).needs, '{}') || coalesce((t.price).needs, '{}')) as need
    where t.kind <> 'measure' or t.name = any (v_used);
    exit when coalesce(v_more, '{}') <@ v_used;
    v_used := v_more;
  end loop;
  return array(select t from unnest(p_terms) as t where t.kind <> 'measure' or t.name = any (v_used) order by t.term_no);
end
$$;
comment on function rules.terms_in_use(rules.compiled_term[]) is 'The terms without measures that nothing reads.';

-- What the stage below must deliver for what this stage reads.
create or replace function rules.needs_below(p_stage text, p_needs text[], p_measures jsonb)
returns text[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    with wanted as (
      select distinct need, split_part(need, '.', 1) as level, split_part(need, '.', 2) as name
      from unnest(p_needs) as need
      where not rules.is_computed(need)
    ),
    below as (
      select case when p_stage = 'duty' then 'leg' else 'duty' end as stage
    )
    select coalesce(array_agg(distinct lower_need), '{}')
    from wanted as w
    cross join below as b
    left join rules.known_facts as f on f.level = w.level and f.name = w.name
    cross join lateral (select rules.home_level(w.level, w.name, p_measures)) as h (home)
    cross join lateral (
      -- An own fact that is built from facts below.
      select b.stage || '.' || referenced[1]
      from regexp_matches(f.expression, '\{(\w+)\}', 'g') as referenced
      where w.level = p_stage
      union all
      -- A sum of what was made below; an own measure is computed here and needs nothing of its own name.
      select b.stage || '.' || w.name
      where w.level = p_stage
        and h.home <> p_stage
        and h.home <> 'day'
      union all
      -- Given with the trip, or read from above: carried up from the leg.
      select w.need
      where w.level <> p_stage and not (p_stage = 'day' and w.level = 'crew')
        or w.level = p_stage and w.level in ('duty', 'trip') and f.expression !~ '\{'
    ) as lower (lower_need));
end
$$;
comment on function rules.needs_below(text, text[], jsonb) is
'Needs (level.name) of the stage below for the needs of a stage.
p_stage: duty, day or trip (below a duty are legs, below a day or trip duties); p_needs: what it reads; p_measures: {"name": {"level", …}}.';

-- SQL of one needed column where a stage groups the stage below.
create or replace function rules.grouped_column(p_stage text, p_need text)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_level text := split_part(p_need, '.', 1);
  v_name text := split_part(p_need, '.', 2);
  v_below text := case p_stage when 'duty' then 'leg' else 'duty' end;
  v_fact rules.known_facts;
  v_column text := v_level || '_' || v_name;
begin
  select * into v_fact from rules.known_facts where level = v_level and name = v_name;
  if v_level = p_stage and v_fact.name is not null and v_fact.expression ~ '\{' then
    return format('%s as %s', replace(regexp_replace(v_fact.expression, '\{(\w+)\}', v_below || '_\1', 'g'), '%w', ''), v_column);
  elsif v_level = p_stage and v_fact.name is null then
    return format('sum(%s_%s) as %s', v_below, v_name, v_column);
  elsif v_fact.value_type = 'bool' then
    return format('bool_or(%1$s) as %1$s', v_column);
  end if;
  return format('max(%1$s) as %1$s', v_column);
end
$$;
comment on function rules.grouped_column(text, text) is
'SELECT item for a needed column of the duty or trip stage: an own fact, a sum from below, or a carried column.
p_stage: duty or trip; p_need: level.name.';

-- Day on the base clock of an instant in minutes.
create or replace function rules.base_day_sql(p_instant text)
returns text
language sql
immutable
parallel safe
return format('((%1$s + case when %1$s >= base_change then base_offset_after else base_offset end) / 1440)', p_instant);
comment on function rules.base_day_sql(text) is 'SQL for the day (since 1970, base clock) of an instant in minutes.';

-- The legs of one duty, day or trip, as a window over the leg stage.
create or replace function rules.window_sql(p_level text)
returns text
language sql
immutable
parallel safe
return format(' over (partition by no, %s)', case p_level when 'duty' then 'report' when 'day' then rules.base_day_sql('report') else 'trip_no' end);
comment on function rules.window_sql(text) is 'SQL of the window of a leg''s duty, day or trip.';

-- A fact of the day as its own stage writes it (d.day, d.duties, d.trip_no), read from a leg of the day.
create or replace function rules.day_fact_at_leg(p_expression text)
returns text
language sql
immutable
parallel safe
return regexp_replace(regexp_replace(regexp_replace(replace(p_expression, 'd.month_', 'month_'),
  '\md\.day\M', rules.base_day_sql('report'), 'g'), '\md\.duties\M', format('sum(leg_duties)%s', rules.window_sql('day')), 'g'), '\md\.trip_no\M', 'trip_no', 'g');
comment on function rules.day_fact_at_leg(text) is 'SQL of a day fact at a leg.
p_expression: of rules.facts.';

-- How the leg stage makes one column: its SQL over columns already there, and which those are.
create or replace function rules.leg_column(
  p_terms rules.compiled_term[], p_measures jsonb, p_need text, out sql text, out needs text[], out direct boolean)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_level text := split_part(p_need, '.', 1);
  v_name text := split_part(p_need, '.', 2);
  v_home text := rules.home_level(v_level, v_name, p_measures);
  v_fact rules.known_facts;
begin
  needs := '{}';
  direct := false;
  select * into v_fact from rules.known_facts as f where f.level = v_level and f.name = v_name;
  if v_fact.name is not null and v_level = 'day' then
    sql := rules.day_fact_at_leg(v_fact.expression);
    needs := array(
      select 'leg.duties' where v_fact.expression ~ '\md\.duties\M'
      union all
      select 'month.' || referenced[1] from regexp_matches(v_fact.expression, '\mmonth_(\w+)', 'g') as referenced);
  elsif v_fact.name is not null and v_fact.expression ~ '\{' then
    sql := replace(regexp_replace(v_fact.expression, '\{(\w+)\}', 'leg_\1', 'g'), '%w', rules.window_sql(v_level));
    needs := array(select 'leg.' || referenced[1] from regexp_matches(v_fact.expression, '\{(\w+)\}', 'g') as referenced);
  elsif v_fact.name is not null then
    sql := v_fact.expression;
    direct := true;
    return;
  elsif p_measures ? v_name and v_home = v_level then
    sql := rules.measure_sql(p_terms, v_name);
    needs := rules.measure_needs(p_terms, v_name);
  elsif v_home = 'leg' then
    sql := format('sum(leg_%s)%s', v_name, rules.window_sql(v_level));
    needs := array['leg.' || v_name];
  else
    -- Made once a duty: counted on the duty's first leg.
    sql := format('sum(case when leg_duties = 1 then %s_%s end)%s', v_home, v_name, rules.window_sql(v_level));
    needs := array[v_home || '.' || v_name, 'leg.duties'];
  end if;
  if v_level = 'trip' then
    -- Legs without a trip aren't a trip together.
    sql := format('(case when trip_no is not null then %s end)', sql);
  end if;
end
$$;
comment on function rules.leg_column(rules.compiled_term[], jsonb, text) is
'How the leg stage makes the column of a need.
p_terms: compiled terms; p_measures: {"name": {"level", …}}; p_need: level.name.
Returns SQL, the columns it reads as level.name, and whether it is direct: over the leg source (alias s) and nothing else.';

-- All columns that the leg stage needs, each after those it reads.
create or replace function rules.leg_layers(p_terms rules.compiled_term[], p_needs text[], p_measures jsonb)
returns table (need text, column_name text, sql text, depth integer)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_known jsonb := '{}'::jsonb;
  v_open text[] := array(
    select distinct n from unnest(p_needs) as n where not rules.is_computed(n));
  v_need text;
  v_column record;
begin
  while cardinality(v_open) > 0 loop
    v_need := v_open[1];
    v_open := v_open[2:];
    continue when v_known ? v_need;
    select * into v_column from rules.leg_column(p_terms, p_measures, v_need);
    v_known := v_known || jsonb_build_object(v_need, jsonb_build_object('sql', v_column.sql, 'needs', v_column.needs, 'direct', v_column.direct));
    v_open := v_open || v_column.needs;
  end loop;
  return query
  with recursive layers as (
    -- What is made of the leg source's columns needs them made.
    select k.key as need, case when (k.value ->> 'direct')::boolean then 0 else 1 end as depth
    from jsonb_each(v_known) as k
    union
    -- No circle: rules.order_measures() refuses them.
    select k.key, l.depth + 1
    from layers as l
    join jsonb_each(v_known) as k on k.value -> 'needs' ? l.need
  )
  select k.key, replace(k.key, '.', '_'), k.value ->> 'sql', max(l.depth)
  from jsonb_each(v_known) as k
  join layers as l on l.need = k.key
  group by k.key, k.value
  order by k.key;
end
$$;
comment on function rules.leg_layers(rules.compiled_term[], text[], jsonb) is
'The columns of the leg stage with the layer each belongs to; layer 0 is read off the leg source.
p_terms: compiled terms; p_needs: level.name read at this stage; p_measures: {"name": {"level", …}}.';
