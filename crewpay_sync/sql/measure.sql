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
