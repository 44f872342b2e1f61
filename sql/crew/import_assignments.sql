-- Assignments from a file. Natural key: employee number and flight; for ground activity employee number, activity and report.
-- Where the file names no trip, the trip is derived: from leaving the base to returning to it.

create or replace function crew.import_assignments(
  p_batch uuid, out o_inserted integer, out o_updated integer, out o_unchanged integer, out o_rejected integer)
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_nestloop = off -- staged rows have no statistics: planned as one row, joins would go row by row
as $$
declare
  v_enterprise uuid := auth.enterprise_id();
  v_closed boolean := exists (
    select from pay.pay_periods p where p.enterprise_id = auth.enterprise_id() and p.status <> 'OPEN');
begin
  with located as materialized (
    select
      r.row_no,
      r.data as given,
      r.data ->> 'employee_id' as employee_id,
      m.id as crew_member_id,
      m.base_location as home,
      coalesce(upper(r.data ->> 'activity'), 'FLIGHT') as activity,
      r.data ->> 'flight_number' as flight_number,
      crew.import_time(r.data ->> 'scheduled_departure') as scheduled_departure,
      crew.import_airport(r.data ->> 'origin_airport') as origin_airport,
      crew.import_time(r.data ->> 'duty_start_time') as duty_start_time
    from crew.import_rows r
    left join crew.crew_members m
      on m.enterprise_id = v_enterprise
      and m.employee_id = r.data ->> 'employee_id'
    where r.enterprise_id = v_enterprise
      and r.batch_id = p_batch
  ),
  flown as materialized (
    select
      l.row_no,
      count(*) as matches,
      (array_agg(f.id))[1] as flight_id,
      max(greatest(f.actual_arrival, f.scheduled_arrival)) as arrival
    from located l
    join crew.flights f
      on f.enterprise_id = v_enterprise
      and f.flight_number = l.flight_number
      and f.scheduled_departure = l.scheduled_departure
      and (l.given ->> 'origin_airport' is null or f.origin_airport = l.origin_airport)
    group by l.row_no
  ),
  known_legs as materialized (
    select l.row_no, f.flight_id, f.matches, f.arrival, a as known
    from located l
    left join flown f on f.row_no = l.row_no
    left join lateral (
      select a.*
      from crew.crew_assignments a
      where a.enterprise_id = v_enterprise
        and a.crew_member_id = l.crew_member_id
        and a.retired_at is null
        and (l.activity = 'FLIGHT' and a.flight_id = f.flight_id
          or l.activity <> 'FLIGHT' and a.duty_start_time = l.duty_start_time and a.activity::text = l.activity)
      order by a.leg_no
      limit 1) a on true
  ),
  merged as materialized (
    select
      l.*,
      coalesce(jsonb_strip_nulls(to_jsonb(k.known)), '{}') || l.given as data,
      k.known,
      k.flight_id,
      coalesce(k.matches, 0) as matches,
      k.arrival
    from located l
    join known_legs k on k.row_no = l.row_no
  ),
  parsed as materialized (
    select
      m.*,
      coalesce(upper(m.data ->> 'position'), 'OPERATING') as position,
      upper(m.data ->> 'position_flown') as position_flown,
      crew.import_time(m.data ->> 'duty_end_time') as duty_end_time,
      crew.import_time(m.data ->> 'check_in_time') as check_in_time,
      crew.import_time(m.data ->> 'check_out_time') as check_out_time,
      crew.import_number(m.data ->> 'published_credit_minutes', 6) as published_credit_minutes,
      case
        when m.given ->> 'trip_number' is null then (m.known).trip_id
        else (
          select t.id
          from crew.trips t
          where t.enterprise_id = v_enterprise
            and t.crew_member_id = m.crew_member_id
            and t.trip_number = m.given ->> 'trip_number'
            and m.duty_start_time between least(t.start_at, t.scheduled_start_at) and greatest(t.end_at, t.scheduled_end_at)
          order by t.start_at
          limit 1)
      end as trip_id,
      row_number() over (
        partition by m.employee_id, m.activity, coalesce(m.flight_number, ''), m.scheduled_departure, m.origin_airport,
          case when m.activity <> 'FLIGHT' then m.duty_start_time end
        order by m.row_no) as copy_no
    from merged m
  ),
  judged as materialized (
    select
      p.*,
      concat_ws(', ',
        case when p.given ? '_fields' then 'number of fields' end,
        case when p.activity <> all (enum_range(null::crew.activity)::text[]) then 'activity' end,
        case when p.activity = 'FLIGHT' and p.flight_number is null then 'flight_number' end,
        case when p.activity = 'FLIGHT' and p.scheduled_departure is null
          or p.given ->> 'scheduled_departure' is not null and p.scheduled_departure is null then 'scheduled_departure' end,
        case when p.activity <> 'FLIGHT' and p.flight_number is not null then 'flight_number' end,
        case when p.position <> all (enum_range(null::crew.assignment_position)::text[]) then 'position' end,
        case when p.position_flown <> all (enum_range(null::crew.crew_position)::text[]) then 'position_flown' end,
        case when p.duty_start_time is null then 'duty_start_time' end,
        case when p.data ->> 'duty_end_time' is not null and p.duty_end_time is null
          or p.duty_end_time <= p.duty_start_time
          or p.activity <> 'FLIGHT' and p.duty_end_time is null then 'duty_end_time' end,
        case when p.data ->> 'check_in_time' is not null and p.check_in_time is null then 'check_in_time' end,
        case when p.data ->> 'check_out_time' is not null and p.check_out_time is null then 'check_out_time' end,
        case when p.data ->> 'published_credit_minutes' is not null and coalesce(p.published_credit_minutes, -1) < 0
          then 'published_credit_minutes' end,
        case when p.given ->> 'trip_number' is not null and p.trip_id is null and p.crew_member_id is not null
          then 'trip_number' end) as bad,
      row(
        p.trip_id, p.position, p.position_flown, p.duty_start_time, p.duty_end_time, p.check_in_time, p.check_out_time,
        p.published_credit_minutes
      ) is not distinct from row(
        (p.known).trip_id, (p.known).position::text, (p.known).position_flown::text, (p.known).duty_start_time,
        (p.known).duty_end_time, (p.known).check_in_time, (p.known).check_out_time, (p.known).published_credit_minutes)
        and (p.known).id is not null as is_known
    from parsed p
  ),
  -- Duties as they would be: those of the file, and those on record that the file does not replace.
  duties as materialized (
    select
      j.crew_member_id, j.duty_start_time, min(j.row_no) as row_no,
      max(coalesce(j.duty_end_time, j.arrival, j.duty_start_time)) as duty_end_time
    from judged j
    where j.bad = ''
      and j.crew_member_id is not null
      and (j.activity <> 'FLIGHT' or j.matches = 1)
      and j.copy_no = 1
    group by j.crew_member_id, j.duty_start_time
    union all
    select
      a.crew_member_id, a.duty_start_time, 0,
      max(coalesce(a.duty_end_time, f.actual_arrival, f.scheduled_arrival, a.duty_start_time))
    from crew.crew_assignments a
    left join crew.flights f on f.enterprise_id = a.enterprise_id and f.id = a.flight_id
    where a.enterprise_id = v_enterprise
      and a.retired_at is null
      and a.crew_member_id in (select j.crew_member_id from judged j)
      and a.duty_start_time between (select min(j.duty_start_time) from judged j) - interval '3 days'
        and (select max(j.duty_start_time) from judged j) + interval '3 days'
      and a.id not in (select (j.known).id from judged j where (j.known).id is not null)
    group by a.crew_member_id, a.duty_start_time
  ),
  conflicts as materialized (
    select distinct j.row_no
    from judged j
    join duties o
      on o.crew_member_id = j.crew_member_id
      and o.duty_start_time <> j.duty_start_time
      and o.duty_start_time < coalesce(j.duty_end_time, j.arrival, j.duty_start_time)
      and o.duty_end_time > j.duty_start_time
      and o.row_no < j.row_no
  ),
  verdict as materialized (
    select
      j.*,
      case
        when j.bad <> '' then 'CP109'
        when j.employee_id is null then 'CP105'
        when j.crew_member_id is null then 'CP106'
        when j.activity = 'FLIGHT' and j.given ->> 'origin_airport' is not null and j.origin_airport is null then 'CP101'
        when j.activity = 'FLIGHT' and j.matches <> 1 then 'CP107'
        when j.copy_no > 1 then 'CP108'
        when c.row_no is not null then 'CP103'
        when v_closed and not j.is_known and (
          crew.import_is_closed(j.duty_start_time, j.home)
          or crew.import_is_closed((j.known).duty_start_time, j.home)) then 'CP211'
      end as code
    from judged j
    left join conflicts c on c.row_no = j.row_no
  ),
  refused as (
    insert into crew.import_rejects (enterprise_id, batch_id, row_no, code, reason, data)
    select
      v_enterprise, p_batch, v.row_no, v.code,
      case v.code
        when 'CP109' then crew.import_bad_values(v.bad, v.data)
        when 'CP105' then 'no employee_id'
        when 'CP106' then 'unknown crew member: ' || v.employee_id
        when 'CP101' then 'unknown airport: ' || (v.given ->> 'origin_airport')
        when 'CP107' then case
          when v.matches = 0 then format('unknown flight: %s of %s', v.flight_number, v.given ->> 'scheduled_departure')
          else format('%s flights are %s of that time: give origin_airport', v.matches, v.flight_number) end
        when 'CP108' then 'the same leg stands in an earlier row'
        when 'CP103' then 'the crew member is on another duty at that time'
        else 'the pay period of ' || v.duty_start_time || ' is not open'
      end,
      v.given
    from verdict v
    where v.code is not null
    returning 1
  ),
  updated as (
    update crew.crew_assignments a
    set trip_id = v.trip_id, position = v.position::crew.assignment_position,
      position_flown = v.position_flown::crew.crew_position, duty_start_time = v.duty_start_time,
      duty_end_time = v.duty_end_time, check_in_time = v.check_in_time, check_out_time = v.check_out_time,
      published_credit_minutes = v.published_credit_minutes, updated_at = now()
    from verdict v
    where a.enterprise_id = v_enterprise
      and a.id = (v.known).id
      and v.code is null
      and not v.is_known
    returning 1
  ),
  inserted as (
    insert into crew.crew_assignments (
      enterprise_id, crew_member_id, flight_id, trip_id, position, activity, position_flown, duty_start_time,
      duty_end_time, check_in_time, check_out_time, published_credit_minutes)
    select
      v_enterprise, v.crew_member_id, v.flight_id, v.trip_id, v.position::crew.assignment_position,
      v.activity::crew.activity, v.position_flown::crew.crew_position, v.duty_start_time, v.duty_end_time,
      v.check_in_time, v.check_out_time, v.published_credit_minutes
    from verdict v
    where v.code is null
      and (v.known).id is null
    order by v.row_no
    returning 1
  )
  select
    (select count(*) from inserted),
    (select count(*) from updated),
    (select count(*) from verdict v where v.code is null and v.is_known),
    (select count(*) from refused)
  into o_inserted, o_updated, o_unchanged, o_rejected;
  perform crew.import_derive_trips(p_batch);
