-- The document's measures of how well pay is kept right.

create or replace view review.metrics
with (security_invoker = true, security_barrier = true)
as
select
  p.enterprise_id,
  p.id as pay_period_id,
  p.start_date,
  p.end_date,
  found.discrepancies,
  found.by_detection,
  round(found.by_detection::numeric / nullif(found.discrepancies, 0), 4) as detection_rate,
  found.auto_fixed,
  claimed.claims,
  claimed.decided,
  round(claimed.granted::numeric / nullif(claimed.decided, 0), 4) as approval_rate,
  claimed.average_processing_time,
  claimed.late,
  paid.results,
  found.crew_with_errors,
  round(1 - least(found.crew_with_errors, paid.results)::numeric / nullif(paid.results, 0), 4) as pay_accuracy,
  round(1 - least(found.wrong_amount, paid.amount) / nullif(paid.amount, 0), 6) as amount_accuracy
from pay.pay_periods as p
cross join lateral (
  select
    count(*) as discrepancies,
    count(*) filter (where d.detected_by <> 'CREW_CLAIM') as by_detection,
    count(*) filter (where d.resolution_status = 'RESOLVED' and d.detected_by = 'PROACTIVE_AGENT' and (d.adjustment_id is not null or d.cured)) as auto_fixed,
    count(distinct d.crew_member_id) filter (where d.difference_amount <> 0) as crew_with_errors,
    coalesce(sum(abs(d.difference_amount)), 0) as wrong_amount
  from review.discrepancies as d
  where d.enterprise_id = p.enterprise_id and d.pay_period_id = p.id
) as found
cross join lateral (
  select
    count(*) as claims,
    count(*) filter (where c.decision is not null) as decided,
    count(*) filter (where c.decision in ('APPROVE', 'PARTIAL_APPROVE')) as granted,
    avg(c.reviewed_at - c.submitted_at) as average_processing_time,
    count(*) filter (where coalesce(c.reviewed_at::date, current_date) > c.answer_due and c.status <> 'WITHDRAWN') as late
  from review.claims as c
  where c.enterprise_id = p.enterprise_id and c.pay_period_id = p.id
) as claimed
cross join lateral (
  select count(*) as results, coalesce(sum(r.total_gross_pay), 0) as amount
  from pay.pay_calculations as r
  where r.enterprise_id = p.enterprise_id and r.pay_period_id = p.id
) as paid;
comment on view review.metrics is 'Detection rate, claim approval rate, average processing time and pay accuracy of each pay period.';
comment on column review.metrics.enterprise_id is 'Tenant.';
comment on column review.metrics.pay_period_id is 'Period.';
comment on column review.metrics.start_date is 'Its first day.';
comment on column review.metrics.end_date is 'Its last day.';
comment on column review.metrics.discrepancies is 'Discrepancies found in it, whatever became of them.';
comment on column review.metrics.by_detection is 'Those of them that detection found before a claim did.';
comment on column review.metrics.detection_rate is 'Share of discrepancies that were found before the crew member had to: by_detection / discrepancies.';
comment on column review.metrics.auto_fixed is 'Put right without a person.';
comment on column review.metrics.claims is 'Claims for it.';
comment on column review.metrics.decided is 'Claims that are decided.';
comment on column review.metrics.approval_rate is 'Share of decided claims that were approved, in whole or in part.';
comment on column review.metrics.average_processing_time is 'From submission to decision.';
comment on column review.metrics.late is 'Claims answered after their deadline, or past it and open.';
comment on column review.metrics.results is 'Crew members with a result.';
comment on column review.metrics.crew_with_errors is 'Crew members with a discrepancy of money.';
comment on column review.metrics.pay_accuracy is 'Share of crew members whose pay had no error of money.';
comment on column review.metrics.amount_accuracy is 'One less the share of pay that was wrong, too little or too much.';
grant select on review.metrics to crewpay_admin, crewpay_payroll, crewpay_service;
