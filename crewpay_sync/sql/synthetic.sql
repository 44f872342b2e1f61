-- name: crew
-- Crews of five who fly together: captain, first officer, three flight attendants. Every 97th joins in the last month.
insert into crew.crew_members (
  enterprise_id, id, employee_id, first_name, last_name, position, base_location, hire_date, seniority_number, union_status,
  person_id)
select
  %(enterprise)s, md5(%(key)s || 'crew' || n)::uuid, 'B' || lpad(n::text, 6, '0'),
  (array['Ada', 'Ben', 'Carla', 'David', 'Elena', 'Felix', 'Grace', 'Hector', 'Ines', 'Jack'])[1 + mod(n, 10)],
  (array['Adams', 'Bauer', 'Chang', 'Diaz', 'Evans', 'Foster', 'Gupta', 'Hansen', 'Ito', 'Jensen', 'Khan'])[1 + mod(n, 11)],
  (array['CAPTAIN', 'FIRST_OFFICER', 'FLIGHT_ATTENDANT', 'FLIGHT_ATTENDANT', 'FLIGHT_ATTENDANT'])[1 + mod(n - 1, 5)]
    ::crew.crew_position,
  'JFK',
  case
    when mod(n, 97) = 0 then %(last_month)s::date + 9 + mod(n, 12)
    else %(first)s::date - 30 - (9000 * power((n - 0.5) / %(crew)s, 1.5))::integer
  end,
  n, 'UNION_MEMBER', md5(%(key)s || 'person' || n)::uuid
from generate_series(1, %(crew)s) n
on conflict do nothing;

-- name: places
-- Outstations: block from the base in minutes.
create temporary table bench_places (place integer primary key, airport text not null, block integer not null) on commit drop;

-- name: fill_places
insert into bench_places
values
  (0, 'BOS', 75), (1, 'DCA', 80), (2, 'BUF', 78), (3, 'PIT', 85), (4, 'RDU', 98), (5, 'CLT', 118), (6, 'DTW', 115),
  (7, 'CMH', 100), (8, 'ORD', 145), (9, 'YYZ', 95), (10, 'YUL', 88), (11, 'SAV', 128), (12, 'BNA', 140), (13, 'ATL', 142),
  (14, 'ORF', 80), (15, 'RIC', 82), (16, 'PWM', 80), (17, 'BDA', 130), (18, 'LAX', 375), (19, 'SFO', 380), (20, 'SEA', 370);

-- name: trips
-- A slot of six days per crew and trip. One in twelve goes to the west coast and comes back overnight; the others have
-- one to four duties of one to four legs through the base. draw: a number from the hash of crew and slot.
create temporary table bench_trips on commit drop as
select
  t.team, s.slot, d.draw,
  d.draw %% 12 = 0 as is_west,
  case
    when d.draw %% 12 = 0 then 2
    when d.draw / 12 %% 20 < 2 then 1
    when d.draw / 12 %% 20 < 6 then 2
    when d.draw / 12 %% 20 < 15 then 3
    else 4
  end as duties,
  (date '2020-01-01' + s.slot * 6 + t.team %% 6) as starts_on,
  300 + d.draw / 240 %% 8 * 60 as report_minute
from generate_series(0, (%(crew)s - 1) / 5) as t (team)
cross join generate_series(
  (%(first)s::date - date '2020-01-01') / 6 - 1, (%(last)s::date - date '2020-01-01') / 6 + 1) as s (slot)
cross join lateral (
  select (hashint8extended(t.team::bigint * 1000003 + s.slot, %(seed)s) & 281474976710655) as draw) d
where date '2020-01-01' + s.slot * 6 + t.team %% 6 between %(first)s::date and %(last)s::date;

-- name: duties
-- Legs of a duty: the first and last of several have an odd number, so that crews rest away from the base.
create temporary table bench_duties on commit drop as
select
  t.*, d.duty, l.legs,
  sum(l.legs) over (partition by t.team, t.slot order by d.duty) - l.legs as legs_before,
  sum(l.legs) over (partition by t.team, t.slot) as trip_legs,
  ((t.starts_on + d.duty)::timestamp + make_interval(mins => case
    when t.is_west and d.duty = 0 then 960
    when t.is_west then 1440
    else t.report_minute + d.duty * 10
  end::integer)) at time zone 'America/New_York' as report,
  case when h.draw %% 100 < 12 then 20 + h.draw / 100 %% 60 else 0 end as late,
  t.duties = 1 and h.draw / 6000 %% 4 = 0 as cancels
