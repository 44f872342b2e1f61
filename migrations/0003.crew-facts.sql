-- Facts of operation. Source: the Avelo document, "Core Tables" 1-3; trips, crew months and airports are what pay needs beside them.
-- The tenant comes first in every key, so that a row can't point into another tenant.

create table crew.airports (
  iata crew.iata_airport primary key,
  icao varchar(4),
  name varchar(200) not null,
  time_zone text not null,
  country char(2) not null,
  constraint airports_icao_key unique (icao)
);
comment on table crew.airports is 'Airports of the world with their time zone (global).';
comment on column crew.airports.iata is 'IATA code.';
comment on column crew.airports.icao is 'ICAO code; imports translate it to IATA.';
comment on column crew.airports.name is 'Name of the airport.';
comment on column crew.airports.time_zone is 'IANA time zone.';
comment on column crew.airports.country is 'ISO 3166 country; a leg between two countries is international.';

create table crew.crew_members (
  enterprise_id uuid not null references platform.enterprises (id),
  id uuid not null default gen_random_uuid(),
  employee_id varchar(20) not null,
  first_name varchar(100) not null,
  last_name varchar(100) not null,
  position crew.crew_position not null,
  base_location varchar(10) not null references crew.airports (iata),
  hire_date date not null,
  seniority_number integer not null,
  base_hourly_rate numeric(10, 2),
  union_status crew.union_status not null default 'UNION_MEMBER',
  contract_type crew.contract_type not null default 'FULL_TIME',
  termination_date date,
  person_id uuid not null default gen_random_uuid(),
  attributes jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint crew_members_pkey primary key (enterprise_id, id),
  constraint crew_members_employee_id_key unique (enterprise_id, employee_id),
  constraint crew_members_seniority_is_positive check (seniority_number > 0),
  constraint crew_members_rate_is_not_negative check (base_hourly_rate >= 0),
  constraint crew_members_leave_after_hire check (termination_date >= hire_date)
);
create index crew_members_seniority_number_idx on crew.crew_members (enterprise_id, seniority_number);
create index crew_members_base_location_idx on crew.crew_members (enterprise_id, base_location);
create index crew_members_position_idx on crew.crew_members (enterprise_id, position);
create index crew_members_base_location_fkey_idx on crew.crew_members (base_location);
comment on table crew.crew_members is 'Crew member profiles and employment.';
comment on column crew.crew_members.enterprise_id is 'Tenant.';
comment on column crew.crew_members.id is 'Crew member; auth.uid() of crew.';
comment on column crew.crew_members.employee_id is 'Employee number, unique in the tenant.';
comment on column crew.crew_members.first_name is 'First name.';
comment on column crew.crew_members.last_name is 'Last name.';
comment on column crew.crew_members.position is 'Position held.';
comment on column crew.crew_members.base_location is 'Home base (IATA); its zone is the base clock.';
comment on column crew.crew_members.hire_date is 'First day of employment; longevity counts from it.';
comment on column crew.crew_members.seniority_number is 'Rank by seniority, 1 is the most senior.';
comment on column crew.crew_members.base_hourly_rate is 'Dollars per credit hour where no contract rate step applies.';
comment on column crew.crew_members.union_status is 'Standing with the union.';
comment on column crew.crew_members.contract_type is 'Kind of employment.';
comment on column crew.crew_members.termination_date is 'Last day of employment; null while employed.';
comment on column crew.crew_members.person_id is 'The human being, across logins.';
comment on column crew.crew_members.attributes is 'Values of facts that the airline declares itself.';
comment on column crew.crew_members.created_at is 'When the row was made.';
comment on column crew.crew_members.updated_at is 'When the row last changed.';

alter table auth.principals
  add constraint principals_crew_member_fkey foreign key (enterprise_id, crew_member_id) references crew.crew_members (enterprise_id, id);

