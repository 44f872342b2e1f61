-- Trips from a file. Natural key: employee number, trip number, scheduled start.

create or replace function crew.import_trips(
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
  with merged as materialized (
    select
      r.row_no,
      r.data as given,
      coalesce(jsonb_strip_nulls(to_jsonb(t)), '{}') || r.data as data,
      r.data ->> 'employee_id' as employee_id,
      m.id as crew_member_id,
      m.base_location as home,
      r.data ->> 'trip_number' as trip_number,
      crew.import_time(r.data ->> 'scheduled_start_at') as scheduled_start_at,
      t as known
    from crew.import_rows r
    left join crew.crew_members m
      on m.enterprise_id = v_enterprise
      and m.employee_id = r.data ->> 'employee_id'
    left join crew.trips t
      on t.enterprise_id = v_enterprise
      and t.crew_member_id = m.id
      and t.trip_number = r.data ->> 'trip_number'
      and t.scheduled_start_at = crew.import_time(r.data ->> 'scheduled_start_at')
    where r.enterprise_id = v_enterprise
      and r.batch_id = p_batch
  ),
  parsed as materialized (
    select
      m.*,
      row_number() over (
        partition by m.employee_id, m.trip_number, m.scheduled_start_at order by m.row_no) as copy_no,
      case
        when m.data ->> 'base_location' is null then m.home::text
        else crew.import_airport(m.data ->> 'base_location')
      end as base_location,
      crew.import_time(m.data ->> 'scheduled_end_at') as scheduled_end_at,
      case when m.data ->> 'start_at' is null then m.scheduled_start_at else crew.import_time(m.data ->> 'start_at') end
        as start_at,
      crew.import_time(coalesce(m.data ->> 'end_at', m.data ->> 'scheduled_end_at')) as end_at,
      coalesce(upper(m.data ->> 'pickup'), 'AWARDED') as pickup,
      lower(coalesce(m.data ->> 'from_reserve', 'false')) as from_reserve,
      crew.import_number(m.data ->> 'awarded_credit_minutes', 6) as awarded_credit_minutes
    from merged m
  ),
  judged as materialized (
    select
      p.*,
      concat_ws(', ',
        case when p.data ? '_fields' then 'number of fields' end,
        case when coalesce(length(p.trip_number), 0) not between 1 and 30 then 'trip_number' end,
        case when p.scheduled_start_at is null then 'scheduled_start_at' end,
        case when p.scheduled_end_at is null then 'scheduled_end_at' end,
        case when p.start_at is null then 'start_at' end,
        case when p.end_at is null then 'end_at' end,
        case when p.pickup <> all (enum_range(null::crew.pickup)::text[]) then 'pickup' end,
        case when p.from_reserve not in ('true', 'false', 't', 'f', 'yes', 'no', '1', '0') then 'from_reserve' end,
        case when p.data ->> 'awarded_credit_minutes' is not null and coalesce(p.awarded_credit_minutes, -1) < 0
          then 'awarded_credit_minutes' end) as bad,
      row(
        p.base_location, p.start_at, p.end_at, p.scheduled_end_at, p.pickup,
        p.from_reserve in ('true', 't', 'yes', '1'), p.awarded_credit_minutes
      ) is not distinct from row(
        (p.known).base_location::text, (p.known).start_at, (p.known).end_at, (p.known).scheduled_end_at,
        (p.known).pickup::text, (p.known).from_reserve, (p.known).awarded_credit_minutes) as is_known
    from parsed p
  ),
  conflicts as materialized (
    select j.row_no
    from judged j
    join judged o
      on o.crew_member_id = j.crew_member_id
      and o.row_no < j.row_no
      and o.start_at < j.end_at
      and o.end_at > j.start_at
    where o.bad = ''
      and o.copy_no = 1
    union
    select j.row_no
    from judged j
    join crew.trips t
      on t.enterprise_id = v_enterprise
      and t.crew_member_id = j.crew_member_id
      and t.id is distinct from (j.known).id
      and t.start_at < j.end_at
      and t.end_at > j.start_at
    where t.id not in (select (o.known).id from judged o where (o.known).id is not null)
  ),
  verdict as materialized (
    select
      j.*,
      case
        when j.bad <> '' then 'CP109'
        when j.employee_id is null then 'CP105'
        when j.crew_member_id is null then 'CP106'
        when j.base_location is null then 'CP101'
        when j.scheduled_end_at <= j.scheduled_start_at or j.end_at <= j.start_at then 'CP102'
        when j.copy_no > 1 then 'CP108'
        when c.row_no is not null then 'CP103'
        when v_closed and not j.is_known and (
          crew.import_is_closed(j.start_at, j.base_location)
          or crew.import_is_closed((j.known).start_at, j.base_location)) then 'CP211'
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
        when 'CP101' then 'unknown airport: ' || (v.data ->> 'base_location')
        when 'CP102' then 'the trip does not end after its start'
        when 'CP108' then 'the same trip stands in an earlier row'
        when 'CP103' then 'the crew member has another trip at that time'
        else 'the pay period of ' || v.start_at || ' is not open'
      end,
      v.given
    from verdict v
    where v.code is not null
    returning 1
  ),
  written as (
    insert into crew.trips as t (
      enterprise_id, crew_member_id, trip_number, base_location, start_at, end_at, scheduled_start_at, scheduled_end_at,
      pickup, from_reserve, awarded_credit_minutes)
    select
      v_enterprise, v.crew_member_id, v.trip_number, v.base_location, v.start_at, v.end_at, v.scheduled_start_at,
      v.scheduled_end_at, v.pickup::crew.pickup, v.from_reserve in ('true', 't', 'yes', '1'), v.awarded_credit_minutes
    from verdict v
    where v.code is null
      and not v.is_known
    order by v.row_no
    on conflict (enterprise_id, crew_member_id, trip_number, scheduled_start_at) do update
      set base_location = excluded.base_location, start_at = excluded.start_at, end_at = excluded.end_at,
        scheduled_end_at = excluded.scheduled_end_at, pickup = excluded.pickup, from_reserve = excluded.from_reserve,
        awarded_credit_minutes = excluded.awarded_credit_minutes, updated_at = now()
    returning xmax = 0 as is_new
  )
  select
    (select count(*) from written w where w.is_new),
    (select count(*) from written w where not w.is_new),
    (select count(*) from verdict v where v.code is null and v.is_known),
    (select count(*) from refused)
  into o_inserted, o_updated, o_unchanged, o_rejected;
end $$;
revoke all on function crew.import_trips(uuid) from public;
grant execute on function crew.import_trips(uuid) to crewpay_definer;
comment on function crew.import_trips(uuid) is
  'Checks the staged trips of an import and writes the good ones; called by crew.import_finish().
p_batch: the import. Counts rows by what became of them.
Rejects: CP101, CP102, CP103, CP105, CP106, CP108, CP109, CP211.';
