-- name: lines
-- The recorded pay of a period, line by line, with the flight of a leg, its minutes, whether its trip goes over the period's edge, and
-- the rates of the position's years of service.
with table_rates as (
  select step ->> 'position' as position, (step ->> 'rate')::numeric as rate
  from rules.union_contract_terms t
  cross join lateral jsonb_array_elements(t.calculation_formula -> 'steps') as step
  where t.enterprise_id = auth.enterprise_id()
    and t.superseded_at is null
    and t.calculation_formula ->> 'type' = 'hourly_rate'
)
select
  m.employee_id, m.position::text, l.component::text, l.level, l.term_code::text, l.quantity, l.amount,
  array(select distinct r.rate from table_rates r where r.position = m.position::text) as rates,
  f.id as flight_id, f.flight_number, f.scheduled_departure, f.origin_airport,
  (date_part('epoch', f.scheduled_arrival - f.scheduled_departure) / 60)::integer as scheduled,
  (date_part('epoch', f.actual_arrival - f.actual_departure) / 60)::integer as flown,
  coalesce((t.start_at at time zone b.time_zone)::date < p.start_date or (t.end_at at time zone b.time_zone)::date > p.end_date, false) as crosses
from pay.pay_lines l
join pay.pay_periods p on p.enterprise_id = l.enterprise_id and p.id = l.pay_period_id
join crew.crew_members m on m.enterprise_id = l.enterprise_id and m.id = l.crew_member_id
join crew.airports b on b.iata = m.base_location
left join crew.crew_assignments a on l.level = 'leg' and a.enterprise_id = l.enterprise_id and a.leg_no = l.node
left join crew.flights f on f.enterprise_id = a.enterprise_id and f.id = a.flight_id
left join crew.trips t on t.enterprise_id = a.enterprise_id and t.id = a.trip_id
where l.enterprise_id = auth.enterprise_id()
  and l.pay_period_id = %(period)s
order by m.employee_id, l.component, f.scheduled_departure, l.line_no;

-- name: batch
-- The newest import of that file's name.
select b.id
from crew.import_batches b
where b.enterprise_id = auth.enterprise_id() and b.kind = 'parallel' and b.file_name = %(file)s and b.finished_at is not null
order by b.finished_at desc
limit 1;
