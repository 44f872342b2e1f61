-- The stages of a plan, one SELECT a level. Every column that a formula reads is named level_name, at whatever stage it is read.
-- Layers are fenced with OFFSET 0, so that nothing is evaluated twice.

-- Whether a term of a level reads what the node's children make together.
create or replace function rules.base_column(p_terms rules.compiled_term[], p_level text, p_sql text)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  return case when exists (
      select
      from unnest(p_terms) as t
      cross join lateral unnest(coalesce((t.quantity).needs, '{}') || coalesce((t.gate).needs, '{}') || coalesce((t.price).needs, '{}')) as need
      where t.level = p_level and need = p_level || '.base')
    then format(', %s as %s_base', p_sql, p_level) else '' end;
end
$$;
comment on function rules.base_column(rules.compiled_term[], text, text) is
'SELECT item <level>_base where a term of the level reads it, else nothing.
p_sql: SQL of what the node''s children make together.';

-- Candidate and add columns of a level's terms.
create or replace function rules.term_columns(p_terms rules.compiled_term[], p_level text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(string_agg(
    format(', %s as t%s', case
        when (t.gate).sql is null then format('(%s)', (t.quantity).sql)
        else format('case when (%s) then (%s) end', (t.gate).sql, (t.quantity).sql) end, t.term_no),
    '' order by t.term_no), '')
  from unnest(p_terms) as t
  where t.level = p_level and t.kind = 'credit' and not t.expanded ? 'rounding'
$$;
comment on function rules.term_columns(rules.compiled_term[], text) is
'SELECT items t<no>: the value of each credit term of the level, null where it doesn''t apply or a fact is missing.';

-- The node that the terms of a level make. A rounded node gets its remainder as one more add.
create or replace function rules.node_sql(p_terms rules.compiled_term[], p_level text, p_joined text, p_more text, p_inner text)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_candidates text;
  v_winner text;
  v_adds text;
  v_rounding rules.compiled_term;
  -- Nothing lies below a leg: no difference is computed for each.
  v_base text := case p_level when 'leg' then '0' else 'base_credit' end;
  v_sql text;
begin
  select string_agg('t' || t.term_no, ', ' order by t.priority, t.term_code, t.term_no),
    string_agg(format('when t%1$s then %1$s', t.term_no), ' ' order by t.priority, t.term_code, t.term_no)
  into v_candidates, v_winner
  from unnest(p_terms) as t
  where t.level = p_level and t.kind = 'credit' and t.combine = 'greatest';

  select coalesce(string_agg(format(' + coalesce(t%s, 0)', t.term_no), '' order by t.term_no), '')
  into v_adds
  from unnest(p_terms) as t
  where t.level = p_level and t.kind = 'credit' and t.combine = 'add' and t.joins = p_level and not t.expanded ? 'rounding';

  select * into v_rounding from unnest(p_terms) as t where t.level = p_level and t.expanded ? 'rounding';

  -- First what every later stage reads: a row is unpacked no further than to the last column asked for.
  v_sql := format(E'select %s, %s%s%s as %s, n.*%s\nfrom (%s) as n',
    case when v_candidates is null then 'null::smallint as winner, 0::numeric as excess'
      else format('(case when greatest(%1$s) > %2$s then case greatest(%1$s) %3$s end end)::smallint as winner, greatest(0, %4$s) as excess',
        v_candidates, v_base, v_winner, case p_level when 'leg' then v_candidates else format('greatest(%s) - base_credit', v_candidates) end) end,
    -- The base and what the best candidate exceeds it by.
    case when v_candidates is null then v_base else format('greatest(%s, %s)', v_base, v_candidates) end,
    v_adds, p_joined, case when v_rounding.term_no is null then 'credit' else 'exact_credit' end,
    p_more, p_inner);
  if v_rounding.term_no is not null then
    v_sql := format(E'select n.*, %1$s as credit, (%1$s) - exact_credit as t%2$s\nfrom (%3$s\noffset 0) as n',
      (v_rounding.quantity).sql, v_rounding.term_no, v_sql);
  end if;
  return v_sql;
end
$$;
comment on function rules.node_sql(rules.compiled_term[], text, text, text, text) is
'SELECT of the nodes of a level: excess (greatest candidate over base), winner (its term number), credit (node value after its adds, rounded).
p_joined: SQL of adds from below that join here, with leading +; p_more: further SELECT items, with leading comma;
p_inner: SELECT with base_credit and the terms'' columns.';

-- Adds of a lower level that join a level above travel upward beside the credit.
create or replace function rules.travelling_adds(p_terms rules.compiled_term[], p_stage text, p_joins text)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select string_agg(format('coalesce(t%s, 0)', t.term_no), ' + ' order by t.term_no)
    from unnest(p_terms) as t
    where t.level = p_stage and t.kind = 'credit' and t.combine = 'add' and t.joins = p_joins and t.joins <> t.level);
