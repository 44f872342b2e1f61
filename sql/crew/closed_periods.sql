-- A closed or paid period refuses direct changes to its facts, whoever makes them; crew.correct() changes them with two people.
--
-- Which period a fact belongs to:
--   assignment   the day its duty begins, base clock
--   trip         the day it starts, clock of its base
--   flight       the duties that fly it; one that nobody flies: the day of scheduled departure, clock of its origin
--   crew month   closed when the last period of its month is
--
-- Races: a writer holds FOR KEY SHARE on the periods that its rows can fall into, a closer FOR UPDATE. Whoever comes second
-- waits, and then sees what the first has done. (FOR SHARE would make every pay run wait for every writer.)

create or replace function crew.closed_facts_sql(p_table text)
returns text
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select case p_table
    when 'crew.crew_assignments' then $q$
      select r.enterprise_id, r.id::text as row_key, (r.duty_start_time at time zone b.time_zone)::date as day
      from rows_at_hand as r
      join crew.crew_members as m on m.enterprise_id = r.enterprise_id and m.id = r.crew_member_id
      join crew.airports as b on b.iata = m.base_location$q$
    when 'crew.trips' then $q$
      select r.enterprise_id, r.id::text as row_key, (r.start_at at time zone b.time_zone)::date as day
      from rows_at_hand as r
      join crew.airports as b on b.iata = r.base_location$q$
    when 'crew.flights' then $q$
      select r.enterprise_id, r.id::text as row_key,
        case when a.id is null then (r.scheduled_departure at time zone o.time_zone)::date
          else (a.duty_start_time at time zone b.time_zone)::date end as day
      from rows_at_hand as r
      join crew.airports as o on o.iata = r.origin_airport
      left join crew.crew_assignments as a on a.enterprise_id = r.enterprise_id and a.flight_id = r.id and a.retired_at is null
      left join crew.crew_members as m on m.enterprise_id = a.enterprise_id and m.id = a.crew_member_id
      left join crew.airports as b on b.iata = m.base_location$q$
    when 'crew.crew_months' then $q$
      select r.enterprise_id, concat_ws(':', r.crew_member_id, r.month) as row_key,
        (select max(p.end_date) from pay.pay_periods as p where p.enterprise_id = r.enterprise_id and p.contract_month = r.month) as day
      from rows_at_hand as r$q$
  end
$$;
comment on function crew.closed_facts_sql(text) is
'SELECT of key and day of the rows named rows_at_hand: what decides which pay period a fact belongs to.
p_table: crew.crew_assignments, crew.trips, crew.flights or crew.crew_months.';

create or replace function crew.tg_guard_closed()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
declare
  v_table text := tg_table_schema || '.' || tg_table_name;
  v_time text := case tg_table_name
    when 'crew_assignments' then 'duty_start_time' when 'trips' then 'start_at' when 'flights' then 'scheduled_departure' else 'month' end;
  v_rows text := case tg_op
    when 'INSERT' then 'select * from new_rows' when 'DELETE' then 'select * from old_rows'
    else 'select * from old_rows union all select * from new_rows' end;
  v_reach integer := case tg_table_name when 'crew_months' then 61 else 3 end;
  v_enterprise uuid;
  v_first date;
  v_last date;
  v_period uuid;
  v_status pay.pay_period_status;
  v_closed uuid[] := '{}';
  v_days datemultirange := '{}';
  v_key text;
begin
  for v_enterprise, v_first, v_last in execute format(
    'select r.enterprise_id, min(r.%1$I)::date - 3 as first_day, max(r.%1$I)::date + %2$s as last_day from (%3$s) as r group by r.enterprise_id order by 1',
    v_time, v_reach, v_rows)
  loop
    for v_period, v_status, v_first, v_last in
      select p.id, p.status, p.start_date, p.end_date
      from pay.pay_periods as p
      where p.enterprise_id = v_enterprise
        and p.start_date <= v_last
        and p.end_date >= v_first
      order by p.start_date
      for key share
    loop
      if v_status in ('CLOSED', 'PAID') then
        v_closed := v_closed || v_period;
        v_days := v_days + datemultirange(daterange(v_first - v_reach, v_last + 3, '[]'));
      end if;
    end loop;
  end loop;
  if v_closed = '{}' then
    return null;
  end if;

  execute format($q$
    with rows_at_hand as materialized (
      select r.* from (%1$s) as r where r.%2$I::date <@ $2
    ), facts as (%3$s)
    select p.start_date, p.end_date, p.status, f.row_key
    from facts as f
    join pay.pay_periods as p on p.enterprise_id = f.enterprise_id and p.id = any ($1) and f.day between p.start_date and p.end_date
    where not exists (
      select
      from crew.corrections as c
      where c.enterprise_id = f.enterprise_id and c.table_name = $3 and c.row_key = f.row_key
        and c.applied_in = pg_current_xact_id() and c.applied_at is null)
    limit 1$q$, v_rows, v_time, crew.closed_facts_sql(v_table))
  into v_first, v_last, v_status, v_key
  using v_closed, v_days, v_table;
  if v_key is not null then
    raise exception using
      errcode = 'CP211',
      message = format('the pay period %s to %s is %s', v_first, v_last, v_status),
      detail = format('%s of %s %s', lower(tg_op), v_table, v_key),
      hint = 'Its facts change with a reason and a second person: select crew.correct(…); or have the period reopened (pay.request_reopen).',
      schema = tg_table_schema,
      table = tg_table_name;
  end if;
  return null;
