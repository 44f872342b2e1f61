-- name: standing_run
-- The run to approve: the published one of the whole period, or nothing.
select r.id, r.crew_count, r.line_count, r.total_amount, r.finding_count, r.requested_by
from pay.pay_runs r
where r.enterprise_id = auth.enterprise_id() and r.pay_period_id = %(period)s
  and r.kind = 'REGULAR' and r.state = 'published' and r.whole_period;

-- name: approve_run
select a.requested_by, a.decided_by, a.decided_at, a.payload_hash
from pay.approve_run(%(run)s, %(reason)s) as a;

-- name: close_period
select p.status from pay.close_period(%(period)s) as p;

-- name: mark_paid
select p.status from pay.mark_paid(%(period)s) as p;

-- name: request_reopen
select a.requested_by, a.requested_at, a.reason, a.state from pay.request_reopen(%(period)s, %(reason)s) as a;

-- name: approve_reopen
select p.status from pay.approve_reopen(%(period)s, %(reason)s) as p;

-- name: waiting_rates
-- What waits for a second person: rates by employee number, or what a contract document does.
select c.id, c.requested_by, c.requested_at, c.reason,
  case when c.contract is not null then format('contract: %s terms added, %s changed', c.outcome ->> 'added', c.outcome ->> 'changed')
    else (
      select string_agg(format('%s %s → %s', m.employee_id, coalesce(r.value ->> 0, 'none'), coalesce(r.value ->> 1, 'none')), ', ' order by m.employee_id)
      from jsonb_each(c.rates) r
      join crew.crew_members m on m.enterprise_id = c.enterprise_id and m.id = r.key::uuid)
  end as change
from pay.rate_changes c
join pay.approvals a on a.enterprise_id = c.enterprise_id and a.subject_kind = 'RATE_CHANGE' and a.subject_id = c.id and a.state = 'PENDING'
where c.enterprise_id = auth.enterprise_id()
order by c.requested_at, c.id;

-- name: approve_rates
select c.id, c.requested_by, c.approved_by, c.applied_at, c.reason from pay.approve_rate_change(%(change)s, %(reason)s) as c;
