-- The Avelo sample: what is there stays, what is missing is added, so that a repeat changes nothing. Rows come as one JSON array.

-- name: first_month
-- The earliest contract month that an earlier load made, so that months in between are not left out.
select min(contract_month) from pay.pay_periods where enterprise_id = %(enterprise)s;

-- name: crew
insert into crew.crew_members (
  enterprise_id, id, employee_id, first_name, last_name, position, base_location, hire_date, seniority_number,
  base_hourly_rate, union_status, contract_type, person_id)
select
  %(enterprise)s, n.id, n.employee_id, n.first_name, n.last_name, n.position, n.base_location, n.hire_date, n.seniority_number,
  n.base_hourly_rate, n.union_status, n.contract_type, n.person_id
from jsonb_populate_recordset(null::crew.crew_members, %(rows)s) as n
where not exists (
  select from crew.crew_members as c where c.enterprise_id = %(enterprise)s and c.employee_id = n.employee_id);

-- name: periods
insert into pay.pay_periods (enterprise_id, id, start_date, end_date, pay_date, contract_month)
select %(enterprise)s, n.id, n.start_date, n.end_date, n.pay_date, n.contract_month
from jsonb_populate_recordset(null::pay.pay_periods, %(rows)s) as n
where not exists (
  select from pay.pay_periods as p
  where p.enterprise_id = %(enterprise)s
    and daterange(p.start_date, p.end_date, '[]') && daterange(n.start_date, n.end_date, '[]'))
order by n.start_date;

-- name: flights
insert into crew.flights (
  enterprise_id, id, flight_number, origin_airport, destination_airport, scheduled_departure, scheduled_arrival,
  actual_departure, actual_arrival, delay_minutes, delay_code, delay_reason, aircraft_type, aircraft_registration, status)
select
  %(enterprise)s, n.id, n.flight_number, n.origin_airport, n.destination_airport, n.scheduled_departure, n.scheduled_arrival,
  n.actual_departure, n.actual_arrival, n.delay_minutes, n.delay_code, n.delay_reason, '737-800', n.aircraft_registration, n.status
from jsonb_populate_recordset(null::crew.flights, %(rows)s) as n
where not exists (select from crew.flights as f where f.enterprise_id = %(enterprise)s and f.id = n.id);

-- name: trips
insert into crew.trips (
  enterprise_id, id, crew_member_id, trip_number, base_location, start_at, end_at, scheduled_start_at, scheduled_end_at,
  from_reserve)
select
  %(enterprise)s, n.id, n.crew_member_id, n.trip_number, n.base_location, n.start_at, n.end_at, n.scheduled_start_at,
  n.scheduled_end_at, n.from_reserve
from jsonb_populate_recordset(null::crew.trips, %(rows)s) as n
where not exists (select from crew.trips as t where t.enterprise_id = %(enterprise)s and t.id = n.id)
order by n.start_at, n.id;

-- name: legs
insert into crew.crew_assignments (
  enterprise_id, id, crew_member_id, flight_id, trip_id, position, duty_start_time, duty_end_time, check_in_time, check_out_time)
select
  %(enterprise)s, n.id, n.crew_member_id, n.flight_id, n.trip_id, 'OPERATING', n.duty_start_time, n.duty_end_time,
  n.check_in_time, n.check_out_time
from jsonb_populate_recordset(null::crew.crew_assignments, %(rows)s) as n
join crew.flights as f on f.enterprise_id = %(enterprise)s and f.id = n.flight_id
where not exists (select from crew.crew_assignments as a where a.enterprise_id = %(enterprise)s and a.id = n.id)
order by f.scheduled_departure, n.id;

-- name: months
insert into crew.crew_months (enterprise_id, crew_member_id, month, line_type, work_days)
select %(enterprise)s, n.crew_member_id, n.month, n.line_type, n.work_days
from jsonb_populate_recordset(null::crew.crew_months, %(rows)s) as n
where not exists (
  select from crew.crew_months as m
  where m.enterprise_id = %(enterprise)s and m.crew_member_id = n.crew_member_id and m.month = n.month);

-- name: faa_rules
insert into rules.faa_rules (id, rule_code, rule_category, rule_title, rule_text, effective_date, applies_to)
select n.id, n.rule_code, n.rule_category, n.rule_title, n.rule_text, n.effective_date, n.applies_to
from jsonb_populate_recordset(null::rules.faa_rules, %(rows)s) as n
where not exists (select from rules.faa_rules as r where r.rule_code = n.rule_code);

