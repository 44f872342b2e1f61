-- Paying a claim: one adjustment of source CLAIM in the first open period that payroll has not paid yet, a second one for paying late where the contract has a penalty.
-- payment_status follows the adjustment: PROCESSING when it is booked, PAID when a run has paid it, FAILED when it was denied or withdrawn.

-- What the contract adds for paying late.
create or replace function review.late_penalty(p_claim review.claims)
returns numeric
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select case when current_date > p_claim.payment_due and p_claim.penalty_amount = 0
    then round(coalesce((t.penalty ->> 'amount')::numeric, 0) + p_claim.approved_amount * coalesce((t.penalty ->> 'percent')::numeric, 0) / 100, 2)
    else 0 end
  from (
    select review.claim_terms(p_claim.enterprise_id, p_claim.crew_member_id, p_claim.reviewed_at::date) -> 'late_penalty' as penalty
  ) as t
$$;
comment on function review.late_penalty(review.claims) is
'The penalty for paying a claim after payment_due: an amount, a percentage of what was approved, or both; 0 where there is none.
p_claim: approved claim.';

create or replace function review.book_claim(p_claim review.claims)
returns review.claims
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_claim review.claims := pay.require_claim_payment(p_claim.id);
  v_period uuid := review.period_to_pay_in(v_claim.enterprise_id, v_claim.pay_period_id);
  v_penalty numeric := review.late_penalty(v_claim);
begin
  if v_claim.approved_amount <= v_claim.paid_amount then
    raise exception using
      errcode = 'CP405',
      message = format('claim %s is paid', v_claim.claim_number),
      hint = 'See its adjustments: select * from pay.adjustments where source_id = ….';
  elsif v_period is null then
    -- It waits for the next period; its deadline is watched.
    return v_claim;
  end if;
  perform pay.adjust(v_claim.enterprise_id, v_claim.crew_member_id, v_period, v_claim.approved_amount - v_claim.paid_amount,
    format('claim %s', v_claim.claim_number), 'CLAIM', v_claim.id, v_claim.pay_period_id, v_claim.component);
  if v_penalty > 0 then
    perform pay.adjust(v_claim.enterprise_id, v_claim.crew_member_id, v_period, v_penalty,
      format('claim %s paid after %s', v_claim.claim_number, v_claim.payment_due), 'CLAIM', v_claim.id, v_claim.pay_period_id);
  end if;
  update review.claims as c
  set payment_status = 'PROCESSING', paid_amount = c.approved_amount, penalty_amount = c.penalty_amount + v_penalty
  where c.enterprise_id = v_claim.enterprise_id and c.id = v_claim.id
  returning c.* into v_claim;
  perform ops.clear_alert('claim:' || v_claim.claim_number);
  return v_claim;
end
$$;
comment on function review.book_claim(review.claims) is
'Books what was approved and isn''t booked yet, and the penalty for paying late; where no period is open it waits.
p_claim: approved claim. Raises CP311, CP312, CP313 (pay.require_claim_payment), CP405 (paid).';

create or replace function review.pay_claim(p_claim uuid)
returns review.claims
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_claim review.claims;
begin
  perform auth.require_role('payroll', 'admin', 'service_role');
  v_claim := review.own_claim(p_claim, '{APPROVED}');
  perform review.refuse_own_pay(v_claim.crew_member_id);
  return review.book_claim(v_claim);
end
$$;
alter function review.pay_claim(uuid) owner to crewpay_definer;
revoke all on function review.pay_claim(uuid) from public;
grant execute on function review.pay_claim(uuid) to crewpay_payroll, crewpay_admin, crewpay_service;
comment on function review.pay_claim(uuid) is
'Books an approved claim that wasn''t booked when it was decided: above the limit once a second person has released it
(pay.request_claim_payment, pay.approve_claim_payment), after a failed payment, or when no period was open.
p_claim: review.claims.id. Raises 42501, CP310, CP312 (nobody released it), CP313 (changed since), CP404, CP405 (not approved, or booked).';

create or replace function review.tg_claim_paid()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_claim review.claims;
begin
  if new.state in ('WITHDRAWN', 'DENIED') then
    update review.claims as c
    set payment_status = 'FAILED', paid_amount = greatest(0, c.paid_amount - new.amount)
    where c.enterprise_id = new.enterprise_id and c.id = new.source_id;
  elsif new.state = 'PAID' and not exists (
    select from pay.adjustments as a
    where a.enterprise_id = new.enterprise_id and a.source = 'CLAIM' and a.source_id = new.source_id and a.state in ('PROPOSED', 'APPROVED')) then
    update review.claims as c
    set payment_status = 'PAID', payment_date = coalesce(p.pay_date, p.end_date)
    from pay.pay_periods as p
    where c.enterprise_id = new.enterprise_id and c.id = new.source_id
      and p.enterprise_id = new.enterprise_id and p.id = new.pay_period_id
      and c.payment_status is distinct from 'PAID'
    returning c.* into v_claim;
    if v_claim.id is not null then
      perform review.tell_claimant(v_claim, 'claim_paid');
    end if;
  end if;
  return null;
exception
  -- Pay runs don''t fail for a claim: somebody looks at it.
  when sqlstate 'CP311' or sqlstate 'CP312' or sqlstate 'CP313' then
    perform ops.raise_alert('claim-payment:' || new.source_id, 'HIGH', 'a claim was paid that is not released as it is now', jsonb_build_object('claim', new.source_id, 'adjustment', new.id));
    return null;
end
$$;
alter function review.tg_claim_paid() owner to crewpay_definer;
revoke all on function review.tg_claim_paid() from public;
comment on function review.tg_claim_paid() is
'Row trigger after UPDATE of state on adjustments of claims: payment_status and payment_date follow, and the claimant is told.';

create or replace trigger adjustments_50_claim after update of state on pay.adjustments
  for each row when (new.source = 'CLAIM' and new.state is distinct from old.state) execute function review.tg_claim_paid();
comment on trigger adjustments_50_claim on pay.adjustments is 'The claim''s payment status follows its adjustment.';