from bench_trips t
cross join lateral generate_series(0, t.duties - 1) as d (duty)
cross join lateral (
  select (hashint8extended((t.team::bigint * 1000003 + t.slot) * 7 + d.duty, %(seed)s) & 281474976710655) as draw) h
cross join lateral (
  select case
    when t.is_west then 1
    when t.duties = 1 then case when h.draw / 120000 %% 2 = 0 then 2 else 4 end
    when d.duty in (0, t.duties - 1) then case when h.draw / 120000 %% 5 = 0 then 1 else 3 end
    when h.draw / 120000 %% 2 = 0 then 2
    else 4
  end as legs) l;

-- name: legs
create temporary table bench_legs on commit drop as
with placed as (
  select
    d.*, k.leg, d.legs_before + k.leg as trip_leg, h.draw as leg_draw,
    (d.legs_before + k.leg) %% 2 = 1 as is_outbound, p.airport, p.block
  from bench_duties d
  cross join lateral generate_series(1, d.legs) as k (leg)
  -- The outbound and its way back go to and from one place.
  cross join lateral (
    select (hashint8extended((d.team::bigint * 1000003 + d.slot) * 64 + (d.legs_before + k.leg + 1) / 2, %(seed)s)
      & 281474976710655) as place_draw) q
  cross join lateral (
    select (hashint8extended((d.team::bigint * 1000003 + d.slot) * 128 + d.legs_before + k.leg, %(seed)s)
      & 281474976710655) as draw) h
  join bench_places p on p.place = case when d.is_west then 18 + q.place_draw %% 3 else q.place_draw %% 18 end
),
timed as (
  select
    p.*,
    p.report + make_interval(mins => (60 + sum(p.block + 40) over w - p.block - 40)::integer) as scheduled_departure,
    greatest(p.late, p.leg_draw %% 16 - 6) as departure_delay,
    p.leg_draw / 16 %% 17 - 8 as block_change,
    p.cancels and p.leg > p.legs - 2 as is_cancelled
  from placed p
  window w as (partition by p.team, p.slot, p.duty order by p.leg)
)
select
  t.*,
  md5(%(key)s || 'flight' || t.team || '|' || t.slot || '|' || t.trip_leg)::uuid as flight_id,
  t.scheduled_departure + make_interval(mins => t.block) as scheduled_arrival,
  case when not t.is_cancelled then t.scheduled_departure + make_interval(mins => t.departure_delay::integer) end
    as actual_departure,
  case when not t.is_cancelled
    then t.scheduled_departure + make_interval(mins => (t.block + t.departure_delay + t.block_change)::integer) end
    as actual_arrival
from timed t;

-- name: flights
insert into crew.flights (
  enterprise_id, id, flight_number, origin_airport, destination_airport, scheduled_departure, scheduled_arrival,
  actual_departure, actual_arrival, delay_minutes, delay_code, aircraft_type, aircraft_registration, status)
select
  %(enterprise)s, l.flight_id, 'BN' || l.team || l.leg, case when l.is_outbound then 'JFK' else l.airport end,
  case when l.is_outbound then l.airport else 'JFK' end, l.scheduled_departure, l.scheduled_arrival, l.actual_departure,
  l.actual_arrival,
  case when l.is_cancelled then 0 else greatest(0, l.departure_delay + l.block_change) end,
  case when not l.is_cancelled and l.departure_delay + l.block_change > 14
    then (array['MX', 'WX', 'ATC', 'OPS', 'CREW'])[1 + l.leg_draw / 272 %% 5] end,
  case when l.is_west then 'A321' else 'E190' end, 'N' || 100 + mod(l.team, 800) || 'BN',
  case when l.is_cancelled then 'CANCELLED' else 'ARRIVED' end::crew.flight_status
from bench_legs l
order by l.scheduled_departure, l.team
on conflict do nothing;

