-- Parallel run: another payroll's results of a period compared with ours, line by line, causes classed, rolled up.

create or replace function review.variance(p_batch uuid, p_tolerance numeric default 0.01)
returns table (
  pay_period_id uuid, period_start date, employee_id text, crew_position crew.crew_position, base_location text, component pay.component,
  flight text, flight_id uuid, crew_member_id uuid, term_code text, expected numeric, actual numeric, difference numeric, reason review.reason,
  kind review.discrepancy_type, explanation text)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  perform auth.require_role('payroll', 'admin', 'service_role');
  if not exists (
    select from crew.import_batches as b
    where b.enterprise_id = auth.enterprise_id() and b.id = p_batch and b.kind = 'parallel' and b.finished_at is not null) then
    raise exception using
      errcode = 'CP113',
      message = format('no results of another payroll were imported as %s', p_batch),
      hint = 'Import them: crewpay review variance FILE.csv.';
  end if;
  return query
    select p.id, p.start_date, m.employee_id::text, m.position, m.base_location::text, d.component,
      f.flight_number || ' ' || f.origin_airport || '–' || f.destination_airport || ' ' || to_char(f.scheduled_departure at time zone o.time_zone, 'YYYY-MM-DD'),
      d.flight_id, d.crew_member_id, d.term_code, d.expected, d.actual, d.expected - d.actual, d.reason, d.kind, d.explanation
    from pay.pay_periods as p
    cross join lateral review.compare_paid(p, p_batch, null, p_tolerance) as d
    join crew.crew_members as m on m.enterprise_id = p.enterprise_id and m.id = d.crew_member_id
    left join crew.flights as f on f.enterprise_id = p.enterprise_id and f.id = d.flight_id
    left join crew.airports as o on o.iata = f.origin_airport
    where p.enterprise_id = auth.enterprise_id()
      and p.id in (select l.pay_period_id from review.parallel_lines as l where l.enterprise_id = auth.enterprise_id() and l.batch_id = p_batch)
    order by p.start_date, m.employee_id, d.component, f.scheduled_departure, d.expected;
end
$$;
alter function review.variance(uuid, numeric) owner to crewpay_definer;
revoke all on function review.variance(uuid, numeric) from public;
grant execute on function review.variance(uuid, numeric) to crewpay_payroll, crewpay_admin, crewpay_service;
comment on function review.variance(uuid, numeric) is
'Differences between our results and another payroll''s, each with its cause. difference: ours minus theirs.
p_batch: the import of kind parallel; p_tolerance: amounts that differ by no more are equal.
Raises 42501, CP113 (no such import).';

create or replace function review.variance_rollup(p_batch uuid, p_tolerance numeric default 0.01)
returns table (level text, value text, differences bigint, crew bigint, underpaid numeric, overpaid numeric, net numeric)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  with found as materialized (
    select * from review.variance(p_batch, p_tolerance)
  )
  select
    case
      when grouping(f.period_start) = 0 then 'period' when grouping(f.base_location) = 0 then 'base' when grouping(f.crew_position) = 0 then 'position'
      when grouping(f.component) = 0 then 'component' when grouping(f.reason) = 0 then 'reason' when grouping(f.kind) = 0 then 'type'
      when grouping(f.employee_id) = 0 then 'crew member' else 'all' end,
    coalesce(f.period_start::text, f.base_location, f.crew_position::text, f.component::text, f.reason::text, f.kind::text, f.employee_id,
      case when grouping(f.component) = 0 then 'everything' end),
    count(*), count(distinct f.crew_member_id),
    coalesce(sum(f.difference) filter (where f.difference > 0), 0), coalesce(-sum(f.difference) filter (where f.difference < 0), 0), coalesce(sum(f.difference), 0)
  from found as f
  group by grouping sets ((), (f.period_start), (f.base_location), (f.crew_position), (f.component), (f.reason), (f.kind), (f.employee_id))
  order by grouping(f.period_start, f.base_location, f.crew_position, f.component, f.reason, f.kind, f.employee_id) desc, 2
$$;
revoke all on function review.variance_rollup(uuid, numeric) from public;
grant execute on function review.variance_rollup(uuid, numeric) to crewpay_payroll, crewpay_admin, crewpay_service;
comment on function review.variance_rollup(uuid, numeric) is
'Differences of a parallel run rolled up: all, period, base, position, component, reason, type, crew member.
p_batch, p_tolerance: as review.variance(). underpaid: they pay less than we; overpaid: more.';
