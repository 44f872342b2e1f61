-- Payments from a file: what payroll paid, and another payroll's results to be compared with ours. Both name crew member, period,
-- component and, where they pay by flight, the flight.

-- The staged rows read and judged; code and reason where one can't be used.
create or replace function crew.import_read_payments(p_batch uuid, p_has_reference boolean)
returns table (
  row_no integer, data jsonb, reference text, crew_member_id uuid, pay_period_id uuid, component text, quantity numeric, amount numeric,
  paid_on date, flight_id uuid, code text, reason text)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set enable_nestloop = off -- staged rows have no statistics: planned as one row, joins would go row by row
as $$
#variable_conflict use_column
declare
  v_enterprise uuid := auth.enterprise_id();
begin
  return query
  with merged as materialized (
    select
      r.row_no,
      r.data,
      r.data ->> 'reference' as reference,
      r.data ->> 'employee_id' as employee_id,
      m.id as crew_member_id,
      p.id as pay_period_id,
      crew.import_date(r.data ->> 'period_start') as period_start,
      lower(r.data ->> 'component') as component,
      crew.import_number(r.data ->> 'quantity', 6) as quantity,
      crew.import_number(r.data ->> 'amount', 2) as amount,
      crew.import_date(r.data ->> 'paid_on') as paid_on,
      r.data ->> 'flight_number' as flight_number,
      crew.import_time(r.data ->> 'scheduled_departure') as scheduled_departure,
      row_number() over (partition by r.data ->> 'reference' order by r.row_no) as copy_no
    from crew.import_rows r
    left join crew.crew_members m
      on m.enterprise_id = v_enterprise
      and m.employee_id = r.data ->> 'employee_id'
    left join pay.pay_periods p
      on p.enterprise_id = v_enterprise
      and p.start_date = crew.import_date(r.data ->> 'period_start')
    where r.enterprise_id = v_enterprise
      and r.batch_id = p_batch
  ),
  flown as materialized (
    select m.row_no, count(*) as matches, (array_agg(f.id))[1] as flight_id
    from merged m
    join crew.flights f
      on f.enterprise_id = v_enterprise
      and f.flight_number = m.flight_number
      and f.scheduled_departure = m.scheduled_departure
      and (m.data ->> 'origin_airport' is null or f.origin_airport = crew.import_airport(m.data ->> 'origin_airport'))
    group by m.row_no
  ),
  judged as materialized (
    select
      m.*,
      f.flight_id,
      coalesce(f.matches, 0) as matches,
      concat_ws(', ',
        case when m.data ? '_fields' then 'number of fields' end,
        case when p_has_reference and coalesce(length(m.reference), 0) not between 1 and 100 then 'reference' end,
        case when m.period_start is null then 'period_start' end,
        case when coalesce(m.component, '') <> all (enum_range(null::pay.component)::text[]) then 'component' end,
        case when m.data ->> 'quantity' is not null and m.quantity is null then 'quantity' end,
        case when m.amount is null then 'amount' end,
        case when m.data ->> 'paid_on' is not null and m.paid_on is null then 'paid_on' end,
        case when (m.flight_number is null) <> (m.scheduled_departure is null) then 'scheduled_departure' end) as bad
    from merged m
    left join flown f on f.row_no = m.row_no
  ),
  verdict as materialized (
    select
      j.*,
      case
        when j.bad <> '' then 'CP109'
        when j.employee_id is null then 'CP105'
        when j.crew_member_id is null then 'CP106'
        when j.pay_period_id is null then 'CP112'
        when j.flight_number is not null and j.matches <> 1 then 'CP107'
        when p_has_reference and j.copy_no > 1 then 'CP108'
      end as code
    from judged j
  )
  select
    v.row_no, v.data, v.reference, v.crew_member_id, v.pay_period_id, v.component, v.quantity, v.amount, v.paid_on, v.flight_id, v.code,
    case v.code
      when 'CP109' then crew.import_bad_values(v.bad, v.data)
      when 'CP105' then 'no employee_id'
      when 'CP106' then 'unknown crew member: ' || v.employee_id
      when 'CP112' then 'no pay period starts on ' || v.period_start
      when 'CP107' then case
        when v.matches = 0 then format('unknown flight: %s of %s', v.flight_number, v.data ->> 'scheduled_departure')
        else format('%s flights are %s of that time: give origin_airport', v.matches, v.flight_number) end
      when 'CP108' then 'the same reference stands in an earlier row'
    end
  from verdict v;
end $$;
revoke all on function crew.import_read_payments(uuid, boolean) from public;
grant execute on function crew.import_read_payments(uuid, boolean) to crewpay_definer;
comment on function crew.import_read_payments(uuid, boolean) is
  'The staged rows of an import of payments, read, with code and reason where one can''t be used.
p_batch: the import; p_has_reference: whether each row has a reference of its own.
Codes: CP105, CP106, CP107, CP108, CP109, CP112.';

-- What payroll paid. Natural key: payroll's own reference. Payments follow a period's closing, so any period takes them.
create or replace function crew.import_payments(
  p_batch uuid, out o_inserted integer, out o_updated integer, out o_unchanged integer, out o_rejected integer)
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_nestloop = off
as $$
declare
  v_enterprise uuid := auth.enterprise_id();
begin
  with verdict as materialized (
    select
      r.*,
      row(r.crew_member_id, r.pay_period_id, r.component, r.flight_id, r.quantity, r.amount, r.paid_on)
        is not distinct from row(t.crew_member_id, t.pay_period_id, t.component::text, t.flight_id, t.quantity, t.amount, t.paid_on) as is_known
    from crew.import_read_payments(p_batch, true) r
    left join pay.payroll_payments t
      on t.enterprise_id = v_enterprise
      and t.reference = r.reference
  ),
  refused as (
    insert into crew.import_rejects (enterprise_id, batch_id, row_no, code, reason, data)
    select v_enterprise, p_batch, v.row_no, v.code, v.reason, v.data
    from verdict v
    where v.code is not null
    returning 1
  ),
  written as (
    insert into pay.payroll_payments as t (
      enterprise_id, crew_member_id, pay_period_id, component, flight_id, quantity, amount, paid_on, reference)
    select
      v_enterprise, v.crew_member_id, v.pay_period_id, v.component::pay.component, v.flight_id, v.quantity, v.amount,
      v.paid_on, v.reference
    from verdict v
    where v.code is null
      and not v.is_known
    on conflict (enterprise_id, reference) do update
      set crew_member_id = excluded.crew_member_id, pay_period_id = excluded.pay_period_id,
        component = excluded.component, flight_id = excluded.flight_id, quantity = excluded.quantity,
        amount = excluded.amount, paid_on = excluded.paid_on
    returning xmax = 0 as is_new
  )
  select
    (select count(*) from written w where w.is_new),
    (select count(*) from written w where not w.is_new),
    (select count(*) from verdict v where v.code is null and v.is_known),
    (select count(*) from refused)
  into o_inserted, o_updated, o_unchanged, o_rejected;
end $$;
revoke all on function crew.import_payments(uuid) from public;
grant execute on function crew.import_payments(uuid) to crewpay_definer;
comment on function crew.import_payments(uuid) is
  'Checks the staged payments of an import and writes the good ones; called by crew.import_finish().
p_batch: the import. Counts rows by what became of them.
Rejects: CP105, CP106, CP107, CP108, CP109, CP112.';