create table crew.flights (
  enterprise_id uuid not null references platform.enterprises (id),
  id uuid not null default gen_random_uuid(),
  flight_number varchar(10) not null,
  origin_airport varchar(4) not null references crew.airports (iata),
  destination_airport varchar(4) not null references crew.airports (iata),
  scheduled_departure timestamptz not null,
  scheduled_arrival timestamptz not null,
  actual_departure timestamptz,
  actual_arrival timestamptz,
  block_time_hours numeric(5, 2) generated always as
    (round((extract(epoch from actual_arrival - actual_departure) / 3600)::numeric, 2)) stored,
  delay_minutes integer not null default 0,
  delay_code varchar(10),
  delay_reason text,
  aircraft_type varchar(20),
  aircraft_registration varchar(20),
  status crew.flight_status not null default 'SCHEDULED',
  source varchar(20) not null default 'recorded',
  attributes jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint flights_pkey primary key (enterprise_id, id),
  constraint flights_number_departure_key unique (enterprise_id, flight_number, scheduled_departure, origin_airport),
  constraint flights_arrive_after_departure check (scheduled_arrival > scheduled_departure),
  constraint flights_block_is_positive check (actual_arrival > actual_departure),
  constraint flights_delay_is_not_negative check (delay_minutes >= 0),
  constraint flights_arrived_have_actual_times
    check (status <> 'ARRIVED' or (actual_departure is not null and actual_arrival is not null)),
  constraint flights_source_is_known check (source in ('recorded', 'inferred'))
);
create index flights_flight_number_idx on crew.flights (enterprise_id, flight_number);
create index flights_scheduled_departure_idx on crew.flights (enterprise_id, scheduled_departure);
create index flights_actual_departure_idx on crew.flights (enterprise_id, actual_departure);
create index flights_origin_airport_destination_airport_idx on crew.flights (enterprise_id, origin_airport, destination_airport);
create index flights_origin_airport_fkey_idx on crew.flights (origin_airport);
create index flights_destination_airport_fkey_idx on crew.flights (destination_airport);
comment on table crew.flights is 'Flights as scheduled and as flown.';
comment on column crew.flights.enterprise_id is 'Tenant.';
comment on column crew.flights.id is 'Flight.';
comment on column crew.flights.flight_number is 'Flight number with carrier, e.g. XP101.';
comment on column crew.flights.origin_airport is 'Origin (IATA; imports accept ICAO).';
comment on column crew.flights.destination_airport is 'Destination (IATA; imports accept ICAO).';
comment on column crew.flights.scheduled_departure is 'Scheduled time out of the gate.';
comment on column crew.flights.scheduled_arrival is 'Scheduled time into the gate.';
comment on column crew.flights.actual_departure is 'Actual time out; null until departed, or cancelled.';
comment on column crew.flights.actual_arrival is 'Actual time in; null until arrived, or cancelled.';
comment on column crew.flights.block_time_hours is 'Actual block in hours, two decimals (for people; pay counts minutes).';
comment on column crew.flights.delay_minutes is 'Arrival delay in minutes; 0 when early.';
comment on column crew.flights.delay_code is 'Cause of the delay (WX, MX, ATC, …).';
comment on column crew.flights.delay_reason is 'Cause in words.';
comment on column crew.flights.aircraft_type is 'Aircraft model.';
comment on column crew.flights.aircraft_registration is 'Tail number.';
comment on column crew.flights.status is 'SCHEDULED, DEPARTED, ARRIVED, CANCELLED or DIVERTED.';
comment on column crew.flights.source is 'recorded, or inferred (a return leg derived from the tail''s next departure).';
comment on column crew.flights.attributes is 'Values of facts that the airline declares itself.';
comment on column crew.flights.created_at is 'When the row was made.';
comment on column crew.flights.updated_at is 'When the row last changed.';

