-- Four eyes on paying claims: what is above pay.single_person_limit() is released by a second person, who neither asked, nor
-- decided the claim, nor made it. The approval covers payee and amount as an adjustment's does: a change after it asks again.
--
-- Whatever pays a claim calls pay.require_claim_payment(claim) first; a trigger asks it of everybody who marks one as being paid.

create or replace function pay.claim_payment_state(p_claim review.claims)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_hash text;
begin
  if p_claim.decision is distinct from 'APPROVE' and p_claim.decision is distinct from 'PARTIAL_APPROVE' or coalesce(p_claim.approved_amount, 0) <= 0 then
    return 'undecided';
  elsif p_claim.approved_amount <= pay.single_person_limit(p_claim.enterprise_id) then
    return 'within limit';
  elsif exists (
    select from pay.adjustments as d
    where d.enterprise_id = p_claim.enterprise_id and d.source = 'CLAIM' and d.source_id = p_claim.id
      and d.crew_member_id = p_claim.crew_member_id and d.amount = p_claim.approved_amount
      and d.approved_by is not null and d.state in ('APPROVED', 'PAID')) then
    return 'approved';
  end if;
  select a.payload_hash into v_hash
  from pay.approvals as a
  where a.enterprise_id = p_claim.enterprise_id and a.subject_kind = 'CLAIM_PAYMENT' and a.subject_id = p_claim.id and a.state = 'APPROVED';
  return case
    when v_hash is null then 'not approved'
    when v_hash <> pay.adjustment_hash(p_claim.crew_member_id, p_claim.approved_amount, 'CLAIM', p_claim.id) then 'changed'
    else 'approved' end;
end
$$;
comment on function pay.claim_payment_state(review.claims) is
'Whether a claim may be paid: within limit, approved (by itself, or as its adjustment); or why not: undecided (or denied), not approved, changed (since it was approved).
p_claim: the claim.';

create or replace function pay.check_claim_payment(p_claim review.claims)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  case pay.claim_payment_state(p_claim)
    when 'undecided' then
      raise exception using
        errcode = 'CP311',
        message = format('nothing of claim %s is to be paid', p_claim.claim_number),
        detail = format('Decision: %s.', coalesce(p_claim.decision::text, 'none yet')),
        hint = 'It is decided first.';
    when 'not approved' then
      raise exception using
        errcode = 'CP312',
        message = format('nobody approved the payment of claim %s', p_claim.claim_number),
        detail = 'It is above the setting pay.adjustment_limit.',
        hint = 'Ask: select pay.request_claim_payment(…); another person approves it: select pay.approve_claim_payment(…).';
    when 'changed' then
      raise exception using
        errcode = 'CP313',
        message = format('claim %s has changed since its payment was approved', p_claim.claim_number),
        detail = format('claim %s', p_claim.id),
        hint = 'Have it asked for and approved again as it is now: pay.request_claim_payment().';
    else
      null;
  end case;
end
$$;
comment on function pay.check_claim_payment(review.claims) is
'Lets a claim be paid: it is decided, and not above the limit or approved by a second person as it is now.
p_claim: the claim. Raises CP311 (not decided so), CP312 (nobody approved), CP313 (changed since).';

create or replace function pay.held_claim(p_claim uuid)
returns review.claims
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_claim review.claims;
begin
  select c.* into v_claim
  from review.claims as c
  where c.enterprise_id = auth.enterprise_id() and c.id = p_claim
  for update;
  if v_claim.id is null then
    raise exception using
      errcode = 'CP311',
      message = format('no claim %s', p_claim),
      hint = 'List them: select id, claim_number, status from review.claims.';
  end if;
  return v_claim;
end
$$;
comment on function pay.held_claim(uuid) is
'A claim of the caller''s enterprise, locked until the transaction ends.
p_claim: review.claims.id. Raises CP311 (unknown).';

create or replace function pay.require_claim_payment(p_claim uuid)
returns review.claims
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_claim review.claims := pay.held_claim(p_claim);
begin
  perform pay.check_claim_payment(v_claim);
  return v_claim;
end
$$;
comment on function pay.require_claim_payment(uuid) is
'The gate that every payment of a claim passes: returns the claim, locked, whose approved_amount may be paid now.
p_claim: review.claims.id. Raises CP311 (unknown, or not decided so), CP312 (nobody approved), CP313 (changed since).';

create or replace function pay.request_claim_payment(p_claim uuid, p_reason text)
returns pay.approvals
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_claim review.claims;
  v_reason text := pay.require_reason(p_reason);
  v_approval pay.approvals;
  v_before text;