-- name: interpretations
-- Arrays and junction tables from the same rows, so that they agree.
with given as (
  select n.*
  from jsonb_to_recordset(%(rows)s) as n (
    id uuid, name text, scenario text, interpretation text, example jsonb, confidence integer, faa_rules text[], terms text[])
  where not exists (
    select from rules.rule_interpretations as i where i.enterprise_id = %(enterprise)s and i.id = n.id)
), resolved as (
  select g.*,
    array(select r.id from rules.faa_rules as r
      where r.rule_code = any (g.faa_rules) and r.superseded_at is null and r.expiration_date is null order by r.rule_code) as rule_ids,
    array(select t.id from rules.union_contract_terms as t
      where t.enterprise_id = %(enterprise)s and t.term_code = any (g.terms) and t.superseded_at is null and t.expiration_date is null
      order by t.term_code) as term_ids
  from given as g
), interpretations as (
  insert into rules.rule_interpretations (
    enterprise_id, id, interpretation_code, scenario_description, applicable_faa_rule_ids, applicable_contract_term_ids, interpretation,
    example_calculation, confidence_score, validated_by, validated_at)
  select %(enterprise)s, id, name, scenario, rule_ids, term_ids, interpretation, example, confidence, %(by)s, now()
  from resolved
  returning id
), by_rule as (
  insert into rules.interpretation_faa_rules (enterprise_id, interpretation_id, faa_rule_id)
  select %(enterprise)s, r.id, rule_id from resolved as r cross join unnest(r.rule_ids) as rule_id
)
insert into rules.interpretation_contract_terms (enterprise_id, interpretation_id, contract_term_id)
select %(enterprise)s, r.id, term_id from resolved as r cross join unnest(r.term_ids) as term_id;

-- name: to_run
-- Open periods without a result, or whose month has flights that came with this load.
select p.id
from pay.pay_periods as p
where p.enterprise_id = %(enterprise)s
  and p.status in ('OPEN', 'PROCESSING')
  and (%(changed)s or not exists (
    select from pay.pay_runs as r
    where r.enterprise_id = p.enterprise_id and r.pay_period_id = p.id and r.kind = 'REGULAR' and r.state = 'published'))
order by p.start_date;

-- name: run
select (pay.run(%(enterprise)s, %(period)s)).finding_count;

-- name: to_close
-- Periods that are over and still open, with the run to be approved.
select p.id, r.id
from pay.pay_periods as p
join pay.pay_runs as r
  on r.enterprise_id = p.enterprise_id and r.pay_period_id = p.id and r.kind = 'REGULAR' and r.state = 'published' and r.whole_period
where p.enterprise_id = %(enterprise)s
  and p.end_date < %(today)s
  and p.status in ('OPEN', 'PROCESSING')
order by p.start_date;

-- name: to_pay
-- Closed periods whose day of payment is past.
select p.id
from pay.pay_periods as p
where p.enterprise_id = %(enterprise)s and p.status = 'CLOSED' and p.pay_date < %(today)s
order by p.start_date;

-- name: approve_run
select (pay.approve_run(%(run)s, 'results looked through')).id;

-- name: close_period
select (pay.close_period(%(period)s)).status;

-- name: mark_paid
select (pay.mark_paid(%(period)s)).status;

-- name: payments
-- What payroll paid: the computed components of each paid period, less what it got wrong.
with wrong as (
  select * from jsonb_to_recordset(%(wrong)s) as w (pay_period_id uuid, crew_member_id uuid, component pay.component, difference numeric)
)
insert into pay.payroll_payments (enterprise_id, crew_member_id, pay_period_id, component, quantity, amount, paid_on, reference)
select c.enterprise_id, c.crew_member_id, c.pay_period_id, part.component::pay.component, part.quantity, part.amount - coalesce(w.difference, 0),
  p.pay_date, concat_ws('-', to_char(p.end_date, 'YYYYMMDD'), m.employee_id, part.component)
from pay.pay_calculations as c
join pay.pay_periods as p on p.enterprise_id = c.enterprise_id and p.id = c.pay_period_id
join crew.crew_members as m on m.enterprise_id = c.enterprise_id and m.id = c.crew_member_id
cross join lateral (values
  ('flight_pay', c.flight_pay_hours, c.flight_pay_amount),
  ('overtime', c.overtime_hours, c.overtime_amount),
  ('per_diem', null, c.per_diem_amount),
  ('premium', null, c.premium_pay_amount),
  ('delay_pay', null, c.delay_pay_amount),
  ('guarantee', null, c.guarantee_amount),
  ('adjustment', null, c.adjustment_amount)) as part (component, quantity, amount)
left join wrong as w on w.pay_period_id = c.pay_period_id and w.crew_member_id = c.crew_member_id and w.component::text = part.component
where c.enterprise_id = %(enterprise)s
  and p.status = 'PAID'
  and part.amount - coalesce(w.difference, 0) <> 0
  and not exists (
    select from pay.payroll_payments as known
    where known.enterprise_id = c.enterprise_id and known.crew_member_id = c.crew_member_id and known.pay_period_id = c.pay_period_id)