end
$$;
revoke all on function crew.tg_guard_closed() from public;
comment on function crew.tg_guard_closed() is
'Statement trigger after INSERT, UPDATE and DELETE on facts: refuses rows of closed or paid periods, but for the row of a correction that
the transaction is applying. One look at the earliest and latest row, when no period near them is closed.
Belongs to crewpay_owner: a period is closed to operators, who have no tenant, as well. Raises CP211.';

create or replace trigger flights_20_closed_insert after insert on crew.flights
  referencing new table as new_rows for each statement execute function crew.tg_guard_closed();
comment on trigger flights_20_closed_insert on crew.flights is 'Closed periods take no new rows.';
create or replace trigger flights_20_closed_update after update on crew.flights
  referencing old table as old_rows new table as new_rows for each statement execute function crew.tg_guard_closed();
comment on trigger flights_20_closed_update on crew.flights is 'Rows of closed periods stay, and none is moved into one.';
create or replace trigger flights_20_closed_delete after delete on crew.flights
  referencing old table as old_rows for each statement execute function crew.tg_guard_closed();
comment on trigger flights_20_closed_delete on crew.flights is 'Rows of closed periods stay.';
create or replace trigger trips_20_closed_insert after insert on crew.trips
  referencing new table as new_rows for each statement execute function crew.tg_guard_closed();
comment on trigger trips_20_closed_insert on crew.trips is 'Closed periods take no new rows.';
create or replace trigger trips_20_closed_update after update on crew.trips
  referencing old table as old_rows new table as new_rows for each statement execute function crew.tg_guard_closed();
comment on trigger trips_20_closed_update on crew.trips is 'Rows of closed periods stay, and none is moved into one.';
create or replace trigger trips_20_closed_delete after delete on crew.trips
  referencing old table as old_rows for each statement execute function crew.tg_guard_closed();
comment on trigger trips_20_closed_delete on crew.trips is 'Rows of closed periods stay.';
create or replace trigger crew_assignments_20_closed_insert after insert on crew.crew_assignments
  referencing new table as new_rows for each statement execute function crew.tg_guard_closed();
comment on trigger crew_assignments_20_closed_insert on crew.crew_assignments is 'Closed periods take no new rows.';
create or replace trigger crew_assignments_20_closed_update after update on crew.crew_assignments
  referencing old table as old_rows new table as new_rows for each statement execute function crew.tg_guard_closed();
comment on trigger crew_assignments_20_closed_update on crew.crew_assignments is 'Rows of closed periods stay, and none is moved into one.';
create or replace trigger crew_assignments_20_closed_delete after delete on crew.crew_assignments
  referencing old table as old_rows for each statement execute function crew.tg_guard_closed();
comment on trigger crew_assignments_20_closed_delete on crew.crew_assignments is 'Rows of closed periods stay.';
create or replace trigger crew_months_20_closed_insert after insert on crew.crew_months
  referencing new table as new_rows for each statement execute function crew.tg_guard_closed();
comment on trigger crew_months_20_closed_insert on crew.crew_months is 'Closed periods take no new rows.';
create or replace trigger crew_months_20_closed_update after update on crew.crew_months
  referencing old table as old_rows new table as new_rows for each statement execute function crew.tg_guard_closed();
comment on trigger crew_months_20_closed_update on crew.crew_months is 'Rows of closed periods stay, and none is moved into one.';
create or replace trigger crew_months_20_closed_delete after delete on crew.crew_months
  referencing old table as old_rows for each statement execute function crew.tg_guard_closed();
comment on trigger crew_months_20_closed_delete on crew.crew_months is 'Rows of closed periods stay.';
