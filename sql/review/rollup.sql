-- What is open, rolled up.

create or replace view review.discrepancy_rollup
with (security_invoker = true, security_barrier = true) as
select
  d.enterprise_id,
  d.pay_period_id,
  m.base_location,
  d.discrepancy_type,
  d.severity,
  d.resolution_status,
  case
    when d.detected_at > now() - interval '7 days' then 'up to 7 days'
    when d.detected_at > now() - interval '30 days' then 'up to 30 days'
    when d.detected_at > now() - interval '90 days' then 'up to 90 days'
    else 'older'
  end as age,
  count(*) as discrepancies,
  count(distinct d.crew_member_id) as crew,
  coalesce(sum(d.difference_amount) filter (where d.difference_amount > 0), 0) as owed,
  coalesce(-sum(d.difference_amount) filter (where d.difference_amount < 0), 0) as overpaid,
  min(d.detected_at) as oldest
from review.discrepancies as d
join crew.crew_members as m on m.enterprise_id = d.enterprise_id and m.id = d.crew_member_id
group by 1, 2, 3, 4, 5, 6, 7;
comment on view review.discrepancy_rollup is 'Discrepancies rolled up by period, base, type, severity, state and age, with the money.';
comment on column review.discrepancy_rollup.enterprise_id is 'Tenant.';
comment on column review.discrepancy_rollup.pay_period_id is 'Period.';
comment on column review.discrepancy_rollup.base_location is 'Base of the crew members.';
comment on column review.discrepancy_rollup.discrepancy_type is 'What is wrong.';
comment on column review.discrepancy_rollup.severity is 'How bad.';
comment on column review.discrepancy_rollup.resolution_status is 'Where they stand.';
comment on column review.discrepancy_rollup.age is 'How long ago they were found.';
comment on column review.discrepancy_rollup.discrepancies is 'How many.';
comment on column review.discrepancy_rollup.crew is 'Crew members concerned.';
comment on column review.discrepancy_rollup.owed is 'Sum that crew members lack.';
comment on column review.discrepancy_rollup.overpaid is 'Sum that they have too much.';
comment on column review.discrepancy_rollup.oldest is 'When the oldest was found.';
grant select on review.discrepancy_rollup to crewpay_admin, crewpay_payroll, crewpay_service;
