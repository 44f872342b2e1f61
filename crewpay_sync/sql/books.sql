-- name: runs_of_period
-- The run whose results a period has; or every run that pays something, replaced ones too.
select r.id, r.kind, r.as_of, r.total_amount, r.crew_count, r.line_count
from pay.pay_runs r
where r.enterprise_id = auth.enterprise_id() and r.pay_period_id = %(period)s
  and (r.kind = 'REGULAR' and r.state = 'published' and r.whole_period
    or %(every)s and r.kind in ('REGULAR', 'RETRO') and r.state in ('published', 'superseded'))
order by r.finished_at;

-- name: verify
select v.kind, v.employee_id, v.term_code, v.level, v.node, v.stored, v.recomputed, v.detail
from pay.verify_run(%(run)s) as v;

-- name: last_runs
-- The two newest finished runs of a whole period, the older first.
select r.id, r.as_of
from (
  select r.id, r.as_of, r.finished_at
  from pay.pay_runs r
  where r.enterprise_id = auth.enterprise_id() and r.pay_period_id = %(period)s
    and r.kind = 'REGULAR' and r.state in ('published', 'superseded') and r.whole_period
  order by r.finished_at desc
  limit 2) as r
order by r.finished_at;

-- name: diff
select d.employee_id, d.component, d.cause, d.first_amount, d.second_amount, d.difference
from pay.diff(%(first)s, %(second)s) as d;

-- name: retro
select r.id, r.retro_no, r.state
from pay.retro(auth.enterprise_id(), %(periods)s, %(reason)s, %(with_rates)s) as r;

-- name: back_pay
select m.employee_id, concat_ws(' to ', p.start_date, p.end_date) as period, b.component, b.cause, b.amount
from pay.back_pay b
join crew.crew_members m on m.enterprise_id = b.enterprise_id and m.id = b.crew_member_id
join pay.pay_periods p on p.enterprise_id = b.enterprise_id and p.id = b.pay_period_id
where b.enterprise_id = auth.enterprise_id() and b.retro_id = %(retro)s
order by m.employee_id, p.start_date, b.component, b.cause;

-- name: retro_key
select r.id from pay.retros r where r.enterprise_id = auth.enterprise_id() and r.retro_no = %(number)s;

-- name: retros
select r.retro_no, r.state, cardinality(r.periods) as periods, r.reason, r.requested_by, r.approved_by,
  coalesce(sum(s.amount) filter (where s.amount > 0), 0) as owed, coalesce(-sum(s.amount) filter (where s.amount < 0), 0) as overpaid
from pay.retros r
left join pay.retro_results s on s.enterprise_id = r.enterprise_id and s.retro_id = r.id
where r.enterprise_id = auth.enterprise_id()
group by r.enterprise_id, r.id
order by r.retro_no;

-- name: approve_retro
select r.id, r.retro_no, r.state from pay.approve_retro(%(retro)s, %(period)s, %(reason)s) as r;

-- name: deny
select a.state
from pay.approvals w
cross join lateral pay.deny_approval(w.id, %(reason)s) as a
where w.enterprise_id = auth.enterprise_id() and w.subject_id = %(subject)s and w.state = 'PENDING';

-- name: recoveries
select r.id, m.employee_id, t.retro_no, p.start_date, p.end_date, r.amount, r.instalments, r.state,
  (select coalesce(-sum(a.amount), 0)
    from pay.recovery_instalments i
    join pay.adjustments a on a.enterprise_id = i.enterprise_id and a.source = 'RECOVERY' and a.source_id = i.id and a.state = 'PAID'
    where i.enterprise_id = r.enterprise_id and i.recovery_id = r.id) as taken_back
from pay.recoveries r
join crew.crew_members m on m.enterprise_id = r.enterprise_id and m.id = r.crew_member_id
join pay.retro_results s on s.enterprise_id = r.enterprise_id and s.id = r.retro_result_id
join pay.retros t on t.enterprise_id = s.enterprise_id and t.id = s.retro_id
join pay.pay_periods p on p.enterprise_id = s.enterprise_id and p.id = s.pay_period_id
where r.enterprise_id = auth.enterprise_id() and (%(employee)s::text is null or m.employee_id = %(employee)s)
  and (%(periods)s::uuid[] is null or s.pay_period_id = any (%(periods)s))
order by m.employee_id, t.retro_no, p.start_date;

-- name: approve_recovery
select r.id, r.amount, r.instalments, r.state from pay.approve_recovery(%(recovery)s, %(periods)s, %(reason)s) as r;

-- name: project
select r.id, r.crew_count, r.leg_count, r.line_count, r.total_amount, r.finding_count
from pay.project(auth.enterprise_id(), %(period)s) as r;

-- name: projected
select m.employee_id, v.flight_pay_hours, v.flight_pay_amount as flight_pay, v.overtime_amount as overtime, v.per_diem_amount as per_diem,
  v.premium_pay_amount as premium, v.delay_pay_amount as delay_pay, v.guarantee_amount as guarantee, v.adjustment_amount as adjustment, v.total_gross_pay as total
from pay.calculation_versions v
join crew.crew_members m on m.enterprise_id = v.enterprise_id and m.id = v.crew_member_id
where v.enterprise_id = auth.enterprise_id() and v.run_id = %(run)s
order by m.employee_id;

-- name: export_results
select m.employee_id, p.start_date, p.end_date, p.pay_date, e.currency, v.flight_pay_hours, v.flight_pay_amount, v.overtime_hours, v.overtime_amount,
  v.per_diem_amount, v.premium_pay_amount, v.delay_pay_amount, v.guarantee_amount, v.adjustment_amount, v.total_gross_pay, v.validated_at, v.run_id
from pay.pay_calculations v
join crew.crew_members m on m.enterprise_id = v.enterprise_id and m.id = v.crew_member_id
join pay.pay_periods p on p.enterprise_id = v.enterprise_id and p.id = v.pay_period_id
join platform.enterprises e on e.id = v.enterprise_id
where v.enterprise_id = auth.enterprise_id() and v.pay_period_id = any (%(periods)s)
order by p.start_date, m.employee_id;

-- name: unapproved
select count(*) as results
from pay.pay_calculations v
where v.enterprise_id = auth.enterprise_id() and v.pay_period_id = any (%(periods)s) and v.validated_at is null;

-- name: export_lines
select m.employee_id, p.start_date, p.end_date, e.currency, l.line_no, l.component, l.term_code, l.label, l.level, l.node, l.quantity, l.amount
from pay.pay_lines l
join crew.crew_members m on m.enterprise_id = l.enterprise_id and m.id = l.crew_member_id
join pay.pay_periods p on p.enterprise_id = l.enterprise_id and p.id = l.pay_period_id
join platform.enterprises e on e.id = l.enterprise_id
where l.enterprise_id = auth.enterprise_id() and l.pay_period_id = any (%(periods)s)
order by p.start_date, m.employee_id, l.line_no;
