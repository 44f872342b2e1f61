-- name: deployed
select to_regclass('pay.pay_periods') is not null as deployed;

-- name: enterprises
-- The enterprises that the session sees; an operator sees all.
select slug, name from platform.enterprises order by slug;

-- name: periods
select
  p.start_date, p.end_date, p.pay_date, p.contract_month, p.status, named.month,
  count(c.id) as crew, sum(c.total_gross_pay) as total_gross_pay,
  coalesce(sum(cardinality(c.line_cents)), 0)::bigint as lines, count(c.validated_at) as validated,
  max(c.calculation_date) as calculated_at, p.id
from pay.pay_periods p
left join pay.pay_calculations c on c.enterprise_id = p.enterprise_id and c.pay_period_id = p.id
-- People call a contract month by the calendar month whose 15th it holds.
left join lateral (
  select date_trunc('month', day)::date as month
  from crew.contract_month(p.enterprise_id, p.contract_month) as m
  cross join lateral generate_series(m.month::timestamp, m.last_day::timestamp, interval '1 day') as day
  where extract(day from day) = 15
  limit 1
) as named on true
where p.enterprise_id = auth.enterprise_id()
group by p.enterprise_id, p.id, named.month
order by p.start_date;

-- name: add_periods
-- Contract months from a day to another, a step apart (a month, four weeks), or beginning on given days.
select p.start_date, p.end_date, p.pay_date, p.contract_month, p.status
from pay.add_periods(
  coalesce(%(starts)s::date[], array(
    select day::date
    from generate_series(%(first)s::timestamp, %(last)s::timestamp + %(step)s::interval, %(step)s::interval) as day
    where day - %(step)s::interval < %(last)s::timestamp)),
  %(halves)s, %(pay_after)s) as p
order by p.start_date;

-- name: currency
select currency from platform.enterprises where id = auth.enterprise_id();

-- name: crew_ids
-- The crew members of those employee numbers.
select e.employee_id, c.id
from unnest(%(employees)s::text[]) as e (employee_id)
left join crew.crew_members c on c.enterprise_id = auth.enterprise_id() and c.employee_id = e.employee_id;

-- name: run
select r.id, r.crew_count, r.leg_count, r.line_count, r.total_amount, r.finding_count, r.result_hash, r.as_of
from pay.run(auth.enterprise_id(), %(period)s, %(crew)s) as r;

-- name: refresh
select r.id, r.crew_count, r.leg_count, r.line_count, r.total_amount, r.finding_count, r.result_hash, r.as_of,
  coalesce(cardinality(r.refreshed_crew), r.crew_count) as refreshed
from pay.refresh(auth.enterprise_id(), %(period)s) as r;

-- name: findings
select
  f.code, m.employee_id,
  coalesce(
    g.flight_number || ' ' || g.origin_airport || '–' || g.destination_airport || ' '
      || to_char(g.scheduled_departure at time zone o.time_zone, 'YYYY-MM-DD'),
    f.level) as at,
  f.detail, e.hint
from pay.run_findings f
left join crew.crew_members m on m.enterprise_id = f.enterprise_id and m.id = f.crew_member_id
left join crew.crew_assignments a on a.enterprise_id = f.enterprise_id and f.level = 'leg' and a.leg_no = f.node
left join crew.flights g on g.enterprise_id = a.enterprise_id and g.id = a.flight_id
left join crew.airports o on o.iata = g.origin_airport
left join ops.error_codes e on e.code = f.code
where f.enterprise_id = auth.enterprise_id() and f.run_id = %(run)s
order by f.finding_no
limit %(limit)s;

-- name: statement
select line from pay.statement(%(employee)s, %(month)s) as s (line);

-- name: results
-- Results of a crew member in a month, in the order of the periods.
select p.id as pay_period_id, p.start_date, p.end_date, c.crew_member_id
from pay.pay_calculations c
join crew.crew_members m on m.enterprise_id = c.enterprise_id and m.id = c.crew_member_id
join pay.pay_periods p on p.enterprise_id = c.enterprise_id and p.id = c.pay_period_id
where c.enterprise_id = auth.enterprise_id()
  and m.employee_id = %(employee)s
  and p.contract_month = crew.named_month(auth.enterprise_id(), %(month)s)