order by p.start_date, m.employee_id, part.component;

-- name: has_reviews
select exists (select from review.claims where enterprise_id = %(enterprise)s)
  or exists (select from review.discrepancies where enterprise_id = %(enterprise)s);

-- name: component_amount
-- What the computed lines say: of one flight where it is given, else of the whole period.
select coalesce(sum(l.amount), 0)
from pay.pay_lines as l
left join crew.crew_assignments as a on l.level = 'leg' and a.enterprise_id = l.enterprise_id and a.leg_no = l.node
where l.enterprise_id = %(enterprise)s
  and l.crew_member_id = %(member)s
  and l.pay_period_id = %(period)s
  and l.component = %(component)s::pay.component
  and (%(flight)s::uuid is null or a.flight_id = %(flight)s::uuid);

-- name: pay_date
select pay_date from pay.pay_periods where enterprise_id = %(enterprise)s and id = %(period)s;

-- name: discrepancies
insert into review.discrepancies (
  enterprise_id, id, crew_member_id, pay_period_id, flight_id, discrepancy_type, expected_amount, actual_amount,
  difference_amount, severity, detected_by, detected_at, resolution_status, resolution_date, resolved_by, resolution_notes,
  check_id, subject_key, component, basis, reason, explanation)
select
  %(enterprise)s, n.id, n.crew_member_id, n.pay_period_id, n.flight_id, n.discrepancy_type, n.expected_amount, n.actual_amount,
  n.expected_amount - n.actual_amount, n.severity, n.detected_by, n.detected_at, n.resolution_status, n.resolution_date,
  n.resolved_by, n.resolution_notes,
  -- As detection would name them, so that it finds them again.
  lower(n.discrepancy_type::text), review.subject_key('PAID', n.component, n.flight_id, null, null, null), n.component, 'PAID', n.reason,
  review.reason_text(n.reason)
from jsonb_populate_recordset(null::review.discrepancies, %(rows)s) as n;

-- name: claims
insert into review.claims (
  enterprise_id, id, claim_number, crew_member_id, pay_period_id, flight_ids, claim_type, description, claimed_amount,
  submitted_at, submitted_by, status, reviewed_at, reviewed_by, decision, decision_rationale, approved_amount, payment_date,
  payment_status)
select
  %(enterprise)s, n.id, n.claim_number, n.crew_member_id, n.pay_period_id, n.flight_ids, n.claim_type, n.description,
  n.claimed_amount, n.submitted_at, n.submitted_by, n.status, n.reviewed_at, n.reviewed_by, n.decision, n.decision_rationale,
  n.approved_amount, n.payment_date, n.payment_status
from jsonb_populate_recordset(null::review.claims, %(rows)s) as n;

-- name: claim_payment
insert into pay.payroll_payments (enterprise_id, crew_member_id, pay_period_id, component, flight_id, amount, paid_on, reference)
values (%(enterprise)s, %(member)s, %(period)s, %(component)s::pay.component, %(flight)s, %(amount)s, %(paid_on)s, %(reference)s);

-- name: notifications
insert into notify.notifications (
  enterprise_id, id, crew_member_id, notification_type, title, message, related_entity_type, related_entity_id, sent_at,
  read_at, delivery_method, created_at)
select
  %(enterprise)s, n.id, n.crew_member_id, n.notification_type, n.title, n.message, n.related_entity_type, n.related_entity_id,
  n.sent_at, n.read_at, n.delivery_method, n.sent_at
from jsonb_populate_recordset(null::notify.notifications, %(rows)s) as n;

-- name: counts
select
  (select count(*) from crew.crew_members where enterprise_id = %(enterprise)s) as crew,
  (select count(*) from crew.flights where enterprise_id = %(enterprise)s) as flights,
  (select count(*) from crew.trips where enterprise_id = %(enterprise)s) as trips,
  (select count(*) from crew.crew_assignments where enterprise_id = %(enterprise)s) as legs,
  (select count(*) from pay.pay_periods where enterprise_id = %(enterprise)s) as periods,
  (select count(*) from pay.pay_calculations where enterprise_id = %(enterprise)s) as results,
  (select count(*) from review.discrepancies where enterprise_id = %(enterprise)s) as discrepancies,
  (select count(*) from review.claims where enterprise_id = %(enterprise)s) as claims,
  (select count(*) from notify.notifications where enterprise_id = %(enterprise)s) as notifications;

-- name: analyze
analyze crew.crew_members, crew.flights, crew.trips, crew.crew_assignments, crew.crew_months, pay.pay_periods,
  pay.pay_calculations, pay.pay_runs, review.discrepancies, review.claims;