begin
  perform pay.require_person();
  v_claim := pay.held_claim(p_claim);
  if pay.claim_payment_state(v_claim) not in ('not approved', 'changed') then
    perform pay.check_claim_payment(v_claim);
    raise exception using
      errcode = 'CP311',
      message = format('the payment of claim %s needs no approval', v_claim.claim_number),
      hint = 'It is within the setting pay.adjustment_limit, or approved as it is.';
  end if;
  v_before := pay.because(v_reason);
  v_approval := pay.request_approval('CLAIM_PAYMENT', p_claim, pay.adjustment_hash(v_claim.crew_member_id, v_claim.approved_amount, 'CLAIM', v_claim.id), v_reason);
  perform set_config('app.reason', v_before, true);
  return v_approval;
end
$$;
alter function pay.request_claim_payment(uuid, text) owner to crewpay_definer;
revoke all on function pay.request_claim_payment(uuid, text) from public;
grant execute on function pay.request_claim_payment(uuid, text) to crewpay_admin, crewpay_payroll;
comment on function pay.request_claim_payment(uuid, text) is
'Asks that the payment of a claim above the limit be released; a second person does it (pay.approve_claim_payment).
p_claim: review.claims.id; p_reason: why. Raises 42501, CP310 (no person), CP311 (nothing to approve), CP314 (asked already), CP318 (no reason).';

create or replace function pay.approve_claim_payment(p_claim uuid, p_reason text default null)
returns pay.approvals
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_claim review.claims;
  v_approval pay.approvals;
  v_before text;
begin
  perform auth.require_role('admin', 'payroll');
  v_claim := pay.held_claim(p_claim);
  select a.* into v_approval
  from pay.approvals as a
  where a.enterprise_id = v_claim.enterprise_id and a.subject_kind = 'CLAIM_PAYMENT' and a.subject_id = p_claim and a.state = 'PENDING';
  -- Neither who asked, nor who decided the claim, nor who made it.
  perform pay.require_approver(
    v_approval.requested_by_person || array(
      select p.person_id from auth.persons() as p where p.actor in (v_claim.reviewed_by, v_claim.submitted_by)
      union all
      select m.person_id from crew.crew_members as m where m.enterprise_id = v_claim.enterprise_id and m.id = v_claim.crew_member_id),
    array[v_claim.reviewed_by::text, v_claim.submitted_by::text]);
  v_before := pay.because(v_approval.reason);
  update pay.approvals as a
  set state = 'SUPERSEDED'
  where a.enterprise_id = v_claim.enterprise_id and a.subject_kind = 'CLAIM_PAYMENT' and a.subject_id = p_claim and a.state = 'APPROVED';
  v_approval := pay.approve_pending('CLAIM_PAYMENT', p_claim, pay.adjustment_hash(v_claim.crew_member_id, v_claim.approved_amount, 'CLAIM', v_claim.id), p_reason);
  perform set_config('app.reason', v_before, true);
  return v_approval;
end
$$;
alter function pay.approve_claim_payment(uuid, text) owner to crewpay_definer;
revoke all on function pay.approve_claim_payment(uuid, text) from public;
grant execute on function pay.approve_claim_payment(uuid, text) to crewpay_admin, crewpay_payroll;
comment on function pay.approve_claim_payment(uuid, text) is
'Releases the payment of a claim above the limit.
p_claim: review.claims.id; p_reason: the approver''s own words, or null. By another person than who asked, decided the claim or made it.
Raises 42501, CP310 (not another person), CP311 (nothing waits), CP313 (changed since it was asked for), CP317 (delegation ended).';

-- Whichever function marks a claim as being paid. Operators, who have no role, load history.
create or replace function pay.tg_guard_claim_payment()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if auth.role() is not null then
    perform pay.check_claim_payment(new);
  end if;
  return new;
end
$$;
alter function pay.tg_guard_claim_payment() owner to crewpay_definer;
revoke all on function pay.tg_guard_claim_payment() from public;
comment on function pay.tg_guard_claim_payment() is
'Row trigger before a claim becomes PROCESSING or PAID, or changes once it is: pay.check_claim_payment(). Raises CP311, CP312, CP313.';

create or replace trigger claims_20_payment_made before insert on review.claims
  for each row when (new.payment_status in ('PROCESSING', 'PAID')) execute function pay.tg_guard_claim_payment();
comment on trigger claims_20_payment_made on review.claims is 'A claim above the limit is paid by two people.';
create or replace trigger claims_20_payment_changed before update on review.claims
  for each row when (new.payment_status in ('PROCESSING', 'PAID')
    and (new.payment_status, new.decision, new.approved_amount, new.crew_member_id, new.pay_period_id)
      is distinct from (old.payment_status, old.decision, old.approved_amount, old.crew_member_id, old.pay_period_id))
  execute function pay.tg_guard_claim_payment();
comment on trigger claims_20_payment_changed on review.claims is 'A claim above the limit is paid by two people, as they approved it.';
