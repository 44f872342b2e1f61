-- Facts as they were on record at a moment: the current row where it was already there, else the version kept for that moment.
-- No SET on these functions, so that filters reach the tables beneath.

create or replace function crew.members_as_of(p_at timestamptz)
returns setof crew.crew_members
language sql
stable
as $$
  select c.* from crew.crew_members as c where c.updated_at <= p_at
  union all
  select (jsonb_populate_record(null::crew.crew_members, v.row_data)).*
  from crew.fact_versions as v
  where v.table_name = 'crew.crew_members' and v.recorded_from <= p_at and v.recorded_to > p_at
$$;
comment on function crew.members_as_of(timestamptz) is 'Crew members as on record at a moment.
p_at: the moment, e.g. pay_runs.as_of.';

create or replace function crew.flights_as_of(p_at timestamptz)
returns setof crew.flights
language sql
stable
as $$
  select f.* from crew.flights as f where f.updated_at <= p_at
  union all
  select (jsonb_populate_record(null::crew.flights, v.row_data)).*
  from crew.fact_versions as v
  where v.table_name = 'crew.flights' and v.recorded_from <= p_at and v.recorded_to > p_at
$$;
comment on function crew.flights_as_of(timestamptz) is 'Flights as on record at a moment.
p_at: the moment, e.g. pay_runs.as_of.';

create or replace function crew.trips_as_of(p_at timestamptz)
returns setof crew.trips
language sql
stable
as $$
  select t.* from crew.trips as t where t.updated_at <= p_at
  union all
  select (jsonb_populate_record(null::crew.trips, v.row_data)).*
  from crew.fact_versions as v
  where v.table_name = 'crew.trips' and v.recorded_from <= p_at and v.recorded_to > p_at
$$;
comment on function crew.trips_as_of(timestamptz) is 'Trips as on record at a moment.
p_at: the moment, e.g. pay_runs.as_of.';

create or replace function crew.assignments_as_of(p_at timestamptz)
returns setof crew.crew_assignments
language sql
stable
as $$
  select a.* from crew.crew_assignments as a where a.updated_at <= p_at
  union all
  select (jsonb_populate_record(null::crew.crew_assignments, v.row_data)).*
  from crew.fact_versions as v
  where v.table_name = 'crew.crew_assignments' and v.recorded_from <= p_at and v.recorded_to > p_at
$$;
comment on function crew.assignments_as_of(timestamptz) is 'Assignments as on record at a moment.
p_at: the moment, e.g. pay_runs.as_of.';

create or replace function crew.months_as_of(p_at timestamptz)
returns setof crew.crew_months
language sql
stable
as $$
  select m.* from crew.crew_months as m where m.updated_at <= p_at
  union all
  select (jsonb_populate_record(null::crew.crew_months, v.row_data)).*
  from crew.fact_versions as v
  where v.table_name = 'crew.crew_months' and v.recorded_from <= p_at and v.recorded_to > p_at
$$;
comment on function crew.months_as_of(timestamptz) is 'Crew months as on record at a moment.
p_at: the moment, e.g. pay_runs.as_of.';