order by p.start_date;

-- name: explain
select x.item_no, x.level, x.node, x.heading, x.component, x.term_code, x.label, x.quantity, x.arithmetic, x.amount, x.outcome
from pay.explain(%(crew_member)s, %(period)s) as x
order by x.item_no;

-- name: month_is_loaded
-- Whether the roster of a month is there, with its period and a contract.
select exists (select from crew.trips t where t.enterprise_id = e.id and starts_with(t.trip_number, %(trips)s))
  and exists (select from pay.pay_periods p where p.enterprise_id = e.id and p.contract_month = %(month)s)
  and exists (select from rules.union_contract_terms u where u.enterprise_id = e.id) as loaded
from platform.enterprises e
where e.slug = %(enterprise)s;

-- name: varied_pilot
-- The pilot whose first days show most: a cancelled leg before all, a deadhead, premiums, a minimum duty, a rig, delay pay.
with months as materialized (
  select c.crew_member_id, m.employee_id, c.pay_period_id
  from pay.pay_calculations c
  join pay.pay_periods p on p.enterprise_id = c.enterprise_id and p.id = c.pay_period_id
  join crew.crew_members m on m.enterprise_id = c.enterprise_id and m.id = c.crew_member_id
  where c.enterprise_id = auth.enterprise_id()
    and p.contract_month = %(month)s
    and m.position in ('CAPTAIN', 'FIRST_OFFICER')
),
legs as materialized (
  select a.crew_member_id, a.leg_no, a.position, a.duty_start_time, g.status
  from crew.crew_assignments a
  join crew.flights g on g.enterprise_id = a.enterprise_id and g.id = a.flight_id
  where a.enterprise_id = auth.enterprise_id()
    and a.duty_start_time >= %(month)s
    and a.duty_start_time < %(month)s + interval '1 month'
),
lines as materialized (
  select l.crew_member_id, l.pay_period_id, l.term_code, l.component, l.level, l.node
  from pay.pay_lines l
  where l.enterprise_id = auth.enterprise_id()
    and (l.level = 'duty' and l.component = 'flight_pay' or l.level = 'leg' and l.component in ('premium', 'delay_pay'))
),
sights as (
  select crew_member_id, 'cancelled' as sight, duty_start_time as at from legs where status = 'CANCELLED'
  union all
  select crew_member_id, 'deadhead', duty_start_time from legs where position = 'DEADHEAD'
  union all
  select crew_member_id, term_code, to_timestamp(node * 60) from lines where level = 'duty'
  union all
  select l.crew_member_id, l.term_code, g.duty_start_time
  from lines l
  join legs g on g.leg_no = l.node
  where l.level = 'leg'
)
select m.employee_id, count(*) as sights, max(s.first_at) as all_seen_at
from (
  select crew_member_id, sight, min(at) as first_at
  from sights
  where at < %(month)s::date + 5
  group by crew_member_id, sight) s
join months m on m.crew_member_id = s.crew_member_id
group by m.employee_id
order by bool_or(s.sight = 'cancelled') desc, count(*) desc, max(s.first_at), m.employee_id
limit 1;

-- name: by_position
select
  coalesce(m.position::text, 'all') as position, count(*) as crew, sum(c.flight_pay_hours) as credit_hours,
  sum(c.flight_pay_amount) as flight_pay, sum(c.overtime_amount) as overtime, sum(c.per_diem_amount) as per_diem,
  sum(c.premium_pay_amount) as premium, sum(c.delay_pay_amount) as delay_pay, sum(c.guarantee_amount) as guarantee,
  sum(c.total_gross_pay) as total
from pay.pay_calculations c
join pay.pay_periods p on p.enterprise_id = c.enterprise_id and p.id = c.pay_period_id
join crew.crew_members m on m.enterprise_id = c.enterprise_id and m.id = c.crew_member_id
where c.enterprise_id = auth.enterprise_id()
  and p.contract_month = %(month)s
group by rollup (m.position)
order by grouping(m.position), m.position;
