-- Flights from a file. Natural key: number, scheduled departure, origin. A column that the file lacks keeps what is known.

create or replace function crew.import_flights(
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
  with keyed as materialized (
    select
      r.row_no,
      r.data,
      r.data ->> 'flight_number' as flight_number,
      crew.import_time(r.data ->> 'scheduled_departure') as scheduled_departure,
      crew.import_airport(r.data ->> 'origin_airport') as origin_airport
    from crew.import_rows r
    where r.enterprise_id = v_enterprise
      and r.batch_id = p_batch
  ),
  merged as materialized (
    select
      k.row_no,
      k.data as given,
      coalesce(jsonb_strip_nulls(to_jsonb(f)), '{}') || k.data as data,
      k.flight_number,
      k.scheduled_departure,
      k.origin_airport,
      f as known,
      row_number() over (
        partition by k.flight_number, k.scheduled_departure, k.origin_airport order by k.row_no) as copy_no
    from keyed k
    left join crew.flights f
      on f.enterprise_id = v_enterprise
      and f.flight_number = k.flight_number
      and f.scheduled_departure = k.scheduled_departure
      and f.origin_airport = k.origin_airport
  ),
  parsed as materialized (
    select
      m.*,
      crew.import_airport(m.data ->> 'destination_airport') as destination_airport,
      crew.import_time(m.data ->> 'scheduled_arrival') as scheduled_arrival,
      crew.import_time(m.data ->> 'actual_departure') as actual_departure,
      crew.import_time(m.data ->> 'actual_arrival') as actual_arrival,
      crew.import_number(m.given ->> 'delay_minutes', 0)::integer as given_delay,
      upper(m.data ->> 'delay_code') as delay_code,
      m.data ->> 'delay_reason' as delay_reason,
      m.data ->> 'aircraft_type' as aircraft_type,
      m.data ->> 'aircraft_registration' as aircraft_registration,
      upper(m.given ->> 'status') as given_status
    from merged m
  ),
  derived as materialized (
    select
      p.*,
      coalesce(
        p.given_delay,
        greatest(0, floor(extract(epoch from p.actual_arrival - p.scheduled_arrival) / 60))::integer,
        (p.known).delay_minutes,
        0) as delay_minutes,
      coalesce(
        p.given_status,
        case when (p.known).status in ('CANCELLED', 'DIVERTED') then (p.known).status::text end,
        case
          when p.actual_arrival is not null then 'ARRIVED'
          when p.actual_departure is not null then 'DEPARTED'
          else 'SCHEDULED'
        end) as status
    from parsed p
  ),
  judged as materialized (
    select
      d.*,
      concat_ws(', ',
        case when d.data ? '_fields' then 'number of fields' end,
        case when coalesce(length(d.flight_number), 0) not between 1 and 10 then 'flight_number' end,
        case when d.scheduled_departure is null then 'scheduled_departure' end,
        case when d.scheduled_arrival is null then 'scheduled_arrival' end,
        case when d.data ->> 'actual_departure' is not null and d.actual_departure is null
          or d.actual_arrival is not null and d.actual_departure is null
          or d.status = 'ARRIVED' and d.actual_departure is null then 'actual_departure' end,
        case when d.data ->> 'actual_arrival' is not null and d.actual_arrival is null
          or d.status = 'ARRIVED' and d.actual_arrival is null then 'actual_arrival' end,
        case when d.given ->> 'delay_minutes' is not null and coalesce(d.given_delay, -1) < 0 then 'delay_minutes' end,
        case when length(d.delay_code) > 10 then 'delay_code' end,
        case when length(d.aircraft_type) > 20 then 'aircraft_type' end,
        case when length(d.aircraft_registration) > 20 then 'aircraft_registration' end,
        case when d.status <> all (enum_range(null::crew.flight_status)::text[]) then 'status' end,
        case when d.given ->> 'origin_airport' is null then 'origin_airport' end,
        case when d.data ->> 'destination_airport' is null then 'destination_airport' end) as bad,
      concat_ws(', ',
        case when d.origin_airport is null then d.given ->> 'origin_airport' end,
        case when d.destination_airport is null then d.data ->> 'destination_airport' end) as unknown_airports,
      row(
        d.destination_airport, d.scheduled_arrival, d.actual_departure, d.actual_arrival, d.delay_minutes, d.delay_code,
        d.delay_reason, d.aircraft_type, d.aircraft_registration, d.status
      ) is not distinct from row(
        (d.known).destination_airport::text, (d.known).scheduled_arrival, (d.known).actual_departure,
        (d.known).actual_arrival, (d.known).delay_minutes, (d.known).delay_code::text, (d.known).delay_reason,
        (d.known).aircraft_type::text, (d.known).aircraft_registration::text, (d.known).status::text) as is_known
    from derived d
  ),
  verdict as materialized (
    select
      j.*,
      case
        when j.bad <> '' then 'CP109'
        when j.unknown_airports <> '' then 'CP101'
        when j.scheduled_arrival <= j.scheduled_departure then 'CP102'
        when j.actual_arrival <= j.actual_departure then 'CP104'
        when j.copy_no > 1 then 'CP108'
        when v_closed and not j.is_known and crew.import_is_closed(j.scheduled_departure, j.origin_airport) then 'CP211'
      end as code
    from judged j
  ),
  refused as (
    insert into crew.import_rejects (enterprise_id, batch_id, row_no, code, reason, data)
    select
      v_enterprise, p_batch, v.row_no, v.code,
      case v.code
        when 'CP109' then crew.import_bad_values(v.bad, v.data)
        when 'CP101' then 'unknown airport: ' || v.unknown_airports
        when 'CP102' then 'scheduled arrival is not after scheduled departure'
        when 'CP104' then 'actual arrival is not after actual departure'
        when 'CP108' then 'the same flight stands in an earlier row'
        else 'the pay period of ' || v.scheduled_departure || ' is not open'
      end,
      v.given
    from verdict v
    where v.code is not null
    returning 1
  ),
  written as (
    insert into crew.flights as f (
      enterprise_id, flight_number, origin_airport, destination_airport, scheduled_departure, scheduled_arrival,
      actual_departure, actual_arrival, delay_minutes, delay_code, delay_reason, aircraft_type, aircraft_registration, status)
    select
      v_enterprise, v.flight_number, v.origin_airport, v.destination_airport, v.scheduled_departure, v.scheduled_arrival,
      v.actual_departure, v.actual_arrival, v.delay_minutes, v.delay_code, v.delay_reason, v.aircraft_type,
      v.aircraft_registration, v.status::crew.flight_status
    from verdict v
    where v.code is null
      and not v.is_known
    on conflict (enterprise_id, flight_number, scheduled_departure, origin_airport) do update
      set destination_airport = excluded.destination_airport, scheduled_arrival = excluded.scheduled_arrival,
        actual_departure = excluded.actual_departure, actual_arrival = excluded.actual_arrival,
        delay_minutes = excluded.delay_minutes, delay_code = excluded.delay_code, delay_reason = excluded.delay_reason,
        aircraft_type = excluded.aircraft_type, aircraft_registration = excluded.aircraft_registration,
        status = excluded.status, source = 'recorded', updated_at = now()
    returning xmax = 0 as is_new
  )
  select
    (select count(*) from written w where w.is_new),
    (select count(*) from written w where not w.is_new),
    (select count(*) from verdict v where v.code is null and v.is_known),
    (select count(*) from refused)
  into o_inserted, o_updated, o_unchanged, o_rejected;
end $$;
revoke all on function crew.import_flights(uuid) from public;
grant execute on function crew.import_flights(uuid) to crewpay_definer;
comment on function crew.import_flights(uuid) is
  'Checks the staged flights of an import and writes the good ones; called by crew.import_finish().
p_batch: the import. Counts rows by what became of them.
Rejects: CP101, CP102, CP104, CP108, CP109, CP211.';
