-- name: load
select rules.load_contract(p_contract => %s);

-- name: ask
-- Whoever approves applies it: crewpay pay rates --approve.
select c.id as rate_change, c.outcome ->> 'added' as added, c.outcome ->> 'changed' as changed, c.outcome ->> 'unchanged' as unchanged,
  c.reason, c.requested_by
from rules.request_contract(%(contract)s, %(reason)s) as c;

-- name: diff
select change, part, code, effective, field, old_value, new_value
from rules.diff_contract(%(contract)s);

-- name: export
select rules.export_contract(%(on)s, %(at)s) as contract;

-- name: periods
-- The periods of some months, with those that have results.
select p.id, p.start_date, p.end_date
from pay.pay_periods p
where p.enterprise_id = auth.enterprise_id()
  and p.contract_month between %(first)s and %(last)s
order by p.start_date;

-- name: what_if
select pay.what_if(auth.enterprise_id(), %(periods)s, %(changes)s) as told;

-- name: verify
select interpretation_code, scenario_description, is_guidance, holds, code, expected, computed, detail
from rules.verify_interpretations();

-- name: test
select interpretation_code, scenario_description, holds, code, expected, computed, detail
from rules.test_contract(%(contract)s);

-- name: positions
select unnest(enum_range(null::crew.crew_position))::text as position;

-- name: compiled
select name, statement
from rules.compiled(%(period)s, %(position)s)
order by step_no;

-- name: explain_compiled
select plan
from rules.explain_compiled(%(period)s, %(position)s, %(analyze)s) as plan;