create table crew.trips (
  enterprise_id uuid not null references platform.enterprises (id),
  id uuid not null default gen_random_uuid(),
  trip_no bigint not null generated always as identity,
  crew_member_id uuid not null,
  trip_number varchar(30) not null,
  base_location varchar(4) not null references crew.airports (iata),
  start_at timestamptz not null,
  end_at timestamptz not null,
  scheduled_start_at timestamptz not null,
  scheduled_end_at timestamptz not null,
  pickup crew.pickup not null default 'AWARDED',
  from_reserve boolean not null default false,
  awarded_credit_minutes numeric,
  attributes jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint trips_pkey primary key (enterprise_id, id),
  constraint trips_trip_no_key unique (trip_no),
  constraint trips_id_crew_member_key unique (enterprise_id, id, crew_member_id),
  constraint trips_number_key unique (enterprise_id, crew_member_id, trip_number, scheduled_start_at),
  constraint trips_crew_member_fkey foreign key (enterprise_id, crew_member_id) references crew.crew_members (enterprise_id, id),
  constraint trips_end_after_start check (end_at > start_at and scheduled_end_at > scheduled_start_at),
  constraint trips_award_is_not_negative check (awarded_credit_minutes >= 0)
);
create index trips_start_at_idx on crew.trips (enterprise_id, start_at);
create index trips_crew_member_id_idx on crew.trips (enterprise_id, crew_member_id, start_at);
create index trips_base_location_fkey_idx on crew.trips (base_location);
comment on table crew.trips is 'Trips (pairings) as one crew member flies them: from leaving base to returning to it.';
comment on column crew.trips.enterprise_id is 'Tenant.';
comment on column crew.trips.id is 'Trip of one crew member.';
comment on column crew.trips.trip_no is 'Short key that pay lines cite.';
comment on column crew.trips.crew_member_id is 'Who flies it.';
comment on column crew.trips.trip_number is 'Number of the pairing on the bid sheet; crew of one pairing share it.';
comment on column crew.trips.base_location is 'Base it starts from and returns to (IATA).';
comment on column crew.trips.start_at is 'Actual report of the first duty; time away from base starts.';
comment on column crew.trips.end_at is 'Actual release of the last duty; time away from base ends.';
comment on column crew.trips.scheduled_start_at is 'Scheduled report.';
comment on column crew.trips.scheduled_end_at is 'Scheduled release.';
comment on column crew.trips.pickup is 'How it came onto the line.';
comment on column crew.trips.from_reserve is 'Whether it was assigned from reserve.';
comment on column crew.trips.awarded_credit_minutes is 'Credit at award, in credit minutes, frozen.';
comment on column crew.trips.attributes is 'Values of facts that the airline declares itself.';
comment on column crew.trips.created_at is 'When the row was made.';
comment on column crew.trips.updated_at is 'When the row last changed.';

create table crew.crew_assignments (
  enterprise_id uuid not null references platform.enterprises (id),
  id uuid not null default gen_random_uuid(),
  leg_no bigint not null generated always as identity,
  crew_member_id uuid not null,
  flight_id uuid,
  trip_id uuid,
  position crew.assignment_position not null default 'OPERATING',
  activity crew.activity not null default 'FLIGHT',
  position_flown crew.crew_position,
  duty_start_time timestamptz not null,
  duty_end_time timestamptz,
  check_in_time timestamptz,
  check_out_time timestamptz,
  published_credit_minutes numeric,
  attributes jsonb not null default '{}',
  retired_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint crew_assignments_pkey primary key (enterprise_id, id),
  constraint crew_assignments_leg_no_key unique (leg_no),
  constraint crew_assignments_crew_member_fkey foreign key (enterprise_id, crew_member_id) references crew.crew_members (enterprise_id, id),
  constraint crew_assignments_flight_fkey foreign key (enterprise_id, flight_id) references crew.flights (enterprise_id, id),
  constraint crew_assignments_trip_fkey foreign key (enterprise_id, trip_id, crew_member_id)
    references crew.trips (enterprise_id, id, crew_member_id),
  constraint crew_assignments_flights_have_a_flight check ((activity = 'FLIGHT') = (flight_id is not null)),
  constraint crew_assignments_duty_ends_after_start check (duty_end_time > duty_start_time),
  constraint crew_assignments_ground_has_an_end check (activity = 'FLIGHT' or duty_end_time is not null),
  constraint crew_assignments_published_is_not_negative check (published_credit_minutes >= 0)
);
create unique index crew_assignments_crew_flight_key
  on crew.crew_assignments (enterprise_id, flight_id, crew_member_id) where retired_at is null;
create index crew_assignments_crew_member_id_idx on crew.crew_assignments (enterprise_id, crew_member_id, duty_start_time);
create index crew_assignments_flight_id_idx on crew.crew_assignments (enterprise_id, flight_id);
create index crew_assignments_duty_start_time_idx on crew.crew_assignments (enterprise_id, duty_start_time);
create index crew_assignments_trip_id_idx on crew.crew_assignments (enterprise_id, trip_id);
comment on table crew.crew_assignments is 'Legs: one crew member on one flight, or one ground activity. Legs that share duty_start_time are one duty period.';
comment on column crew.crew_assignments.enterprise_id is 'Tenant.';
comment on column crew.crew_assignments.id is 'Leg of one crew member.';
comment on column crew.crew_assignments.leg_no is 'Short key that pay lines cite.';
comment on column crew.crew_assignments.crew_member_id is 'Who.';
comment on column crew.crew_assignments.flight_id is 'Flight; null for ground activity.';
comment on column crew.crew_assignments.trip_id is 'Trip it belongs to; null for a reserve day or training.';
comment on column crew.crew_assignments.position is 'OPERATING, DEADHEAD, RESERVE or STANDBY.';
comment on column crew.crew_assignments.activity is 'FLIGHT, or the kind of ground activity.';
comment on column crew.crew_assignments.position_flown is 'Position paid for when it differs from the one held.';
comment on column crew.crew_assignments.duty_start_time is 'Report: start of the duty period, shared by its legs.';
comment on column crew.crew_assignments.duty_end_time is 'Release: end of the duty period; null while it lasts.';
comment on column crew.crew_assignments.check_in_time is 'Actual check-in.';
comment on column crew.crew_assignments.check_out_time is 'Actual check-out.';
comment on column crew.crew_assignments.published_credit_minutes is 'Published credit of the leg in credit minutes, where a contract pays that.';
comment on column crew.crew_assignments.attributes is 'Values of facts that the airline declares itself.';
comment on column crew.crew_assignments.retired_at is 'When the assignment was taken back; retired rows pay nothing but are kept, since lines may cite them.';
comment on column crew.crew_assignments.created_at is 'When the row was made.';
comment on column crew.crew_assignments.updated_at is 'When the row last changed.';

