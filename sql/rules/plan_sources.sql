-- The sources of a plan: people, zones, trips and legs as plain integer columns. Tokens in @…@ are filled in by the engine:
-- @enterprise@, @crew@, @month_first@ (dates), @period_first@, @period_last@, @month_last@, @lo@, @hi@ (instants), and the fact
-- tables @members@, @flights@, @trips@, @assignments@, @months@ (current, or as of a run).

-- Minutes since 1970 of an instant, as SQL text.
create or replace function rules.minutes_sql(p_instant text)
returns text
language sql
immutable
parallel safe
return format('floor(date_part(''epoch'', %s) / 60)::integer', p_instant);
comment on function rules.minutes_sql(text) is 'SQL for the minutes since 1970 UTC of an instant expression.';

-- Airports are joined only where a fact rests on the clock or country of origin or destination.
create or replace function rules.reads_airports(p_columns text[], p_settings jsonb)
returns boolean
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return coalesce(p_settings ->> 'leg_month_clock' = 'departure', false)
    or exists (select from unnest(p_columns) as expression where expression ~ '\ms\.(origin|destination)_');
end
$$;
comment on function rules.reads_airports(text[], jsonb) is
'Whether the leg stage needs the airports of its flights.
p_columns: SQL of its columns; p_settings: contract settings.';

-- Whether a stage's columns read a column of their source that most contracts don't.
create or replace function rules.reads_column(p_columns text[], p_name text)
returns boolean
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  return exists (select from unnest(p_columns) as expression where expression ~ ('\m' || p_name || '\M'));
end
$$;
comment on function rules.reads_column(text[], text) is 'Whether a source column is read.
p_columns: SQL of the columns of a stage; p_name: the source column.';

-- Four rates fit a staged span: the first, an anniversary, two escalators. A fifth is refused, not dropped.
create or replace function rules.too_many_rates(p_employee_id text)
returns numeric
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using
    errcode = 'CP205',
    message = format('the hourly rate of %s changes more than three times around one month', p_employee_id),
    hint = 'Put dated steps of the rate table more than three months apart.';
end
$$;
comment on function rules.too_many_rates(text) is 'Refuses a fifth rate within one staged span. Raises CP205.';

-- What is held in a month: line, award, days.
create or replace function rules.held_columns(p_member text, p_month text, p_last_day text, p_columns text[])
returns text
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select format($q$%3$s - %2$s + 1 as month_days,
  m.work_days::integer as month_work_days,
  least(%3$s - %2$s + 1, coalesce(m.unpaid_days, 0)
    + greatest(0, %1$s.hire_day - (%2$s - date '1970-01-01'))
    + greatest(0, coalesce((%3$s - date '1970-01-01') - %1$s.left_day, 0)))::integer as month_unpaid_days,
  coalesce(m.line_type::text, 'LINE') as month_line_type,
  m.award_credit_minutes as month_award_credit%4$s$q$, p_member, p_month, p_last_day,
    -- A bit for each day awarded off, by the day's number since 1970: no two days of a trip and its month share one.
    case when rules.reads_column(p_columns, 'month_days_off') then E',\n  (select coalesce(bit_or(1::bigint << mod(off - date ''1970-01-01'', 64)), 0) from unnest(m.days_off) as off) as month_days_off' else '' end
    || case when rules.reads_column(p_columns, 'month_attributes') then E',\n  m.attributes as month_attributes' else '' end)
$$;
comment on function rules.held_columns(text, text, text, text[]) is
'SELECT items of a month''s facts, over crew members (hire_day, left_day) and crew months m.
p_member: alias of the crew member; p_month, p_last_day: SQL for the month''s first and last day; p_columns: SQL of what is read.';

-- What a crew member holds in each month that a plan looks back to, and employment in it.
create or replace function rules.plan_held(p_settings jsonb, p_columns text[])
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select case when rules.looks_back(p_settings) then format($q$select p.no,
  d.month - date '1970-01-01' as first_day, d.last_day - date '1970-01-01' as last_day, %s
from _people as p
cross join crew.contract_months_between(@enterprise@, %s - 40, @month_last@ + 31) as d
left join @months@ as m on m.enterprise_id = @enterprise@ and m.crew_member_id = p.id and m.month = d.month$q$,
    rules.held_columns('p', 'd.month', 'd.last_day', p_columns), rules.reach_first_sql(p_settings)) end