-- name: duty_ends
create temporary table bench_duty_ends on commit drop as
select
  l.team, l.slot, l.duty, min(l.report) as report, max(l.scheduled_arrival) + interval '15 minutes' as scheduled_release,
  greatest(max(l.actual_arrival), min(l.scheduled_departure) filter (where l.is_cancelled)) + interval '15 minutes' as release
from bench_legs l
group by l.team, l.slot, l.duty;

-- name: members
create temporary table bench_members on commit drop as
select m.id, (m.seniority_number - 1) / 5 as team, m.seniority_number, m.hire_date
from crew.crew_members m
where m.enterprise_id = %(enterprise)s
  and m.seniority_number <= %(crew)s;

-- name: analyze_staged
analyze bench_legs, bench_duty_ends, bench_members;

-- name: crew_trips
insert into crew.trips (
  enterprise_id, id, crew_member_id, trip_number, base_location, start_at, end_at, scheduled_start_at, scheduled_end_at, pickup)
select
  %(enterprise)s, md5(%(key)s || 'trip' || m.seniority_number || '|' || t.slot)::uuid, m.id,
  'B' || t.team || '-' || t.slot, 'JFK', t.starts, t.ends, t.starts, t.scheduled_ends,
  case when mod(t.slot + m.seniority_number, 17) = 0 then 'OPEN_TIME' else 'AWARDED' end::crew.pickup
from (
  select d.team, d.slot, min(d.report) as starts, max(d.release) as ends, max(d.scheduled_release) as scheduled_ends
  from bench_duty_ends d
  group by d.team, d.slot) t
join bench_members m on m.team = t.team and m.hire_date <= t.starts::date - 1
order by t.starts, m.seniority_number
on conflict do nothing;

-- name: assignments
insert into crew.crew_assignments (
  enterprise_id, id, crew_member_id, flight_id, trip_id, position, duty_start_time, duty_end_time, check_in_time,
  check_out_time)
select
  %(enterprise)s, md5(%(key)s || 'leg' || m.seniority_number || '|' || l.slot || '|' || l.trip_leg)::uuid, m.id,
  l.flight_id, md5(%(key)s || 'trip' || m.seniority_number || '|' || l.slot)::uuid,
  case when l.draw / 1920 %% 25 = 0 and l.trip_leg = l.trip_legs then 'DEADHEAD' else 'OPERATING' end
    ::crew.assignment_position,
  d.report, d.release, d.report, d.release
from bench_legs l
join bench_duty_ends d on d.team = l.team and d.slot = l.slot and d.duty = l.duty
join bench_members m on m.team = l.team
join (select e.team, e.slot, min(e.report) as starts from bench_duty_ends e group by e.team, e.slot) s
  on s.team = l.team and s.slot = l.slot and m.hire_date <= s.starts::date - 1
order by l.scheduled_departure, m.seniority_number
on conflict do nothing;

-- name: months
insert into crew.crew_months (enterprise_id, crew_member_id, month, line_type, work_days)
select %(enterprise)s, m.id, g.month::date, 'LINE', 15
from bench_members m
cross join generate_series(%(first)s::date, %(last)s::date, interval '1 month') as g (month)
on conflict do nothing;

-- name: periods
insert into pay.pay_periods (enterprise_id, id, start_date, end_date, pay_date, contract_month)
select
  %(enterprise)s, md5(%(key)s || 'period' || g.month::date)::uuid, g.month::date,
  (g.month + interval '1 month')::date - 1, (g.month + interval '1 month')::date + 9, g.month::date
from generate_series(%(first)s::date, %(last)s::date, interval '1 month') as g (month)
on conflict do nothing;

-- name: analyze
analyze crew.flights, crew.crew_members, crew.trips, crew.crew_assignments, crew.crew_months;

-- name: counts
select
  (select count(*) from crew.crew_members where enterprise_id = %(enterprise)s) as crew,
  (select count(*) from crew.flights where enterprise_id = %(enterprise)s) as flights,
  (select count(*) from crew.trips where enterprise_id = %(enterprise)s) as trips,
  (select count(*) from crew.crew_assignments where enterprise_id = %(enterprise)s) as legs,
  (select count(*) from crew.crew_assignments where enterprise_id = %(enterprise)s and position = 'DEADHEAD') as deadheads;

-- name: no_triggers
set local session_replication_role = replica;

-- name: triggers
set local session_replication_role = origin;