end
$$;
comment on function rules.travelling_adds(rules.compiled_term[], text, text) is
'Sum of the stage''s adds that join a level above; null where there are none.';

-- What of the adds found on legs or duties a stage carries on for a level above it.
create or replace function rules.joined_columns(p_terms rules.compiled_term[], p_stage text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(string_agg(format(', %s as %s_joins_%s', rules.travelling_adds(p_terms, p_stage, target), p_stage, target), '' order by target), '')
  from unnest(array['duty', 'day', 'trip']) as target
  where rules.travelling_adds(p_terms, p_stage, target) is not null
$$;
comment on function rules.joined_columns(rules.compiled_term[], text) is
'SELECT items <stage>_joins_<level>: the stage''s adds that join a level above.';

-- Adds from below that a stage groups: those that join it, and those that it passes on.
create or replace function rules.joined_sums(p_terms rules.compiled_term[], p_from text[], p_targets text[])
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(string_agg(format(', sum(%1$s_joins_%2$s) as %1$s_joins_%2$s', source, target), '' order by source, target), '')
  from unnest(p_from) as source
  cross join unnest(p_targets) as target
  where rules.travelling_adds(p_terms, source, target) is not null
$$;
comment on function rules.joined_sums(rules.compiled_term[], text[], text[]) is
'SELECT items that sum the adds of the stages p_from that join the levels p_targets.';

-- Adds from below that join a level, as a term of its sum.
create or replace function rules.joining(p_terms rules.compiled_term[], p_from text[], p_target text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(string_agg(format(' + coalesce(%s_joins_%s, 0)', source, p_target), '' order by source), '')
  from unnest(p_from) as source
  where rules.travelling_adds(p_terms, source, p_target) is not null
$$;
comment on function rules.joining(rules.compiled_term[], text[], text) is
'SQL of the adds of the stages p_from that join the level p_target, with leading +; empty where there are none.';

create or replace function rules.plan_legs(
  p_terms rules.compiled_term[], p_needs text[], p_settings jsonb, p_measures jsonb, out statement text, out columns text[])
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_departure text := 'coalesce(s.out_at, s.scheduled_out_at, s.report_at)';
  v_of_source text[];
  v_items text;
  v_layers text[];
  v_layer text;
begin
  with layers as materialized (
    select * from rules.leg_layers(p_terms, p_needs, p_measures)
  )
  select coalesce(array_agg(l.sql), '{}'), coalesce(array_agg(l.sql) filter (where l.depth = 0), '{}'),
    coalesce(string_agg(format(E',\n  %s as %s', l.sql, l.column_name), '' order by l.column_name) filter (where l.depth = 0), ''),
    array(
      select string_agg(format(', %s as %s', upper.sql, upper.column_name), '' order by upper.column_name)
      from layers as upper
      where upper.depth > 0
      group by upper.depth
      order by upper.depth)
  into columns, v_of_source, v_items, v_layers
  from layers as l;

  statement := format(E'select s.no, s.leg_no, s.report_at as report, s.trip_no, s.release_at as release,\n  s.trip_start_at as raw_trip_start, s.trip_end_at as raw_trip_end, s.base_offset, s.base_change, s.base_offset_after,\n  %s as day,\n  %s as books_day%s\nfrom (\n%s\n) as s\noffset 0',
    regexp_replace(rules.base_day_sql(v_departure), '\mbase_', 's.base_', 'g'),
    case when p_settings ->> 'leg_month_clock' = 'departure'
      then format('((%1$s + coalesce(case when %1$s >= s.origin_change then s.origin_offset_after else s.origin_offset end, s.base_offset)) / 1440)', v_departure)
      else regexp_replace(rules.base_day_sql(v_departure), '\mbase_', 's.base_', 'g') end,
    v_items, rules.leg_source(v_of_source, p_settings));
  foreach v_layer in array v_layers loop
    statement := format(E'select l.*%s\nfrom (%s) as l\noffset 0', v_layer, statement);
  end loop;
  statement := format(E'select l.*, 0 as base_credit%s%s\nfrom (%s) as l\noffset 0',
    rules.base_column(p_terms, 'leg', '0::numeric'), rules.term_columns(p_terms, 'leg'), statement);
  statement := rules.node_sql(p_terms, 'leg', '', rules.joined_columns(p_terms, 'leg'), statement);
end
$$;
comment on function rules.plan_legs(rules.compiled_term[], text[], jsonb, jsonb) is
'SELECT of the stage _legs, and the SQL of all columns it makes of facts and measures.
p_terms: compiled terms; p_needs: level.name read at this stage; p_settings: contract settings; p_measures: measures.';

create or replace function rules.plan_duties(p_terms rules.compiled_term[], p_needs text[], p_measures jsonb)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_sql text;
begin
  v_sql := format(E'select no, report, trip_no, min(leg_no) as first_leg_no, max(release) as release,\n  max(raw_trip_start) as raw_trip_start, max(raw_trip_end) as raw_trip_end,\n  max(base_offset) as base_offset, max(base_change) as base_change, max(base_offset_after) as base_offset_after,\n  sum(credit) as base_credit%s%s%s\nfrom _legs\ngroup by no, report, trip_no\noffset 0',
    rules.base_column(p_terms, 'duty', 'sum(credit)'),
    (select coalesce(string_agg(format(E',\n  %s', rules.grouped_column('duty', n)), '' order by n), '')
      from unnest(p_needs) as n
      where not rules.is_computed(n)
        and not coalesce(split_part(n, '.', 1) = 'duty' and p_measures -> split_part(n, '.', 2) ->> 'level' = 'duty', false)),
    rules.joined_sums(p_terms, array['leg'], array['duty', 'day', 'trip']));
  v_sql := rules.measure_layers(p_terms, 'duty', v_sql);
  v_sql := format(E'select d.*, %s as day, %s as end_day%s\nfrom (%s) as d\noffset 0',
    rules.base_day_sql('report'), rules.base_day_sql('coalesce(release, report)'), rules.term_columns(p_terms, 'duty'), v_sql);
  return rules.node_sql(p_terms, 'duty', rules.joining(p_terms, array['leg'], 'duty'), rules.joined_columns(p_terms, 'duty'), v_sql);
end
$$;
comment on function rules.plan_duties(rules.compiled_term[], text[], jsonb) is
'SELECT of the stage _duties: legs of one crew member that share their report.
p_terms: compiled terms; p_needs: level.name read at this stage; p_measures: measures.';

-- A day holds the duties that report on it; days of a trip on which no duty is in progress are empty days.
create or replace function rules.plan_days(p_terms rules.compiled_term[], p_needs text[], p_measures jsonb)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_needs text[] := array(
    select n from unnest(p_needs) as n
    where not rules.is_computed(n)
      and not (split_part(n, '.', 1) = 'day' and p_measures ? split_part(n, '.', 2) and p_measures -> split_part(n, '.', 2) ->> 'level' = 'day'));
  v_of_duties text := '';
  v_of_empty_days text := '';
  v_of_trips text := '';
  v_own text := '';
  v_need text;
  v_column text;
  v_fact rules.known_facts;
  v_sql text;
begin
  if not rules.has_days(p_terms) then
    return null;
  end if;
  foreach v_need in array v_needs loop
    v_column := replace(v_need, '.', '_');
    select * into v_fact from rules.known_facts as f where f.level = split_part(v_need, '.', 1) and f.name = split_part(v_need, '.', 2);
    if split_part(v_need, '.', 1) = 'crew' then
      v_own := v_own || format(', %s as %s', regexp_replace(v_fact.expression, '\ms\.', 'p.', 'g'), v_column);
    elsif v_fact.level = 'day' then
      v_own := v_own || format(', %s as %s', v_fact.expression, v_column);
    elsif split_part(v_need, '.', 1) = 'day' then
      v_of_duties := v_of_duties || format(', sum(duty_%s) as %s', split_part(v_need, '.', 2), v_column);
      v_of_empty_days := v_of_empty_days || ', 0';
    else
      v_of_duties := v_of_duties || format(', (array_agg(%1$s order by report))[1] as %1$s', v_column);
      v_of_trips := v_of_trips || format(', %s(%s) as %2$s', case when v_fact.value_type = 'bool' then 'bool_or' else 'max' end, v_column);
      v_of_empty_days := v_of_empty_days || ', t.' || v_column;
    end if;
  end loop;
  v_sql := format($q$select d.*%1$s%2$s
from (
  select no, day, (array_agg(trip_no order by report))[1] as trip_no, count(*)::integer as duties, sum(credit) as base_credit%3$s%7$s
  from _duties
  group by no, day
  union all
  select t.no, t.day, t.trip_no, 0, 0%4$s%6$s
  from (
    select no, trip_no%5$s,
      generate_series(
      (min(raw_trip_start) + min(case when raw_trip_start >= base_change then base_offset_after else base_offset end)) / 1440,
      (max(raw_trip_end) - 1 + max(case when raw_trip_end > base_change then base_offset_after else base_offset end)) / 1440) as day
    from _duties
    where trip_no is not null
    group by no, trip_no
  ) as t
  where not exists (select from _duties as busy where busy.no = t.no and t.day between busy.day and busy.end_day)
) as d
join _people as p on p.no = d.no
offset 0$q$, rules.base_column(p_terms, 'day', 'd.base_credit'), v_own, v_of_duties, v_of_empty_days, v_of_trips,
    regexp_replace(rules.joined_sums(p_terms, array['leg', 'duty'], array['day']), ', sum\(\w+\) as \w+', ', 0', 'g'),
    rules.joined_sums(p_terms, array['leg', 'duty'], array['day']));
  v_sql := rules.measure_layers(p_terms, 'day', v_sql);
  v_sql := format(E'select d.*%s\nfrom (%s) as d\noffset 0', rules.term_columns(p_terms, 'day'), v_sql);
  return rules.node_sql(p_terms, 'day', rules.joining(p_terms, array['leg', 'duty'], 'day'), rules.joined_columns(p_terms, 'day'), v_sql);
end
$$;
comment on function rules.plan_days(rules.compiled_term[], text[], jsonb) is
'SELECT of the stage _days, or null where no term is of the day.
p_terms: compiled terms; p_needs: level.name read at this stage; p_measures: measures.';

create or replace function rules.plan_trips(p_terms rules.compiled_term[], p_needs text[], p_measures jsonb)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_has_days boolean := rules.has_days(p_terms);
  v_of_days text[] := array(
    select n from unnest(p_needs) as n
    where split_part(n, '.', 1) = 'trip' and rules.home_level('trip', split_part(n, '.', 2), p_measures) = 'day');
  v_sql text;
begin
  v_sql := format(E'select no, trip_no, max(raw_trip_start) as start_at, max(raw_trip_end) as end_at,\n  max(base_offset) as base_offset, max(base_change) as base_change, max(base_offset_after) as base_offset_after,\n  sum(credit) as %s%s%s%s\nfrom _duties\nwhere trip_no is not null\ngroup by no, trip_no\noffset 0',
    case when v_has_days then 'duties_credit' else 'base_credit' end,
    case when v_has_days then '' else rules.base_column(p_terms, 'trip', 'sum(credit)') end,
    (select coalesce(string_agg(format(E',\n  %s', rules.grouped_column('trip', n)), '' order by n), '')
      from unnest(p_needs) as n
      where not rules.is_computed(n)
        and n <> all (v_of_days)
        and not coalesce(split_part(n, '.', 1) = 'trip' and p_measures -> split_part(n, '.', 2) ->> 'level' = 'trip', false)),
    rules.joined_sums(p_terms, array['leg', 'duty'], array['trip']));
  if v_has_days then
    v_sql := format(E'select t.*, t.duties_credit + coalesce(e.excess, 0) as base_credit%s%s\nfrom (%s) as t\nleft join (\n  select no, trip_no, sum(credit - base_credit) as excess%s%s\n  from _days\n  where trip_no is not null\n  group by no, trip_no\n) as e on e.no = t.no and e.trip_no = t.trip_no\noffset 0',
      rules.base_column(p_terms, 'trip', 't.duties_credit + coalesce(e.excess, 0)'),
      (select coalesce(string_agg(format(', coalesce(e.trip_%1$s, 0) as trip_%1$s', split_part(n, '.', 2)), '' order by n), '') from unnest(v_of_days) as n)
        || case when rules.joining(p_terms, array['day'], 'trip') = '' then '' else ', e.day_joins_trip' end,
      v_sql,
      (select coalesce(string_agg(format(', sum(day_%1$s) as trip_%1$s', split_part(n, '.', 2)), '' order by n), '') from unnest(v_of_days) as n),
      rules.joined_sums(p_terms, array['day'], array['trip']));
  end if;
  v_sql := rules.measure_layers(p_terms, 'trip', v_sql);
  v_sql := format(E'select t.*, %s as day, %s as end_day%s\nfrom (%s) as t\noffset 0',
    rules.base_day_sql('start_at'), rules.base_day_sql('end_at'), rules.term_columns(p_terms, 'trip'), v_sql);
  return rules.node_sql(p_terms, 'trip', rules.joining(p_terms, array['leg', 'duty', 'day'], 'trip'), '', v_sql);
end
$$;
comment on function rules.plan_trips(rules.compiled_term[], text[], jsonb) is
'SELECT of the stage _trips: duties of one trip, plus the excess of its days.
p_terms: compiled terms; p_needs: level.name read at this stage; p_measures: measures.';
