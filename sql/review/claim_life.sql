-- What the claimant does after submitting: evidence, withdrawal, appeal.

create or replace function review.add_evidence(
  p_claim uuid, p_title text, p_body text, p_media_type text default 'text/plain', p_content bytea default null)
returns review.claim_evidence
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_claim review.claims;
  v_evidence review.claim_evidence;
begin
  perform auth.require_role('crew', 'payroll', 'admin', 'service_role');
  v_claim := review.own_claim(p_claim, '{SUBMITTED,UNDER_REVIEW,APPROVED,DENIED,APPEALED}');
  if coalesce(btrim(p_title), '') = '' or length(p_title) > 255 or coalesce(btrim(p_body), '') = '' or length(p_body) > 4000 or octet_length(p_content) > 2097152
    or p_media_type !~ '^[a-z]+/[a-z0-9.+-]{1,80}$' then
    raise exception using
      errcode = 'CP109',
      message = 'evidence has a title, a text of up to 4,000 characters and a document of up to 2 MB with its media type',
      hint = 'Split what is longer.';
  end if;
  insert into review.claim_evidence (enterprise_id, claim_id, added_by, title, body, media_type, content, content_sha256)
  values (v_claim.enterprise_id, p_claim, audit.actor(), p_title, p_body, p_media_type, p_content, sha256(p_content))
  returning * into v_evidence;
  return v_evidence;
end
$$;
alter function review.add_evidence(uuid, text, text, text, bytea) owner to crewpay_definer;
revoke all on function review.add_evidence(uuid, text, text, text, bytea) from public;
grant execute on function review.add_evidence(uuid, text, text, text, bytea) to crewpay_crew, crewpay_payroll, crewpay_admin, crewpay_service;
comment on function review.add_evidence(uuid, text, text, text, bytea) is
'Adds evidence to a claim, by the claimant or by who reviews it; it stays.
p_claim: review.claims.id; p_title, p_body: what it is and says; p_media_type, p_content: a document, or none. Raises 42501, CP109, CP404, CP405 (withdrawn).';

create or replace function review.withdraw_claim(p_claim uuid, p_reason text)
returns review.claims
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_claim review.claims;
  v_reason text := pay.require_reason(p_reason);
  v_before text;
begin
  perform auth.require_role('crew');
  v_claim := review.own_claim(p_claim, '{SUBMITTED,UNDER_REVIEW}');
  v_before := pay.because(v_reason);
  update review.claims as c
  set status = 'WITHDRAWN', withdrawn_at = now(), withdrawal_reason = left(v_reason, 4000)
  where c.enterprise_id = v_claim.enterprise_id and c.id = p_claim
  returning c.* into v_claim;
  perform set_config('app.reason', v_before, true);
  return v_claim;
end
$$;
alter function review.withdraw_claim(uuid, text) owner to crewpay_definer;
revoke all on function review.withdraw_claim(uuid, text) from public;
grant execute on function review.withdraw_claim(uuid, text) to crewpay_crew;
comment on function review.withdraw_claim(uuid, text) is
'The claimant withdraws a claim that is not decided.
p_claim: review.claims.id; p_reason: why. Raises 42501, CP318 (no reason), CP404, CP405 (decided, or withdrawn).';

create or replace function review.appeal_claim(p_claim uuid, p_notes text)
returns review.claims
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_claim review.claims;
  v_notes text := pay.require_reason(p_notes);
  v_terms jsonb;
  v_last date;
  v_before text;
begin
  perform auth.require_role('crew');
  v_claim := review.own_claim(p_claim, '{APPROVED,DENIED}');
  v_terms := review.claim_terms(v_claim.enterprise_id, v_claim.crew_member_id, current_date);
  v_last := review.add_business_days(v_claim.reviewed_at::date, (v_terms ->> 'appeal_days')::integer);
  if length(v_notes) > 4000 then
    raise exception using
      errcode = 'CP109',
      message = 'the notes have more than 4,000 characters',
      hint = 'Add what is longer as evidence: review.add_evidence().';
  elsif v_claim.appeal_submitted_at is not null or v_claim.decision = 'APPROVE' then
    raise exception using
      errcode = 'CP405',
      message = case when v_claim.decision = 'APPROVE' then 'all that was claimed is approved' else format('claim %s was appealed already', v_claim.claim_number) end,
      hint = 'There is one appeal; after it comes the grievance that the contract provides.';
  elsif current_date > v_last then
    raise exception using
      errcode = 'CP407',
      message = format('the decision could be appealed until %s', v_last),
      detail = concat_ws(' ', format('%s business days', v_terms ->> 'appeal_days'), 'under ' || (v_terms ->> 'term_code')),
      hint = 'After that comes the grievance that the contract provides.';
  end if;
  v_before := pay.because(v_notes);
  update review.claims as c
  set status = 'APPEALED', appeal_submitted_at = now(), appeal_notes = v_notes, escalated_at = null,
    answer_due = review.add_business_days(current_date, (v_terms ->> 'answer_days')::integer)
  where c.enterprise_id = v_claim.enterprise_id and c.id = p_claim
  returning c.* into v_claim;
  perform review.tell_claimant(v_claim, 'claim_appealed');
  perform set_config('app.reason', v_before, true);
  return v_claim;
end
$$;
alter function review.appeal_claim(uuid, text) owner to crewpay_definer;
revoke all on function review.appeal_claim(uuid, text) from public;
grant execute on function review.appeal_claim(uuid, text) to crewpay_crew;
comment on function review.appeal_claim(uuid, text) is
'The claimant appeals a denial or an approval in part; another person than who decided looks at it.
p_claim: review.claims.id; p_notes: why. Raises 42501, CP109, CP318 (no reason), CP404, CP405 (not decided, approved whole, or appealed already), CP407 (too late).';
