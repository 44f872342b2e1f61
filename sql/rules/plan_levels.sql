-- The stages of a plan, one SELECT a level. Every column that a formula reads is named level_name, at whatever stage it is read.
-- Layers are fenced with OFFSET 0, so that nothing is evaluated twice.

-- What the stage below must deliver for what this stage reads.
create or replace function rules.needs_below(p_stage text, p_needs text[], p_measures jsonb)
returns text[]
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  with wanted as (
    select distinct need, split_part(need, '.', 1) as level, split_part(need, '.', 2) as name
    from unnest(p_needs) as need
    where split_part(need, '.', 2) not in ('base', 'credit')
  ),
  below as (
    select case p_stage when 'trip' then 'duty' when 'duty' then 'leg' end as stage
  )
  select coalesce(array_agg(distinct lower_need), '{}')
  from wanted as w
  cross join below as b
  left join rules.facts as f on f.level = w.level and f.name = w.name
  cross join lateral (
    -- An own fact that is built from facts below.
    select b.stage || '.' || referenced[1]
    from regexp_matches(f.expression, '\{(\w+)\}', 'g') as referenced
    where w.level = p_stage
    union all
    -- A sum of what was measured below; an own measure is computed here and needs nothing of its own name.
    select b.stage || '.' || w.name
    where w.level = p_stage
      and f.name is null
      and coalesce(p_measures -> w.name ->> 'level', 'leg') <> p_stage
    union all
    -- Given with the trip, or read from above: carried up from the leg.
    select w.need
    where w.level <> p_stage
      or f.expression !~ '\{'
  ) as lower (lower_need)
$$;
comment on function rules.needs_below(text, text[], jsonb) is
'Needs (level.name) of the stage below for the needs of a stage.
p_stage: duty or trip; p_needs: what it reads; p_measures: {"name": {"level", …}}.';

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
  v_below text := case p_stage when 'trip' then 'duty' else 'leg' end;
  v_fact rules.facts;
  v_column text := v_level || '_' || v_name;
begin
  select * into v_fact from rules.facts where level = v_level and name = v_name;
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

-- SQL of one needed column in the leg stage, where leg, crew, month and trip facts are direct.
create or replace function rules.leg_column(p_need text, p_windowed boolean)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_level text := split_part(p_need, '.', 1);
  v_name text := split_part(p_need, '.', 2);
  v_fact rules.facts;
  v_window text := case v_level when 'duty' then ' over (partition by no, report)' else ' over (partition by no, trip_no)' end;
begin
  select * into v_fact from rules.facts where level = v_level and name = v_name;
  if p_windowed then
    if v_fact.name is not null then
      return format('%s as %s_%s', replace(regexp_replace(v_fact.expression, '\{(\w+)\}', 'leg_\1', 'g'), '%w', v_window), v_level, v_name);
    end if;
    return format('sum(leg_%1$s)%2$s as %3$s_%1$s', v_name, v_window, v_level);
  end if;
  return format('%s as %s_%s', v_fact.expression, v_level, v_name);
end
$$;
comment on function rules.leg_column(text, boolean) is
'SELECT item for a needed column of the leg stage.
p_need: level.name; p_windowed: a duty or trip value read from its leg, over the window of its duty or trip.';

-- Candidate and add columns of a level's terms, and the node they make.
-- What a node's children make together is read as base; within its stage that is base_credit.
create or replace function rules.own_base(p_sql text)
returns text
language sql
immutable
parallel safe
return regexp_replace(p_sql, '\m(leg|duty|trip)_base\M', 'base_credit', 'g');
comment on function rules.own_base(text) is 'A credit term''s SQL, with its own level''s base as the column of the stage.';