create table crew.crew_months (
  enterprise_id uuid not null references platform.enterprises (id),
  crew_member_id uuid not null,
  month date not null,
  line_type crew.line_type not null default 'LINE',
  award_credit_minutes numeric,
  work_days smallint,
  unpaid_days smallint not null default 0,
  attributes jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint crew_months_pkey primary key (enterprise_id, crew_member_id, month),
  constraint crew_months_crew_member_fkey foreign key (enterprise_id, crew_member_id) references crew.crew_members (enterprise_id, id),
  constraint crew_months_start_on_the_first check (extract(day from month) = 1),
  constraint crew_months_days_are_in_range check (work_days between 0 and 31 and unpaid_days between 0 and 31)
);
create index crew_months_month_idx on crew.crew_months (enterprise_id, month);
comment on table crew.crew_months is 'What a crew member holds in a contract month. Without a row: a line, no unpaid days.';
comment on column crew.crew_months.enterprise_id is 'Tenant.';
comment on column crew.crew_months.crew_member_id is 'Who.';
comment on column crew.crew_months.month is 'First day of the contract month.';
comment on column crew.crew_months.line_type is 'Line or reserve.';
comment on column crew.crew_months.award_credit_minutes is 'Credit of the final bid award, credit minutes.';
comment on column crew.crew_months.work_days is 'Work days awarded.';
comment on column crew.crew_months.unpaid_days is 'Days of unpaid leave; days outside employment are counted by the engine.';
comment on column crew.crew_months.attributes is 'Values of facts that the airline declares itself.';
comment on column crew.crew_months.created_at is 'When the row was made.';
comment on column crew.crew_months.updated_at is 'When the row last changed.';

create table crew.fact_versions (
  enterprise_id uuid not null references platform.enterprises (id),
  id bigint not null generated always as identity,
  table_name text not null,
  row_key text not null,
  recorded_from timestamptz not null,
  recorded_to timestamptz not null default now(),
  row_data jsonb not null,
  constraint fact_versions_pkey primary key (enterprise_id, id),
  constraint fact_versions_end_after_start check (recorded_to >= recorded_from)
);
create index fact_versions_row_idx on crew.fact_versions (enterprise_id, table_name, row_key, recorded_to);
comment on table crew.fact_versions is 'Superseded versions of facts with the time they were on record, so that a result is explained by the facts it was made from.';
comment on column crew.fact_versions.enterprise_id is 'Tenant.';
comment on column crew.fact_versions.id is 'Row key.';
comment on column crew.fact_versions.table_name is 'Table of the fact, with schema.';
comment on column crew.fact_versions.row_key is 'Key of the row in that table.';
comment on column crew.fact_versions.recorded_from is 'When this version went on record.';
comment on column crew.fact_versions.recorded_to is 'When it was replaced or deleted.';
comment on column crew.fact_versions.row_data is 'The whole row as it was.';

do $$
declare
  v_table regclass;
begin
  foreach v_table in array array[
    'crew.airports',
    'crew.crew_members',
    'crew.flights',
    'crew.trips',
    'crew.crew_assignments',
    'crew.crew_months',
    'crew.fact_versions']::regclass[]
  loop
    execute format('alter table %s enable row level security', v_table);
    execute format('alter table %s force row level security', v_table);
    execute format('create policy owner_all on %s to crewpay_owner using (true) with check (true)', v_table);
  end loop;
end $$;
