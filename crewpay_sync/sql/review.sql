-- name: detect
select
  concat_ws(' to ', p.start_date, p.end_date) as period, d.found_count as found, d.new_count as new, d.changed_count as changed,
  d.cured_count as cured, d.fixed_count as fixed, round(date_part('epoch', d.finished_at - d.started_at)::numeric, 2) as seconds,
  d.run_id, d.id
from review.detect(auth.enterprise_id(), %(period)s, %(crew)s, %(recompute)s) as d
join pay.pay_periods as p on p.enterprise_id = d.enterprise_id and p.id = d.pay_period_id;

-- name: list
-- Discrepancies of some periods and crew members, or of all; the worst first.
select
  d.discrepancy_no as no, m.employee_id, d.discrepancy_type as type, d.reason, d.severity, f.flight_number as flight, d.component,
  d.expected_amount as expected, d.actual_amount as actual, d.difference_amount as difference, d.resolution_status as status,
  d.detected_at::date as found_on, d.detected_by, d.explanation, d.resolution_notes, d.id
from review.discrepancies as d
join crew.crew_members as m on m.enterprise_id = d.enterprise_id and m.id = d.crew_member_id
left join crew.flights as f on f.enterprise_id = d.enterprise_id and f.id = d.flight_id
where (%(periods)s::uuid[] is null or d.pay_period_id = any (%(periods)s::uuid[]))
  and (%(crew)s::uuid[] is null or d.crew_member_id = any (%(crew)s::uuid[]))
  and (%(everything)s or d.resolution_status in ('OPEN', 'INVESTIGATING', 'ESCALATED'))
order by d.severity desc, abs(d.difference_amount) desc, d.discrepancy_no;

-- name: rollup
select
  r.base_location as base, r.discrepancy_type as type, r.severity, r.age, sum(r.discrepancies) as discrepancies,
  sum(r.owed) as owed, sum(r.overpaid) as overpaid, min(r.oldest)::date as oldest
from review.discrepancy_rollup as r
where (%(periods)s::uuid[] is null or r.pay_period_id = any (%(periods)s::uuid[]))
  and (%(everything)s or r.resolution_status in ('OPEN', 'INVESTIGATING', 'ESCALATED'))
group by 1, 2, 3, 4
order by r.severity desc, 1, 2, 4;

-- name: key
select d.id from review.discrepancies as d where d.discrepancy_no = %(number)s;

-- name: move
select d.discrepancy_no as no, d.resolution_status as status, d.resolved_by, d.resolution_notes
from review.move_discrepancy(%(discrepancy)s, %(status)s, %(reason)s) as d;

-- name: variance
select
  v.period_start, v.employee_id, v.crew_position as position, v.base_location as base, v.component, v.flight, v.term_code,
  v.expected, v.actual, v.difference, v.reason, v.kind, v.explanation
from review.variance(%(batch)s, %(tolerance)s) as v;

-- name: variance_rollup
select * from review.variance_rollup(%(batch)s, %(tolerance)s);

-- name: checks
select c.id as check, (s.settings ->> 'enabled')::boolean as enabled, coalesce(s.settings ->> 'severity', c.severity::text) as severity,
  (s.settings ->> 'min_amount')::numeric as min_amount,
  nullif(s.settings - '{enabled,severity,min_amount}'::text[], '{}') as others, c.auto_fixable, c.title, c.why
from review.checks as c
cross join lateral (select review.check_settings(c.id)) as s (settings)
order by c.id;