create or replace function rules.term_columns(p_terms rules.compiled_term[], p_level text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(string_agg(
    format(', %s as t%s', case
        when (t.gate).sql is null then format('(%s)', rules.own_base((t.quantity).sql))
        else format('case when (%s) then (%s) end', rules.own_base((t.gate).sql), rules.own_base((t.quantity).sql)) end, t.term_no),
    '' order by t.term_no), '')
  from unnest(p_terms) as t
  where t.level = p_level and t.kind = 'credit'
$$;
comment on function rules.term_columns(rules.compiled_term[], text) is
'SELECT items t<no>: the value of each credit term of the level, null where it doesn''t apply or a fact is missing.';

create or replace function rules.node_columns(p_terms rules.compiled_term[], p_level text, p_joined text)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_candidates text;
  v_winner text;
  v_adds text;
begin
  select string_agg('t' || t.term_no, ', ' order by t.priority, t.term_code, t.term_no),
    string_agg(format('when t%1$s = greatest(%2$s) then %1$s', t.term_no,
      (select string_agg('t' || o.term_no, ', ') from unnest(p_terms) as o
        where o.level = p_level and o.kind = 'credit' and o.combine = 'greatest')), ' ' order by t.priority, t.term_code, t.term_no)
  into v_candidates, v_winner
  from unnest(p_terms) as t
  where t.level = p_level and t.kind = 'credit' and t.combine = 'greatest';

  select coalesce(string_agg(format(' + coalesce(t%s, 0)', t.term_no), '' order by t.term_no), '')
  into v_adds
  from unnest(p_terms) as t
  where t.level = p_level and t.kind = 'credit' and t.combine = 'add' and t.joins = p_level;

  return case when v_candidates is null then ', 0::numeric as excess, null::smallint as winner'
      else format(', greatest(0, greatest(%s) - base_credit) as excess, (case when greatest(%1$s) > base_credit then case %s end end)::smallint as winner',
        v_candidates, v_winner) end
    || format(', base_credit%s%s%s as credit',
      case when v_candidates is null then '' else format(' + greatest(0, greatest(%s) - base_credit)', v_candidates) end,
      v_adds, p_joined);
end
$$;
comment on function rules.node_columns(rules.compiled_term[], text, text) is
'SELECT items of a node: excess (greatest candidate over base), winner (its term number), credit (node value after its adds).
p_joined: SQL of adds from below that join here, with leading +.';

-- Adds of a lower level that join a level above travel upward beside the credit.
create or replace function rules.travelling_adds(p_terms rules.compiled_term[], p_stage text, p_joins text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select string_agg(format('coalesce(t%s, 0)', t.term_no), ' + ' order by t.term_no)
  from unnest(p_terms) as t
  where t.level = p_stage and t.kind = 'credit' and t.combine = 'add' and t.joins = p_joins and t.joins <> t.level
$$;
comment on function rules.travelling_adds(rules.compiled_term[], text, text) is
'Sum of the stage''s adds that join a level above; null where there are none.';

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
    select m.depth, string_agg(format(', %s as %s_%s', m.versions, p_level, m.name), '' order by m.name) as columns
    from (
      select max(t.depth) as depth, t.name,
        string_agg(format('coalesce(%s, 0)',
          case when (t.gate).sql is null then format('(%s)', (t.quantity).sql)
            else format('case when (%s) then (%s) end', (t.gate).sql, (t.quantity).sql) end), ' + ' order by t.term_no) as versions
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

-- Day on the base clock of an instant in minutes.
create or replace function rules.base_day_sql(p_instant text)
returns text
language sql
immutable
parallel safe
return format('((%1$s + case when %1$s >= base_change then base_offset_after else base_offset end) / 1440)', p_instant);
comment on function rules.base_day_sql(text) is 'SQL for the day (since 1970, base clock) of an instant in minutes.';

-- Airports are joined only where a fact rests on the clock or country of origin or destination.
create or replace function rules.reads_airports(p_needs text[], p_settings jsonb)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(p_settings ->> 'leg_month_clock' = 'departure', false) or exists (
    select
    from unnest(p_needs) as need
    join rules.facts as f on f.level in (split_part(need, '.', 1), 'leg') and f.name = split_part(need, '.', 2)
    left join lateral regexp_matches(f.expression, '\{(\w+)\}', 'g') as referenced on true
    left join rules.facts as leg on leg.level = 'leg' and leg.name = referenced[1]
    where concat(f.expression, leg.expression) ~ 's\.(origin|destination)_')
$$;
comment on function rules.reads_airports(text[], jsonb) is
'Whether the leg stage needs the airports of its flights.
p_needs: level.name read at the leg stage; p_settings: contract settings.';

create or replace function rules.plan_legs(p_terms rules.compiled_term[], p_needs text[], p_settings jsonb, p_measures jsonb)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_facts text[];
  v_windowed text[];
  v_all_airports boolean;
  v_departure text := 'coalesce(s.out_at, s.scheduled_out_at, s.report_at)';
  v_sql text;
begin
  -- Values of duty and trip that a leg reads, over their windows, and the leg facts these rest on.
  select coalesce(array_agg(distinct n), '{}') into v_windowed
  from unnest(p_needs) as n
  left join rules.facts as f on f.level = split_part(n, '.', 1) and f.name = split_part(n, '.', 2)
  where split_part(n, '.', 1) in ('duty', 'trip')
    and (f.name is null or f.expression ~ '\{');
  select coalesce(array_agg(distinct need order by need), '{}') into v_facts
  from (
    select n as need
    from unnest(p_needs) as n
    where n <> all (v_windowed) and not p_measures ? split_part(n, '.', 2) and split_part(n, '.', 2) not in ('base', 'credit')
    union
    select 'leg.' || case when f.name is null then split_part(n, '.', 2) else referenced[1] end
    from unnest(v_windowed) as n
    left join rules.facts as f on f.level = split_part(n, '.', 1) and f.name = split_part(n, '.', 2)
    left join lateral regexp_matches(f.expression, '\{(\w+)\}', 'g') as referenced on true
  ) as wanted;

  v_all_airports := rules.reads_airports(p_needs, p_settings);

  v_sql := format(E'select s.no, s.leg_no, s.report_at as report, s.trip_no, s.release_at as release,\n  s.trip_start_at as raw_trip_start, s.trip_end_at as raw_trip_end, s.base_offset, s.base_change, s.base_offset_after,\n  %s as day,\n  %s as books_day%s\nfrom (\n%s\n) as s\noffset 0',
    regexp_replace(rules.base_day_sql(v_departure), '\mbase_', 's.base_', 'g'),
    case when p_settings ->> 'leg_month_clock' = 'departure'
      then format('((%1$s + coalesce(case when %1$s >= s.origin_change then s.origin_offset_after else s.origin_offset end, s.base_offset)) / 1440)', v_departure)
      else regexp_replace(rules.base_day_sql(v_departure), '\mbase_', 's.base_', 'g') end,
    (select coalesce(string_agg(E',\n  ' || rules.leg_column(n, false), '' order by n), '') from unnest(v_facts) as n),
    rules.leg_source(v_all_airports, p_settings));
  if cardinality(v_windowed) > 0 then
    v_sql := format(E'select l.*%s\nfrom (%s) as l\noffset 0',
      (select string_agg(', ' || rules.leg_column(n, true), '' order by n) from unnest(v_windowed) as n), v_sql);
  end if;
  v_sql := rules.measure_layers(p_terms, 'leg', v_sql);
  v_sql := format(E'select l.*, 0 as base_credit%s\nfrom (%s) as l\noffset 0', rules.term_columns(p_terms, 'leg'), v_sql);
  return format(E'select l.*%s%s\nfrom (%s) as l',
    rules.node_columns(p_terms, 'leg', ''), rules.joined_columns(p_terms, 'leg'), v_sql);
end
$$;
comment on function rules.plan_legs(rules.compiled_term[], text[], jsonb, jsonb) is
'SELECT of the stage _legs.
p_terms: compiled terms; p_needs: level.name read at this stage; p_settings: contract settings; p_measures: measures.';

create or replace function rules.joined_columns(p_terms rules.compiled_term[], p_stage text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(string_agg(format(', %s as joins_%s', rules.travelling_adds(p_terms, p_stage, target), target), '' order by target), '')
  from unnest(array['duty', 'trip', 'month']) as target
  where rules.travelling_adds(p_terms, p_stage, target) is not null
$$;
comment on function rules.joined_columns(rules.compiled_term[], text) is
'SELECT items joins_<level>: the stage''s adds that join a level above.';

create or replace function rules.plan_duties(p_terms rules.compiled_term[], p_needs text[], p_measures jsonb)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_sql text;
begin
  v_sql := format(E'select no, report, trip_no, min(leg_no) as first_leg_no, max(release) as release,\n  max(raw_trip_start) as raw_trip_start, max(raw_trip_end) as raw_trip_end,\n  max(base_offset) as base_offset, max(base_change) as base_change, max(base_offset_after) as base_offset_after,\n  sum(credit) as base_credit%s%s\nfrom _legs\ngroup by no, report, trip_no\noffset 0',
    (select coalesce(string_agg(format(E',\n  %s', rules.grouped_column('duty', n)), '' order by n), '')
      from unnest(p_needs) as n
      where split_part(n, '.', 2) not in ('base', 'credit')
        and not coalesce(p_measures -> split_part(n, '.', 2) ->> 'level' = 'duty', false)),
    (select coalesce(string_agg(format(', sum(joins_%1$s) as joins_%1$s', target), ''), '')
      from unnest(array['duty', 'trip']) as target
      where rules.travelling_adds(p_terms, 'leg', target) is not null));
  v_sql := rules.measure_layers(p_terms, 'duty', v_sql);
  v_sql := format(E'select d.*, %s as day, %s as end_day%s\nfrom (%s) as d\noffset 0',
    rules.base_day_sql('report'), rules.base_day_sql('coalesce(release, report)'), rules.term_columns(p_terms, 'duty'), v_sql);
  return format(E'select d.*%s%s\nfrom (%s) as d',
    rules.node_columns(p_terms, 'duty', case when rules.travelling_adds(p_terms, 'leg', 'duty') is null then '' else ' + joins_duty' end),
    case when rules.travelling_adds(p_terms, 'duty', 'trip') is null then ''
      else format(', %s as duty_joins_trip', rules.travelling_adds(p_terms, 'duty', 'trip')) end,
    v_sql);
end
$$;
comment on function rules.plan_duties(rules.compiled_term[], text[], jsonb) is
'SELECT of the stage _duties: legs of one crew member that share their report.';

-- A day holds the duties that report on it; days of a trip on which no duty is in progress are empty days.
create or replace function rules.plan_days(p_terms rules.compiled_term[])
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_facts text;
begin
  if not exists (select from unnest(p_terms) as t where t.level = 'day') then
    return null;
  end if;
  select coalesce(string_agg(distinct format(', %s as %s_%s', case f.level when 'day' then f.expression else regexp_replace(f.expression, '^s\.', 'p.') end, f.level, f.name), ''), '')
  into v_facts
  from unnest(p_terms) as t
  cross join lateral unnest((t.quantity).needs || coalesce((t.gate).needs, '{}')) as n
  join rules.facts as f on f.level = split_part(n, '.', 1) and f.name = split_part(n, '.', 2)
  where t.level = 'day' and f.level in ('day', 'crew');
  if exists (
    select
    from unnest(p_terms) as t
    cross join lateral unnest((t.quantity).needs || coalesce((t.gate).needs, '{}')) as n
    where t.level = 'day' and split_part(n, '.', 1) not in ('day', 'crew') and n <> 'trip.version_day') then
    perform rules.refuse('CP205', (select t.term_code from unnest(p_terms) as t where t.level = 'day' limit 1),
      'a day term reads only facts of the day and the crew member', 'Use empty, weekday, date, day_duties or crew facts.');
  end if;
  return format($q$select d.*%1$s
from (
  select d.*%2$s
  from (
    select d.no, d.day, d.trip_no, d.trip_version_day, d.base_credit%3$s
    from (
      select no, day, (array_agg(trip_no order by report))[1] as trip_no, count(*)::integer as duties, sum(credit) as base_credit,
        (array_agg((coalesce(raw_trip_start, report)
          + case when coalesce(raw_trip_start, report) >= base_change then base_offset_after else base_offset end) / 1440 order by report))[1] as trip_version_day
      from _duties
      group by no, day
      union all
      select t.no, t.day, t.trip_no, 0, 0, t.first_day
      from (
        select no, trip_no,
          (min(raw_trip_start) + min(case when raw_trip_start >= base_change then base_offset_after else base_offset end)) / 1440 as first_day,
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
    offset 0
  ) as d
  offset 0
) as d$q$, rules.node_columns(p_terms, 'day', ''), rules.term_columns(p_terms, 'day'), v_facts);
end
$$;
comment on function rules.plan_days(rules.compiled_term[]) is
'SELECT of the stage _days, or null where no term is of the day. Raises CP205.';

create or replace function rules.plan_trips(p_terms rules.compiled_term[], p_needs text[], p_measures jsonb)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_has_days boolean := exists (select from unnest(p_terms) as t where t.level = 'day');
  v_joined text := '';
  v_sql text;
begin
  if rules.travelling_adds(p_terms, 'leg', 'trip') is not null then
    v_joined := v_joined || ' + joins_trip';
  end if;
  if rules.travelling_adds(p_terms, 'duty', 'trip') is not null then
    v_joined := v_joined || ' + duty_joins_trip';
  end if;
  v_sql := format(E'select no, trip_no, max(raw_trip_start) as start_at, max(raw_trip_end) as end_at,\n  max(base_offset) as base_offset, max(base_change) as base_change, max(base_offset_after) as base_offset_after,\n  sum(credit) as base_credit%s%s%s\nfrom _duties\nwhere trip_no is not null\ngroup by no, trip_no\noffset 0',
    (select coalesce(string_agg(format(E',\n  %s', rules.grouped_column('trip', n)), '' order by n), '')
      from unnest(p_needs) as n
      where split_part(n, '.', 2) not in ('base', 'credit')
        and not coalesce(p_measures -> split_part(n, '.', 2) ->> 'level' = 'trip', false)),
    case when rules.travelling_adds(p_terms, 'leg', 'trip') is null then '' else ', sum(joins_trip) as joins_trip' end,
    case when rules.travelling_adds(p_terms, 'duty', 'trip') is null then '' else ', sum(duty_joins_trip) as duty_joins_trip' end);
  if v_has_days then
    v_sql := format(E'select t.*, t.base_credit + coalesce(e.excess, 0) as base_with_days\nfrom (%s) as t\nleft join (\n  select no, trip_no, sum(credit - base_credit) as excess\n  from _days\n  where trip_no is not null\n  group by no, trip_no\n) as e on e.no = t.no and e.trip_no = t.trip_no\noffset 0', v_sql);
  end if;
  v_sql := rules.measure_layers(p_terms, 'trip', v_sql);
  v_sql := format(E'select t.*, %s as day, %s as end_day%s\nfrom (%s) as t\noffset 0',
    rules.base_day_sql('start_at'), rules.base_day_sql('end_at'),
    replace(rules.term_columns(p_terms, 'trip'), 'base_credit', case when v_has_days then 'base_with_days' else 'base_credit' end), v_sql);
  return format(E'select t.*%s\nfrom (%s) as t',
    replace(rules.node_columns(p_terms, 'trip', v_joined), 'base_credit', case when v_has_days then 'base_with_days' else 'base_credit' end), v_sql);
end
$$;
comment on function rules.plan_trips(rules.compiled_term[], text[], jsonb) is
'SELECT of the stage _trips: duties of one trip, plus the excess of its days.';
