-- name: adjust
select a.id, a.adjustment_no, a.amount, a.state, a.reason, a.requested_by
from pay.adjust(auth.enterprise_id(), %(crew_member)s, %(period)s, %(amount)s, %(reason)s) as a;

-- name: adjustments
-- Adjustments of a period, or of all.
select
  a.adjustment_no, m.employee_id, concat_ws(' to ', p.start_date, p.end_date) as period, a.amount, a.state, a.source, a.reason,
  a.requested_by, a.approved_by, a.paid_at, a.id
from pay.adjustments a
join crew.crew_members m on m.enterprise_id = a.enterprise_id and m.id = a.crew_member_id
join pay.pay_periods p on p.enterprise_id = a.enterprise_id and p.id = a.pay_period_id
where a.enterprise_id = auth.enterprise_id()
  and (%(periods)s::uuid[] is null or a.pay_period_id = any (%(periods)s::uuid[]))
order by a.adjustment_no;

-- name: adjustment_key
select a.id
from pay.adjustments a
where a.enterprise_id = auth.enterprise_id() and a.adjustment_no = %(number)s;

-- name: approve_adjustment
select a.adjustment_no, a.state, a.approved_by from pay.approve_adjustment(%(adjustment)s, %(reason)s) as a;

-- name: withdraw_adjustment
select a.adjustment_no, a.state from pay.withdraw_adjustment(%(adjustment)s, %(reason)s) as a;
