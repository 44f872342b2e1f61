-- name: list
-- Claims that the login sees; the next due first.
select
  c.claim_number as claim, m.employee_id, concat_ws(' to ', p.start_date, p.end_date) as period, c.claim_type as type,
  c.claimed_amount as claimed, c.status, r.recommendation as recommended, r.supported_amount as supported, c.approved_amount as approved,
  c.payment_status as payment, case when c.status in ('SUBMITTED', 'UNDER_REVIEW', 'APPEALED') then c.answer_due end as answer_due,
  r.unclear, c.description, c.id
from review.claims as c
join crew.crew_members as m on m.enterprise_id = c.enterprise_id and m.id = c.crew_member_id
join pay.pay_periods as p on p.enterprise_id = c.enterprise_id and p.id = c.pay_period_id
left join review.claim_reviews as r on r.enterprise_id = c.enterprise_id and r.id = c.review_id
where %(everything)s
  or c.status in ('SUBMITTED', 'UNDER_REVIEW', 'APPEALED')
  or c.status = 'APPROVED' and c.payment_status in ('PENDING', 'FAILED')
order by answer_due nulls last, c.claim_number;

-- name: key
select c.id from review.claims as c where c.claim_number = %(number)s;

-- name: submit
select c.claim_number as claim, c.status, c.claimed_amount as claimed, c.answer_due, c.id
from review.submit_claim(
  %(period)s, %(kind)s, %(amount)s, %(text)s, %(flights)s::text[], %(component)s, %(key)s, %(employee)s) as c;

-- name: review
select r.recommendation, r.supported_amount as supported, array_to_string(r.unclear, '; ') as unclear, r.rationale
from review.review_claim(%(claim)s) as r;

-- name: lines
select l.line_no as line, l.component, concat_ws(' ', f.flight_number, (f.scheduled_departure at time zone o.time_zone)::date) as flight,
  array_to_string(l.term_codes, ', ') as clauses, l.expected_amount as expected, l.actual_amount as paid, l.settled_amount as made_good,
  l.supported_amount as supported, l.approved_amount as approved
from review.claim_lines as l
left join crew.flights as f on f.enterprise_id = l.enterprise_id and f.id = l.flight_id
left join crew.airports as o on o.iata = f.origin_airport
where l.claim_id = %(claim)s
order by l.line_no;

-- name: decide
select c.claim_number as claim, c.status, c.decision, c.approved_amount as approved, c.payment_status as payment, c.decision_rationale as rationale
from review.decide(%(claim)s, %(decision)s, %(reason)s, %(lines)s) as c;

-- name: pay
select c.claim_number as claim, c.payment_status as payment, c.paid_amount as booked, c.penalty_amount as penalty
from review.pay_claim(%(claim)s) as c;

-- name: ask_release
select a.state, a.requested_by, a.requested_at, a.reason
from pay.request_claim_payment(%(claim)s, %(reason)s) as a;

-- name: release
select a.state, a.requested_by, a.decided_by, a.decided_at
from pay.approve_claim_payment(%(claim)s, %(reason)s) as a;

-- name: withdraw
select c.claim_number as claim, c.status, c.withdrawn_at from review.withdraw_claim(%(claim)s, %(reason)s) as c;

-- name: appeal
select c.claim_number as claim, c.status, c.answer_due from review.appeal_claim(%(claim)s, %(reason)s) as c;

-- name: evidence
select e.title, e.media_type, octet_length(e.content) as bytes, e.added_by, e.added_at
from review.add_evidence(%(claim)s, %(title)s, %(text)s, %(kind)s, %(content)s) as e;

-- name: dossier
select review.dossier(%(claim)s) as dossier;

-- name: preview_remedy
select * from review.preview_remedy(%(claim)s);

-- name: apply_remedy
select c.claim_number as claim, c.claim_type as type, c.claimed_amount as claimed, c.status
from review.apply_remedy(%(claim)s, %(hash)s, %(reason)s) as c;

-- name: put_holidays
select review.put_holidays(%(country)s, %(days)s, %(names)s) as added;
