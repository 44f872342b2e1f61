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
