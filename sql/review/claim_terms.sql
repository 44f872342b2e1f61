-- What the contract says about claims (parameters of its settings), over the enterprise's settings, over the defaults.

insert into platform.system_configs (key, value, value_type, category, description)
select v.key, v.value::jsonb, 'json', 'business', v.description
from (values
  ('review.claims',
    '{"claim_days": 60, "answer_days": 10, "appeal_days": 10, "payment_days": 10, "late_penalty": {}, "escalate_days": 2,
      "max_amount": 25000, "agent_limit": 250, "auto_approve": true}',
    'Claims, where the contract says nothing else: days to claim after the pay date, business days to answer, appeal and pay, penalty for paying late; business days before a deadline at which it is escalated; greatest amount of a claim; up to which amount an agent or the deterministic review may approve; whether the latter does')
) as v (key, value, description)
where not exists (select from platform.system_configs as c where c.key = v.key and c.tenant_id is null);

create or replace function review.claim_terms(p_enterprise uuid, p_crew_member uuid, p_day date)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select review.setting('review.claims') || coalesce((
    select jsonb_strip_nulls(jsonb_build_object(
      'term_code', t.term_code,
      'claim_days', t.calculation_formula -> 'claim_days',
      'answer_days', t.calculation_formula -> 'claim_answer_days',
      'appeal_days', t.calculation_formula -> 'claim_appeal_days',
      'payment_days', t.calculation_formula -> 'claim_payment_days',
      'late_penalty', t.calculation_formula -> 'claim_late_penalty'))
    from crew.crew_members as m
    join rules.union_contract_terms as t
      on t.enterprise_id = m.enterprise_id and t.superseded_at is null and m.position = any (t.applies_to)
      and t.calculation_formula ->> 'type' = 'settings'
      and t.effective_date <= p_day and (t.expiration_date is null or t.expiration_date > p_day)
    where m.enterprise_id = p_enterprise and m.id = p_crew_member
    order by t.effective_date desc
    limit 1), '{}')
$$;
comment on function review.claim_terms(uuid, uuid, date) is
'Days and limits that hold for a crew member''s claims on a day; term_code names the clause they are from.
p_enterprise: tenant; p_crew_member: who claims; p_day: day. Days to claim are calendar days after the pay date, all others business days.';

create or replace function review.own_claim(p_claim uuid, p_states review.claim_status[])
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
    -- Of somebody else''s claims crew don''t even learn that they are there.
    and (auth.role() <> 'crew' or c.crew_member_id = auth.uid())
  for update;
  if v_claim.id is null then
    raise exception using
      errcode = 'CP404',
      message = format('no claim %s', p_claim),
      hint = 'List them: select id, claim_number, status from review.claims.';
  elsif v_claim.status <> all (p_states) then
    raise exception using
      errcode = 'CP405',
      message = format('claim %s is %s', v_claim.claim_number, v_claim.status),
      detail = format('This needs %s.', array_to_string(p_states, ' or ')),
      hint = 'SUBMITTED → UNDER_REVIEW → APPROVED or DENIED → APPEALED → APPROVED or DENIED; WITHDRAWN before a decision.';
  end if;
  return v_claim;
end
$$;
comment on function review.own_claim(uuid, review.claim_status[]) is
'A claim of the caller''s enterprise (crew: of their own), locked until the transaction ends.
p_claim: review.claims.id; p_states: states it may be in. Raises CP404 (unknown), CP405 (another state).';

create or replace function review.refuse_own_pay(p_crew_member uuid)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if pay.is_own_pay(auth.enterprise_id(), p_crew_member) then
    raise exception using
      errcode = 'CP310',
      message = 'another person has to decide this',
      detail = 'It is about your own pay.',
      hint = 'Ask a colleague.';
  end if;
end
$$;
comment on function review.refuse_own_pay(uuid) is
'Nobody reviews or decides what is paid to the own person.
p_crew_member: whose pay it is about. Raises CP310.';
