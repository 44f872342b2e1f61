-- name: stage_flights
create temporary table import_flights (
  enterprise_id uuid not null, id uuid not null, flight_number text not null, origin_airport text not null,
  destination_airport text not null, scheduled_departure timestamptz not null, scheduled_arrival timestamptz not null,
  actual_departure timestamptz, actual_arrival timestamptz, delay_minutes integer not null, aircraft_type text,
  aircraft_registration text, status crew.flight_status not null, source text not null
) on commit drop;

-- name: copy_flights
copy import_flights from stdin;

-- name: stage_members
create temporary table import_members (
  enterprise_id uuid not null, id uuid not null, employee_id text not null, first_name text not null,
  last_name text not null, position crew.crew_position not null, base_location text not null, hire_date date not null,
  seniority_number integer not null, union_status crew.union_status not null, person_id uuid not null
) on commit drop;

-- name: copy_members
copy import_members from stdin;

-- name: stage_trips
create temporary table import_trips (
  enterprise_id uuid not null, id uuid not null, crew_member_id uuid not null, trip_number text not null,
  base_location text not null, start_at timestamptz not null, end_at timestamptz not null,
  scheduled_start_at timestamptz not null, scheduled_end_at timestamptz not null
) on commit drop;

-- name: copy_trips
copy import_trips from stdin;

-- name: stage_legs
create temporary table import_legs (
  enterprise_id uuid not null, id uuid not null, crew_member_id uuid not null, flight_id uuid not null,
  trip_id uuid not null, position crew.assignment_position not null, duty_start_time timestamptz not null,
  duty_end_time timestamptz not null, check_in_time timestamptz, check_out_time timestamptz
) on commit drop;

-- name: copy_legs
copy import_legs from stdin;

-- name: stage_months
create temporary table import_months (
  enterprise_id uuid not null, crew_member_id uuid not null, month date not null, work_days integer not null
) on commit drop;

-- name: copy_months
copy import_months from stdin;

-- name: other_roster
-- Trips of this base and month that the roster now made does not have: it was imported with another seed.
select count(*)
from crew.trips t
where t.enterprise_id = %(enterprise)s
  and t.trip_number like %(trips)s
  and not exists (select from import_trips i where i.enterprise_id = t.enterprise_id and i.id = t.id);

-- name: merge_flights
with merged as (
  insert into crew.flights as f (
    enterprise_id, id, flight_number, origin_airport, destination_airport, scheduled_departure, scheduled_arrival,
    actual_departure, actual_arrival, delay_minutes, aircraft_type, aircraft_registration, status, source)
  select
    enterprise_id, id, flight_number, origin_airport, destination_airport, scheduled_departure, scheduled_arrival,
    actual_departure, actual_arrival, delay_minutes, aircraft_type, aircraft_registration, status, source
  from import_flights
  on conflict (enterprise_id, flight_number, scheduled_departure, origin_airport) do update
    set destination_airport = excluded.destination_airport, scheduled_arrival = excluded.scheduled_arrival,
      actual_departure = excluded.actual_departure, actual_arrival = excluded.actual_arrival,
      delay_minutes = excluded.delay_minutes, aircraft_type = excluded.aircraft_type,
      aircraft_registration = excluded.aircraft_registration, status = excluded.status, source = excluded.source,
      updated_at = now()
    where (f.destination_airport, f.scheduled_arrival, f.actual_departure, f.actual_arrival, f.delay_minutes,
        f.aircraft_type, f.aircraft_registration, f.status, f.source)
      is distinct from (excluded.destination_airport, excluded.scheduled_arrival, excluded.actual_departure,
        excluded.actual_arrival, excluded.delay_minutes, excluded.aircraft_type, excluded.aircraft_registration,
        excluded.status, excluded.source)
  returning xmax = 0 as is_new
)
select count(*) filter (where is_new), count(*) filter (where not is_new) from merged;

-- name: merge_members
with merged as (
  insert into crew.crew_members as m (
    enterprise_id, id, employee_id, first_name, last_name, position, base_location, hire_date, seniority_number,
    union_status, person_id)
  select
    enterprise_id, id, employee_id, first_name, last_name, position, base_location, hire_date, seniority_number,
    union_status, person_id
  from import_members
  on conflict (enterprise_id, employee_id) do nothing
  returning 1
)
select count(*), 0 from merged;

-- name: merge_trips
with merged as (
  insert into crew.trips as t (
    enterprise_id, id, crew_member_id, trip_number, base_location, start_at, end_at, scheduled_start_at, scheduled_end_at)
  select
    enterprise_id, id, crew_member_id, trip_number, base_location, start_at, end_at, scheduled_start_at, scheduled_end_at
  from import_trips
  order by scheduled_start_at, trip_number, crew_member_id
  on conflict (enterprise_id, id) do update
    set start_at = excluded.start_at, end_at = excluded.end_at, scheduled_end_at = excluded.scheduled_end_at,
      updated_at = now()
    where (t.start_at, t.end_at, t.scheduled_end_at)
      is distinct from (excluded.start_at, excluded.end_at, excluded.scheduled_end_at)
  returning xmax = 0 as is_new
)
select count(*) filter (where is_new), count(*) filter (where not is_new) from merged;

-- name: merge_legs
with merged as (
  insert into crew.crew_assignments as a (
    enterprise_id, id, crew_member_id, flight_id, trip_id, position, duty_start_time, duty_end_time, check_in_time,
    check_out_time)
  select
    enterprise_id, id, crew_member_id, flight_id, trip_id, position, duty_start_time, duty_end_time, check_in_time,
    check_out_time
  from import_legs
  order by duty_start_time, trip_id, id
  on conflict (enterprise_id, id) do update
    set trip_id = excluded.trip_id, position = excluded.position, duty_start_time = excluded.duty_start_time,
      duty_end_time = excluded.duty_end_time, check_in_time = excluded.check_in_time,
      check_out_time = excluded.check_out_time, updated_at = now()
    where (a.trip_id, a.position, a.duty_start_time, a.duty_end_time, a.check_in_time, a.check_out_time)
      is distinct from (excluded.trip_id, excluded.position, excluded.duty_start_time, excluded.duty_end_time,
        excluded.check_in_time, excluded.check_out_time)
  returning xmax = 0 as is_new
)
select count(*) filter (where is_new), count(*) filter (where not is_new) from merged;

-- name: merge_months
with merged as (
  insert into crew.crew_months as m (enterprise_id, crew_member_id, month, line_type, work_days)
  select enterprise_id, crew_member_id, month, 'LINE', work_days
  from import_months
  on conflict (enterprise_id, crew_member_id, month) do nothing
  returning 1
)
select count(*), 0 from merged;

-- name: pay_period
insert into pay.pay_periods (enterprise_id, id, start_date, end_date, pay_date, contract_month)
values (%(enterprise)s, %(id)s, %(first)s, %(last)s, %(last)s::date + 10, %(first)s)
on conflict do nothing;

-- name: analyze
analyze crew.flights, crew.crew_members, crew.trips, crew.crew_assignments, crew.crew_months;
