-- name: override
select o.override_no, o.component, o.original_amount, o.amount, o.state, o.reason
from pay.override(auth.enterprise_id(), %(crew_member)s, %(period)s, %(component)s::pay.component, %(amount)s, %(reason)s,
  %(term)s, %(level)s, %(node)s) as o;

-- name: overrides
select
  o.override_no, m.employee_id, concat_ws(' to ', p.start_date, p.end_date) as period, o.component, o.term_code, o.original_amount, o.amount, o.state,
  o.reason, o.requested_by, o.approved_by
from pay.overrides o
join crew.crew_members m on m.enterprise_id = o.enterprise_id and m.id = o.crew_member_id
join pay.pay_periods p on p.enterprise_id = o.enterprise_id and p.id = o.pay_period_id
where o.enterprise_id = auth.enterprise_id()
order by o.override_no;

-- name: override_key
select o.id from pay.overrides o where o.enterprise_id = auth.enterprise_id() and o.override_no = %(number)s;

-- name: approve_override
select o.override_no, o.state, o.approved_by from pay.approve_override(%(override)s, %(reason)s) as o;

-- name: reset_override
select o.override_no, o.state from pay.reset_override(%(override)s, %(reason)s) as o;
