-- name: newest_period
select p.id, p.start_date, p.end_date
from pay.pay_periods p
where p.enterprise_id = auth.enterprise_id()
  and p.status = 'OPEN'
  and (%(month)s::date is null or p.contract_month = %(month)s)
order by p.start_date desc
limit 1;

-- name: other_periods
select p.id
from pay.pay_periods p
where p.enterprise_id = auth.enterprise_id()
  and p.id <> %(period)s
order by p.start_date;

-- name: run
explain (analyze, wal, timing off, format json)
select * from pay.run(auth.enterprise_id(), %(period)s);

-- name: run_some
select r.id
from pay.run(auth.enterprise_id(), %(period)s, (
  select array_agg(c.id)
  from (select c.id from crew.crew_members c where c.enterprise_id = auth.enterprise_id() order by md5(c.employee_id) limit %(count)s) c)) r;

-- name: delay_flights
-- As operator: every tenth flight arrives a minute later.
with delayed as (
  update crew.flights as f set actual_arrival = f.actual_arrival + interval '1 minute' where mod(hashtext(f.id::text), 10) = 0 returning f.id
)
select count(*) as flights from delayed;

-- name: raise_some
-- As operator: one of so many crew members gets a dollar more.
with raised as (
  update crew.crew_members as c set base_hourly_rate = c.base_hourly_rate + 1 where mod(hashtext(c.employee_id), %(share)s) = 0 returning c.id
)
select count(*) as crew from raised;

-- name: refresh
select r.id from pay.refresh(auth.enterprise_id(), %(period)s) as r;

-- name: compile
-- As operator: the terms of the largest group of positions, compiled and assembled, as if nothing were stored.
select count(*) as steps
from (
  select e.id, g.positions, daterange(%(month)s::date - 31, (%(month)s::date + interval '1 month')::date + 1) as span
  from platform.enterprises e
  cross join lateral rules.position_groups(e.id, daterange(%(month)s::date - 31, (%(month)s::date + interval '1 month')::date + 1)) as g
  where e.slug = %(enterprise)s
  order by cardinality(g.positions) desc
  limit 1) as g
cross join lateral rules.assemble_plan(
  array(select t from rules.compile_terms(g.id, g.positions, g.span, rules.accepted_generation(g.id)) as t), g.positions) as s;

-- name: last_run
select r.crew_count, r.leg_count, r.line_count, r.total_amount, r.result_hash
from pay.pay_runs r
where r.enterprise_id = auth.enterprise_id()
  and r.pay_period_id = %(period)s
order by r.started_at desc
limit 1;

-- name: some_crew
select c.id, c.employee_id
from crew.crew_members c
where c.enterprise_id = auth.enterprise_id()
order by md5(c.employee_id)
limit %(count)s;

-- name: read_result
select c.* from pay.pay_calculations c where c.crew_member_id = %(crew)s;

-- name: read_lines
select l.* from pay.pay_lines l where l.crew_member_id = %(crew)s and l.pay_period_id = %(period)s;

-- name: read_legs
select a.duty_start_time, f.flight_number, f.origin_airport, f.destination_airport
from crew.crew_assignments a
join crew.flights f on f.enterprise_id = a.enterprise_id and f.id = a.flight_id
where a.crew_member_id = %(crew)s
order by a.duty_start_time desc
limit 50;

-- name: read_statement
select s from pay.statement(%(employee)s, %(month)s) s;

-- name: server
select current_setting('server_version') as version, current_setting('shared_buffers') as shared_buffers,
  current_setting('synchronous_commit') as synchronous_commit;