$$;
comment on function rules.plan_held(jsonb, text[]) is
'SELECT of the stage _held: what each crew member holds in each month that is staged. Null where a plan stays within its month.';

-- Everybody employed in the month up to the period's end (who left before the period is still settled with the month's last):
-- crew facts, base clock, month facts, and up to four rates with the day each begins.
create or replace function rules.plan_people(p_positions crew.crew_position[], p_rate_steps jsonb, p_settings jsonb, p_columns text[])
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_rates text := '';
  v_columns text := 'c.base_hourly_rate as rate_1, null::integer as rate_2_day, null::numeric as rate_2, null::integer as rate_3_day, null::numeric as rate_3,
    null::integer as rate_4_day, null::numeric as rate_4';
begin
  if p_rate_steps is not null then
    -- A step holds from its year of service until the next listed year, from its date until the next dated row.
    v_columns := 'coalesce(r.rates[1], c.base_hourly_rate) as rate_1, r.days[2] as rate_2_day, r.rates[2] as rate_2, r.days[3] as rate_3_day, r.rates[3] as rate_3,
    r.days[4] as rate_4_day, case when cardinality(r.days) > 4 then rules.too_many_rates(c.employee_id) else r.rates[4] end as rate_4';
    v_rates := format($q$
left join (
  -- Most crew members share their rates with others of their position and years: found once for all of them.
  select keys.*, found.rates, found.days
  from (
    select distinct m.position, m.rates_from_day, m.years_at_anniversary
    from members as m
  ) as keys
  cross join lateral (
    select array_agg(changes.rate order by changes.day) as rates, array_agg(changes.day order by changes.day) as days
    from (
      select chosen.day, chosen.rate
      from (
        select moments.day, steps.rate,
          row_number() over (partition by moments.day order by steps.year desc, steps.from_day desc) as preference
        from (
          select distinct day
          from (values (@month_first_day@ - 31), (keys.rates_from_day)) as m (day)
          union
          select from_day from rate_steps where from_day between @month_first_day@ - 30 and @period_last_day@ + 1
        ) as moments
        join rate_steps as steps on steps.position = keys.position::text
          and steps.from_day <= moments.day
          and steps.until_day > moments.day
          and steps.year <= 1 + case when moments.day >= keys.rates_from_day then keys.years_at_anniversary else keys.years_at_anniversary - 1 end
      ) as chosen
      where chosen.preference = 1
    ) as changes
  ) as found
) as r on r.position = c.position and r.rates_from_day = c.rates_from_day and r.years_at_anniversary = c.years_at_anniversary$q$);
  end if;
  return format($q$with %5$smembers as materialized (
  select c.*, a.years_at_anniversary, n.anniversary_day, greatest(n.anniversary_day, @month_first_day@ - 31) as rates_from_day,
    c.hire_date - date '1970-01-01' as hire_day, c.termination_date - date '1970-01-01' as left_day
  from @members@ as c
  cross join lateral (select extract(year from @period_last@)::integer - extract(year from c.hire_date)::integer as years) as y
  -- The last anniversary, and the years completed on it: the staged span holds one at most.
  cross join lateral (
    select greatest(0, case when (c.hire_date + make_interval(years => y.years))::date <= @period_last@ + 1 then y.years else y.years - 1 end) as years_at_anniversary
  ) as a
  cross join lateral (
    select (c.hire_date + make_interval(years => a.years_at_anniversary))::date - date '1970-01-01' as anniversary_day
  ) as n
  where c.enterprise_id = @enterprise@
    and c.position = any (%1$L::crew.crew_position[])
    and c.hire_date <= @period_last@
    and (c.termination_date is null or c.termination_date >= @month_first@)
    and (@crew@ is null or c.id = any (@crew@))
)
select
  (row_number() over (order by c.employee_id))::integer as no,
  c.id, c.employee_id,
  c.position::text as crew_position,
  c.base_location::text as crew_base,
  (extract(year from age(@month_first@, c.hire_date)))::integer as crew_years_of_service,
  c.contract_type::text as crew_contract_type,
  c.union_status::text as crew_union_status,
  c.seniority_number as crew_seniority_number,
  c.hire_day, c.left_day,
  %4$s,%7$s
  %2$s
from members as c
join crew.airports as a on a.iata = c.base_location
%6$s%3$s$q$, p_positions, v_columns, v_rates,
    case when rules.looks_back(p_settings) then 'a.time_zone as base_zone'
      else E'z.zone_offset as base_offset, z.zone_change as base_change, z.zone_offset_after as base_offset_after,\n  '
        || rules.held_columns('c', '@month_first@', '@month_last@', p_columns) end,
    case when p_rate_steps is null then '' else format(
      'rate_steps as materialized (select * from jsonb_to_recordset(%L::jsonb) as s (position text, year integer, from_day integer, until_day integer, rate numeric)), ', p_rate_steps) end,
    -- A plan that looks back has the clock of each time and what is held in each month at the leg.
    case when rules.looks_back(p_settings) then ''
      else E'join _zones as z on z.time_zone = a.time_zone\nleft join @months@ as m on m.enterprise_id = @enterprise@ and m.crew_member_id = c.id and m.month = @month_first@' end,
    case when rules.reads_column(p_columns, 'crew_attributes') then '
  c.attributes as crew_attributes,' else '' end
    || case when rules.reads_column(p_columns, 'anniversary_day') then '
  c.anniversary_day, c.years_at_anniversary,' else '' end);
end
$$;
comment on function rules.plan_people(crew.crew_position[], jsonb, jsonb, text[]) is
'SELECT of the stage _people: one row per crew member employed in the month to date.
p_positions: positions of the ruleset; p_rate_steps: rows {position, year, from_day, until_day, rate}, or null: base_hourly_rate;
p_settings: contract settings; p_columns: SQL of the columns that the stages read.';

-- Zones in use, each with its one clock change in the staged span; a span that looks back has a row for each change, and the rows
-- of a zone meet halfway between two changes, so that whatever lies about there has the same clock in both.
create or replace function rules.plan_zones(p_all_airports boolean, p_settings jsonb)
returns text
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select rules.reach_back(format($q$select zones.time_zone, o.*
from (
  select distinct a.time_zone
  from crew.airports as a
  where a.iata in (
    select c.base_location from @members@ as c where c.enterprise_id = @enterprise@%s)
) as zones
cross join lateral %s as o$q$,
    case when p_all_airports then '
    union select airport.iata from (
      select distinct f.origin_airport, f.destination_airport
      from @flights@ as f
      where f.enterprise_id = @enterprise@ and f.scheduled_departure between @lo@ and @hi@@flights_of_crew@
    ) as route
    cross join lateral (values (route.origin_airport), (route.destination_airport)) as airport (iata)'
    else '' end,
    case when rules.looks_back(p_settings) then 'crew.zone_segments(zones.time_zone, @lo@, @hi@)' else 'crew.zone_offsets(zones.time_zone, @lo@, @hi@)' end), p_settings)
$$;
comment on function rules.plan_zones(boolean, jsonb) is
'SELECT of the stage _zones.
p_all_airports: whether a term reads a clock other than the base''s; p_settings: contract settings.';

-- Flights of the span with their times as minutes: computed once a flight, not once a crew member on it.
create or replace function rules.flight_source(p_all_airports boolean, p_settings jsonb, p_columns text[])
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select format($q$    select
      f.id, f.aircraft_type::text, f.delay_code::text, f.delay_minutes,
      f.status = 'CANCELLED' as cancelled, f.status = 'DIVERTED' as diverted,
      f.origin_airport::text as origin, f.destination_airport::text as destination,
      %1$s as out_at, %2$s as in_at, %3$s as scheduled_out_at, %4$s as scheduled_in_at%5$s%7$s
    from @flights@ as f%6$s
    where f.enterprise_id = @enterprise@
      and f.scheduled_departure between @lo@ and @hi@ + interval '1 day'@flights_of_crew@
    offset 0$q$,
    rules.minutes_sql('f.actual_departure'), rules.minutes_sql('f.actual_arrival'),
    rules.minutes_sql('f.scheduled_departure'), rules.minutes_sql('f.scheduled_arrival'),
    case when p_all_airports then ',
      oa.country::text as origin_country, da.country::text as destination_country,
      oz.zone_offset as origin_offset, oz.zone_change as origin_change, oz.zone_offset_after as origin_offset_after,
      dz.zone_offset as destination_offset, dz.zone_change as destination_change, dz.zone_offset_after as destination_offset_after' else '' end,
    case when p_all_airports then format('
    join crew.airports as oa on oa.iata = f.origin_airport
    join _zones as oz on oz.time_zone = oa.time_zone%1$s
    join crew.airports as da on da.iata = f.destination_airport
    join _zones as dz on dz.time_zone = da.time_zone%2$s',
      case when rules.looks_back(p_settings) then ' and f.scheduled_departure >= oz.holds_from and f.scheduled_departure < oz.holds_until' else '' end,
      case when rules.looks_back(p_settings) then ' and f.scheduled_departure >= dz.holds_from and f.scheduled_departure < dz.holds_until' else '' end) else '' end,
    case when rules.reads_column(p_columns, 'flight_attributes') then ', f.attributes as flight_attributes' else '' end)
$$;
comment on function rules.flight_source(boolean, jsonb, text[]) is
'SELECT of the flights that legs of the span are on.
p_all_airports: whether clocks or countries of origin and destination are read; p_settings: contract settings;
p_columns: SQL of the columns of the leg stage.';

-- Legs of a plan that looks back, each with the base clock of its time and what is held in its month: that of the trip.
create or replace function rules.leg_history(p_statement text, p_settings jsonb, p_columns text[])
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select format($q$  select s.*, z.zone_offset as base_offset, z.zone_change as base_change, z.zone_offset_after as base_offset_after,
    held.month_days, held.month_work_days, held.month_unpaid_days, held.month_line_type, held.month_award_credit%3$s
  from (
%1$s
  ) as s
  join _zones as z on z.time_zone = s.base_zone
    and to_timestamp(coalesce(s.trip_start_at, s.report_at)::bigint * 60) >= z.holds_from
    and to_timestamp(coalesce(s.trip_start_at, s.report_at)::bigint * 60) < z.holds_until
  left join _held as held on held.no = s.no
    and (%2$s + case when %2$s >= z.zone_change then z.zone_offset_after else z.zone_offset end) / 1440 between held.first_day and held.last_day
  offset 0$q$, rules.reach_back(p_statement, p_settings),
    case p_settings ->> 'books' when 'end' then 'coalesce(s.trip_end_at, s.report_at)' else 'coalesce(s.trip_start_at, s.report_at)' end,
    case when rules.reads_column(p_columns, 'month_days_off') then ', held.month_days_off' else '' end
      || case when rules.reads_column(p_columns, 'month_attributes') then ', held.month_attributes' else '' end)
$$;
comment on function rules.leg_history(text, jsonb, text[]) is
'The innermost SELECT of the leg stage for a plan that looks back.
p_statement: SELECT of the legs; p_settings: contract settings; p_columns: SQL of the columns of the leg stage.';

-- Legs of every trip that overlaps the contract month to date, and duties without a trip in it.
create or replace function rules.leg_source(p_columns text[], p_settings jsonb)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select case when rules.looks_back(p_settings) then rules.leg_history(source.statement, p_settings, p_columns) else source.statement end
  from (select format($q$  select
    p.*,
    a.leg_no,
    -- The name of an enum's value is looked up for each row; that of most legs is known here.
    case a.activity when 'FLIGHT' then 'FLIGHT' else a.activity::text end as activity,
    case a.position when 'OPERATING' then 'OPERATING' else a.position::text end as position,
    a.activity = 'FLIGHT' as is_flight,
    a.published_credit_minutes as published_credit,%14$s
    %11$s as report_at,
    coalesce(%5$s, f.in_at + %1$s, f.scheduled_in_at + %1$s) as release_at,
    f.out_at, f.in_at, f.scheduled_out_at, f.scheduled_in_at,
    coalesce(f.scheduled_out_at - %2$s, %4$s) as scheduled_report_at,
    coalesce(f.scheduled_in_at + %1$s, %5$s) as scheduled_release_at,
    f.origin, f.destination, f.aircraft_type, f.delay_code, f.delay_minutes,
    coalesce(f.cancelled, false) as cancelled, coalesce(f.diverted, false) as diverted,
    t.trip_no, t.trip_start_at, t.trip_end_at, t.trip_scheduled_start_at, t.trip_scheduled_end_at,
    %12$s as trip_away_at, %13$s as trip_back_at,
    t.trip_awarded_credit, t.trip_pickup, t.trip_from_reserve%15$s%3$s
  from _people as p
  join @assignments@ as a on a.enterprise_id = @enterprise@
    and a.crew_member_id = p.id
    and a.retired_at is null
    and a.duty_start_time between @lo@ and @hi@@legs_of_crew@
  left join (
    select t.id, t.trip_no,
      %6$s as trip_start_at, %7$s as trip_end_at, %8$s as trip_scheduled_start_at, %9$s as trip_scheduled_end_at,
      t.awarded_credit_minutes as trip_awarded_credit, t.pickup::text as trip_pickup, t.from_reserve as trip_from_reserve%16$s
    from @trips@ as t
    where t.enterprise_id = @enterprise@
      and t.start_at between @lo@ and @period_last@ + interval '2 days'
      and t.end_at >= @month_first@ - interval '1 day'
      and (@crew@ is null or t.crew_member_id = any (@crew@))
    offset 0
  ) as t on t.id = a.trip_id
  left join (
%10$s
  ) as f on f.id = a.flight_id
  where (a.trip_id is null) = (t.id is null)
  offset 0$q$,
    coalesce(p_settings ->> 'release_after', '15')::integer, coalesce(p_settings ->> 'report_before', '60')::integer,
    case when rules.reads_airports(p_columns, p_settings) then ',
    f.origin_country, f.destination_country, f.origin_offset, f.origin_change, f.origin_offset_after,
    f.destination_offset, f.destination_change, f.destination_offset_after' else '' end,
    rules.minutes_sql('a.duty_start_time'), rules.minutes_sql('a.duty_end_time'),
    rules.minutes_sql('t.start_at'), rules.minutes_sql('t.end_at'),
    rules.minutes_sql('t.scheduled_start_at'), rules.minutes_sql('t.scheduled_end_at'),
    rules.flight_source(rules.reads_airports(p_columns, p_settings), p_settings, p_columns),
    -- From the later of report as recorded and as scheduled, where the contract says so; legs of a duty share it.
    case p_settings ->> 'report_from' when 'later' then format(
      'greatest(%s, min(f.scheduled_out_at) over (partition by a.crew_member_id, a.duty_start_time) - %s)',
      rules.minutes_sql('a.duty_start_time'), coalesce(p_settings ->> 'report_before', '60')::integer)
    else rules.minutes_sql('a.duty_start_time') end,
    case p_settings ->> 'tafb_from' when 'scheduled' then 't.trip_scheduled_start_at'
      when 'later' then 'greatest(t.trip_start_at, t.trip_scheduled_start_at)' else 't.trip_start_at' end,
    case p_settings ->> 'tafb_from' when 'scheduled' then 't.trip_scheduled_end_at' else 't.trip_end_at' end,
    case when rules.reads_column(p_columns, 'position_flown') then '
    a.position_flown::text,' else '' end
    || case when rules.reads_column(p_columns, 'leg_attributes') then '
    a.attributes as leg_attributes,' else '' end
    || case when rules.reads_column(p_columns, 'flight_attributes') then '
    f.flight_attributes,' else '' end,
    case when rules.reads_column(p_columns, 'trip_attributes') then ', t.trip_attributes' else '' end,
    case when rules.reads_column(p_columns, 'trip_attributes') then ', t.attributes as trip_attributes' else '' end)) as source (statement)
$$;
comment on function rules.leg_source(text[], jsonb) is
'The innermost SELECT of the leg stage: raw columns that fact expressions read (alias s).
p_columns: SQL of the columns of the leg stage; p_settings: report_before, release_after (minutes).';
