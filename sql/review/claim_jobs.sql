-- Claims by themselves: what waits is reviewed, what is clear and small is approved, deadlines are escalated before they pass.

create or replace function review.run_claims()
returns text
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
set jit = off
as $$
declare
  v_enterprise uuid := auth.enterprise_id();
  v_group record;
  v_claim review.claims;
  v_reviewed integer := 0;
  v_approved integer := 0;
  v_failed integer := 0;
  v_message text;
begin
  perform auth.require_role('payroll', 'admin', 'service_role', 'jobs');
  for v_group in
    select p.id, p.start_date, array_agg(c.id order by c.claim_number) as claims
    from review.claims as c
    join pay.pay_periods as p on p.enterprise_id = c.enterprise_id and p.id = c.pay_period_id
    where c.enterprise_id = v_enterprise and c.status = 'SUBMITTED'
      and exists (select from pay.pay_calculations as r where r.enterprise_id = p.enterprise_id and r.pay_period_id = p.id)
    group by p.id, p.start_date
    order by p.start_date
  loop
    begin
      v_reviewed := v_reviewed + review.assess(review.known_period(v_group.id), v_group.claims);
      perform ops.clear_alert('claims:' || v_group.start_date);
    exception
      when sqlstate 'CP210' then
        -- Somebody is running the period: the next turn reviews them.
        null;
      when others then
      -- One period that can''t be computed doesn''t keep the others from being reviewed.
      get stacked diagnostics v_message = message_text;
      v_failed := v_failed + cardinality(v_group.claims);
      perform ops.raise_alert('claims:' || v_group.start_date, 'HIGH', 'claims can''t be reviewed: ' || v_message, jsonb_build_object('claims', cardinality(v_group.claims)));
    end;
  end loop;
  if (review.setting('review.claims') ->> 'auto_approve')::boolean and auth.role() in ('jobs', 'service_role') then
    for v_claim in
      select c.*
      from review.claims as c
      join review.claim_reviews as r on r.enterprise_id = c.enterprise_id and r.id = c.review_id
      where c.enterprise_id = v_enterprise and c.status = 'UNDER_REVIEW' and r.recommendation = 'APPROVE' and r.unclear = '{}'
      order by c.claim_number
    loop
      begin
        perform review.decide(v_claim.id, 'APPROVE');
        v_approved := v_approved + 1;
      exception when sqlstate 'CP406' or sqlstate 'CP405' then
        -- Facts have changed since the review: a person looks at it.
        null;
      end;
    end loop;
  end if;
  return format('%s reviewed, %s approved, %s could not be reviewed', v_reviewed, v_approved, v_failed);
end
$$;
alter function review.run_claims() owner to crewpay_definer;
revoke all on function review.run_claims() from public;
grant execute on function review.run_claims() to crewpay_payroll, crewpay_admin, crewpay_service, crewpay_jobs;
comment on function review.run_claims() is
'Reviews all submitted claims, those of a period together; as the scheduler or an agent also approves what is clear, fully supported and within
agent_limit (setting review.claims). Denials, parts and large claims wait for a person. Says in words what came of it.
Acts for the enterprise selected. Raises 42501.';

create or replace function review.watch_deadlines()
returns text
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_enterprise uuid := auth.enterprise_id();
  v_settings jsonb := review.setting('review.claims');
  v_soon date := review.add_business_days(current_date, (v_settings ->> 'escalate_days')::integer);
  v_escalated integer;
  v_overdue integer;
begin
  perform auth.require_role('payroll', 'admin', 'service_role', 'jobs');
  with due as materialized (
    select c.id, c.claim_number, c.escalated_at, c.claimed_amount, x.what, x.day
    from review.claims as c
    cross join lateral (
      select 'answered' as what, c.answer_due as day where c.status in ('SUBMITTED', 'UNDER_REVIEW', 'APPEALED')
      union all
      select 'paid', c.payment_due where c.status = 'APPROVED' and (c.payment_status is null or c.payment_status in ('PENDING', 'FAILED')) and c.approved_amount > c.paid_amount
    ) as x
    where c.enterprise_id = v_enterprise and x.day <= v_soon
  ),
  escalated as (
    update review.claims as c
    set escalated_at = now()
    from due as d
    where c.enterprise_id = v_enterprise and c.id = d.id and d.what = 'answered' and c.escalated_at is null
    returning c.id
  ),
  told as materialized (
    select d.day < current_date as is_over,
      ops.raise_alert('claim:' || d.claim_number, case when d.day < current_date then 'CRITICAL' else 'HIGH' end::review.severity,
        format('claim %s has to be %s by %s', d.claim_number, d.what, d.day), jsonb_build_object('claim', d.id, 'claimed', d.claimed_amount, 'day', d.day)) as alert
    from due as d
  )
  select (select count(*) from escalated), count(*) filter (where t.is_over)
  into v_escalated, v_overdue
  from told as t;
  -- Answered, paid or withdrawn ones are no alert any more.
  perform ops.clear_alert(a.alert_key)
  from ops.alerts as a
  where a.enterprise_id = v_enterprise and a.state = 'OPEN' and a.alert_key like 'claim:%'
    and not exists (
      select from review.claims as c
      where c.enterprise_id = v_enterprise and a.alert_key = 'claim:' || c.claim_number
        and (c.status in ('SUBMITTED', 'UNDER_REVIEW', 'APPEALED') and c.answer_due <= v_soon
          or c.status = 'APPROVED' and (c.payment_status is null or c.payment_status in ('PENDING', 'FAILED')) and c.approved_amount > c.paid_amount and c.payment_due <= v_soon));
  if not exists (select from review.holidays as h where h.enterprise_id = v_enterprise and h.day >= current_date + 30) then
    perform ops.raise_alert('claims:calendar', 'MEDIUM', 'the calendar has no holidays ahead: deadlines skip weekends only (crewpay claims calendar)');
  else
    perform ops.clear_alert('claims:calendar');
  end if;
  return format('%s escalated, %s overdue', v_escalated, v_overdue);
end
$$;
alter function review.watch_deadlines() owner to crewpay_definer;
revoke all on function review.watch_deadlines() from public;
grant execute on function review.watch_deadlines() to crewpay_payroll, crewpay_admin, crewpay_service, crewpay_jobs;
comment on function review.watch_deadlines() is
'Escalates claims whose answer or payment is due within escalate_days business days (setting review.claims): escalated_at, and an alert claim:NUMBER that
becomes CRITICAL when the day has passed; alerts of what is done clear. Alerts too when the calendar of holidays runs out. Says in words what came of it.
Acts for the enterprise selected. Raises 42501.';
