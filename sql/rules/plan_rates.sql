-- Hourly rates: the steps of a contract's table, the rate of a day, and rates by aircraft.

create or replace function rules.rate_steps(p_terms rules.compiled_term[])
returns jsonb
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select jsonb_agg(jsonb_build_object(
      'position', step ->> 'position',
      'aircraft_type', step -> 'aircraft_type',
      'year', coalesce((step ->> 'year')::integer, 1),
      'from_day', greatest((step ->> 'from')::date, (t.expanded ->> 'effective')::date, date '1970-01-01') - date '1970-01-01',
      'until_day', coalesce((t.expanded ->> 'expires')::date - date '1970-01-01', 2147483647),
      'rate', (step ->> 'rate')::numeric)
      order by step ->> 'position', (step ->> 'year')::integer, t.expanded ->> 'effective', step ->> 'from')
    from unnest(p_terms) as t
    cross join lateral jsonb_array_elements(t.expanded -> 'steps') as step
    where t.kind = 'hourly_rate');
end
$$;
comment on function rules.rate_steps(rules.compiled_term[]) is 'Rows {position, aircraft_type, year, from_day, until_day, rate} of the contract''s hourly rates, each within its version''s time; null where it has none.';

-- Rate of the day in use at a node.
create or replace function rules.rate_sql(p_day text)
returns text
language sql
immutable
parallel safe
return format('case when %1$s >= p.rate_4_day then p.rate_4 when %1$s >= p.rate_3_day then p.rate_3 when %1$s >= p.rate_2_day then p.rate_2 else p.rate_1 end', p_day);
comment on function rules.rate_sql(text) is 'SQL for the hourly rate in force on a day (people alias p).';

-- Where a contract's table has them, a node is paid at the rate of its first leg, by the position and aircraft flown.
-- What has no flight, or flies what the table doesn't list, and every span is paid at the rate of the position held.
create or replace function rules.has_flown_rates(p_terms rules.compiled_term[])
returns boolean
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  return exists (select from unnest(p_terms) as t where t.kind = 'hourly_rate' and jsonb_path_exists(t.expanded, '$.steps[*].aircraft_type'));
end
$$;
comment on function rules.has_flown_rates(rules.compiled_term[]) is 'Whether a rate of the contract is of an aircraft type, so that nodes have rates of their own.';

create or replace function rules.plan_rates(p_terms rules.compiled_term[])
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select case when rules.has_flown_rates(p_terms) then format($q$with rate_steps as materialized (
  select * from jsonb_to_recordset(%s::jsonb) as s (position text, aircraft_type text, year integer, from_day integer, until_day integer, rate numeric)
),
flown as materialized (
  select l.no, l.leg_no, l.report, l.trip_no, %s as duty_day, l.leg_sequence_at as at, chosen.rate
  from _legs as l
  join _people as p on p.no = l.no
  cross join lateral (
    select s.rate
    from rate_steps as s
    where s.position = l.leg_position_flown
      and (s.aircraft_type is null or s.aircraft_type = l.leg_aircraft_type)
      and s.from_day <= l.day
      and s.until_day > l.day
      and s.year <= 1 + case when l.day >= p.anniversary_day then p.years_at_anniversary else p.years_at_anniversary - 1 end
    -- The aircraft's own rate goes before one for all.
    order by s.aircraft_type is null, s.year desc, s.from_day desc
    limit 1
  ) as chosen
  where l.leg_activity = 'FLIGHT'
)
select distinct on (n.no, n.level_no, n.node) n.no, n.level_no, n.node, n.rate
from (
  select no, %s as level_no, leg_no::bigint as node, at, leg_no, rate from flown
  union all
  select no, %s, report::bigint, at, leg_no, rate from flown
  union all
  select no, %s, duty_day::bigint, at, leg_no, rate from flown
  union all
  select no, %s, trip_no::bigint, at, leg_no, rate from flown where trip_no is not null
) as n
order by n.no, n.level_no, n.node, n.at, n.leg_no$q$,
    rules.text_sql(rules.rate_steps(p_terms)::text), regexp_replace(rules.base_day_sql('report'), '\m(base_|report)', 'l.\1', 'g'),
    rules.level_rank('leg'), rules.level_rank('duty'), rules.level_rank('day'), rules.level_rank('trip')) end
$$;
comment on function rules.plan_rates(rules.compiled_term[]) is
'SELECT of the stage _rates: the rate of every node that has a flight, by level. Null where no rate is of an aircraft type.';

create or replace function rules.node_rate_sql(p_terms rules.compiled_term[], p_day text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select case when rules.has_flown_rates(p_terms) then format('coalesce(flown.rate, %s)', rules.rate_sql(p_day)) else rules.rate_sql(p_day) end
$$;
comment on function rules.node_rate_sql(rules.compiled_term[], text) is
'SQL of the hourly rate of a node (people alias p, and flown: see rules.flown_join()).
p_terms: all terms; p_day: SQL of its day.';

create or replace function rules.flown_join(p_terms rules.compiled_term[], p_no text, p_level_no text, p_node text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select case when rules.has_flown_rates(p_terms)
    then format(E'\nleft join _rates as flown on flown.no = %s and flown.level_no = %s and flown.node = %s', p_no, p_level_no, p_node) else '' end
$$;
comment on function rules.flown_join(rules.compiled_term[], text, text, text) is
'SQL that joins the rates of nodes; empty where nodes have none of their own.
p_terms: all terms; p_no, p_level_no, p_node: SQL of the crew number, the level''s rank and the node.';