end $$;
revoke all on function crew.import_assignments(uuid) from public;
grant execute on function crew.import_assignments(uuid) to crewpay_definer;
comment on function crew.import_assignments(uuid) is
  'Checks the staged assignments of an import and writes the good ones; called by crew.import_finish().
p_batch: the import. Counts rows by what became of them.
Rejects: CP101, CP103, CP105, CP106, CP107, CP108, CP109, CP211.';

create or replace function crew.import_derive_trips(p_batch uuid)
returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_nestloop = off -- staged rows have no statistics: planned as one row, joins would go row by row
as $$
declare
  v_enterprise uuid := auth.enterprise_id();
  v_from timestamptz;
  v_trips integer;
begin
  select min(crew.import_time(r.data ->> 'duty_start_time')) - interval '5 days' into v_from
  from crew.import_rows r
  where r.enterprise_id = v_enterprise
    and r.batch_id = p_batch;
  with legs as materialized (
    select
      a.id, a.crew_member_id, a.trip_id, a.duty_start_time, m.base_location as home, f.origin_airport,
      f.destination_airport, f.scheduled_departure, f.scheduled_arrival,
      coalesce(a.duty_end_time, f.actual_arrival, f.scheduled_arrival) as ends
    from crew.crew_assignments a
    join crew.crew_members m on m.enterprise_id = a.enterprise_id and m.id = a.crew_member_id
    join crew.flights f on f.enterprise_id = a.enterprise_id and f.id = a.flight_id
    left join crew.trips t on t.enterprise_id = a.enterprise_id and t.id = a.trip_id
    where a.enterprise_id = v_enterprise
      and a.retired_at is null
      and a.crew_member_id in (
        select c.id
        from crew.import_rows r
        join crew.crew_members c on c.enterprise_id = v_enterprise and c.employee_id = r.data ->> 'employee_id'
        where r.enterprise_id = v_enterprise
          and r.batch_id = p_batch)
      and case when a.trip_id is null then a.duty_start_time >= v_from
        else t.trip_number like 'AUTO-%' and t.end_at >= v_from end
  ),
  duties as (
    select
      l.crew_member_id,
      l.home,
      l.duty_start_time,
      (array_agg(l.destination_airport order by l.scheduled_departure desc))[1] as last_airport,
      max(l.ends) as ends,
      max(l.scheduled_arrival) as scheduled_ends
    from legs l
    group by l.crew_member_id, l.home, l.duty_start_time
  ),
  marked as (
    select
      d.*,
      coalesce(lag(d.last_airport) over w = d.home, true) as is_first
    from duties d
    window w as (partition by d.crew_member_id order by d.duty_start_time)
  ),
  numbered as (
    select
      m.*,
      count(*) filter (where m.is_first) over (partition by m.crew_member_id order by m.duty_start_time) as trip
    from marked m
  ),
  trips as materialized (
    select
      n.crew_member_id,
      n.home,
      n.trip,
      min(n.duty_start_time) as starts,
      max(n.ends) as ends,
      max(n.scheduled_ends) as scheduled_ends,
      'AUTO-' || to_char(min(n.duty_start_time) at time zone 'UTC', 'YYMMDD-HH24MI') as trip_number
    from numbered n
    group by n.crew_member_id, n.home, n.trip
  ),
  written as (
    insert into crew.trips as t (
      enterprise_id, crew_member_id, trip_number, base_location, start_at, end_at, scheduled_start_at, scheduled_end_at)
    select v_enterprise, s.crew_member_id, s.trip_number, s.home, s.starts, s.ends, s.starts, s.scheduled_ends
    from trips s
    order by s.starts, s.crew_member_id
    on conflict (enterprise_id, crew_member_id, trip_number, scheduled_start_at) do update
      set start_at = excluded.start_at, end_at = excluded.end_at, scheduled_end_at = excluded.scheduled_end_at,
        updated_at = now()
    where (t.start_at, t.end_at, t.scheduled_end_at)
      is distinct from (excluded.start_at, excluded.end_at, excluded.scheduled_end_at)
    returning 1
  )
  select count(*) into v_trips from written;

  update crew.crew_assignments a
  set trip_id = t.id, updated_at = now()
  from crew.crew_members c
  join crew.trips t
    on t.enterprise_id = c.enterprise_id
    and t.crew_member_id = c.id
    and t.trip_number like 'AUTO-%'
    and t.end_at >= v_from
  where c.enterprise_id = v_enterprise
    and c.employee_id in (
      select r.data ->> 'employee_id' from crew.import_rows r where r.enterprise_id = v_enterprise and r.batch_id = p_batch)
    and a.enterprise_id = v_enterprise
    and a.crew_member_id = c.id
    and a.activity = 'FLIGHT'
    and a.retired_at is null
    and a.trip_id is null
    and a.duty_start_time >= t.start_at
    and a.duty_start_time < t.end_at;
  return v_trips;
end $$;
revoke all on function crew.import_derive_trips(uuid) from public;
grant execute on function crew.import_derive_trips(uuid) to crewpay_definer;
comment on function crew.import_derive_trips(uuid) is
  'Makes trips (numbered AUTO-…) for imported legs that belong to none: from leaving the base to returning to it.
p_batch: the import whose crew members are looked at. Returns how many trips were made or changed.';
