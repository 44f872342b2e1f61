-- Deciding a claim. Every decision rests on a review made at that moment, whose recalculation is kept.
--
--   SUBMITTED ──review──▶ UNDER_REVIEW ──decide──▶ APPROVED | DENIED ──appeal──▶ APPEALED ──another person decides──▶ APPROVED | DENIED
--       └────────────── withdrawn by the crew member ──▶ WITHDRAWN ◀──────────────────┘

-- What is approved of each line.
create or replace function review.approve_lines(p_claim review.claims, p_decision review.claim_decision, p_lines jsonb, p_is_machine boolean)
returns numeric
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_total numeric;
  v_bad text;
begin
  if p_decision = 'DENY' then
    update review.claim_lines as l
    set approved_amount = 0
    where l.enterprise_id = p_claim.enterprise_id and l.claim_id = p_claim.id;
    return null;
  elsif p_lines is null then
    -- What is supported, the first lines first, and not more than was claimed.
    with running as (
      select l.line_no, l.supported_amount, coalesce(sum(l.supported_amount) over (order by l.line_no rows between unbounded preceding and 1 preceding), 0) as before
      from review.claim_lines as l
      where l.enterprise_id = p_claim.enterprise_id and l.claim_id = p_claim.id
    )
    update review.claim_lines as l
    set approved_amount = greatest(0, least(r.supported_amount, p_claim.claimed_amount - r.before))
    from running as r
    where l.enterprise_id = p_claim.enterprise_id and l.claim_id = p_claim.id and l.line_no = r.line_no;
  else
    if exists (
      select
      from jsonb_array_elements(case jsonb_typeof(p_lines) when 'array' then p_lines else '[0]' end) as e (line)
      where not coalesce(e.line ->> 'line' ~ '^[0-9]{1,9}$' and e.line ->> 'amount' ~ '^[0-9]{1,8}([.][0-9]+)?$', false)) then
      raise exception using
        errcode = 'CP109',
        message = 'a line has a number and an amount',
        detail = left(p_lines::text, 200),
        hint = 'Write [{"line": 1, "amount": 12.34, "reason": "…"}]; lines: select * from review.claim_lines.';
    end if;
    select string_agg(format('line %s: %s', coalesce(e.line_no::text, 'without number'), case
        when l.line_no is null then 'there is none'
        when e.amount is null or e.amount < 0 or e.amount <> round(e.amount, 2) then 'no amount to the cent'
        else 'stands there twice' end), ', ')
    into v_bad
    from (
      select (x ->> 'line')::integer as line_no, (x ->> 'amount')::numeric as amount, count(*) over (partition by x ->> 'line') as copies
      from jsonb_array_elements(p_lines) as x
    ) as e
    left join review.claim_lines as l on l.enterprise_id = p_claim.enterprise_id and l.claim_id = p_claim.id and l.line_no = e.line_no
    where l.line_no is null or e.amount is null or e.amount < 0 or e.amount <> round(e.amount, 2) or e.copies > 1;
    if v_bad is not null then
      raise exception using
        errcode = 'CP109',
        message = 'the lines don''t fit the claim',
        detail = v_bad,
        hint = 'Write [{"line": 1, "amount": 12.34, "reason": "…"}]; lines: select * from review.claim_lines.';
    end if;
    update review.claim_lines as l
    set approved_amount = coalesce(e.amount, 0), reason = e.reason
    from review.claim_lines as k
    left join lateral (
      select (x ->> 'amount')::numeric as amount, x ->> 'reason' as reason
      from jsonb_array_elements(p_lines) as x
      where (x ->> 'line')::integer = k.line_no
    ) as e on true
    where k.enterprise_id = p_claim.enterprise_id and k.claim_id = p_claim.id
      and l.enterprise_id = k.enterprise_id and l.claim_id = k.claim_id and l.line_no = k.line_no;
  end if;
  select sum(l.approved_amount),
    string_agg(format('line %s: %s of %s', l.line_no, l.approved_amount, l.supported_amount), ', ') filter (where l.approved_amount > l.supported_amount)
  into v_total, v_bad
  from review.claim_lines as l
  where l.enterprise_id = p_claim.enterprise_id and l.claim_id = p_claim.id;
  if p_is_machine and v_bad is not null or v_total > greatest(p_claim.claimed_amount, (
    select sum(l.supported_amount) from review.claim_lines as l where l.enterprise_id = p_claim.enterprise_id and l.claim_id = p_claim.id)) then
    raise exception using
      errcode = 'CP406',
      message = 'more would be approved than is supported',
      detail = coalesce(v_bad, format('%s in all, %s claimed', v_total, p_claim.claimed_amount)),
      hint = 'Agents approve no more than the recalculation supports; people no more than is claimed or supported.';
  elsif coalesce(v_total, 0) = 0 then
    raise exception using
      errcode = 'CP406',
      message = 'nothing of the claim is supported',
      detail = (select r.rationale from review.claim_reviews as r where r.enterprise_id = p_claim.enterprise_id and r.id = p_claim.review_id),
      hint = 'Deny it, or say by line what is approved.';
  elsif p_decision = 'APPROVE' and v_total < p_claim.claimed_amount then
    raise exception using
      errcode = 'CP406',
      message = format('%s of %s is no approval of the whole', v_total, p_claim.claimed_amount),
      hint = 'Approve it in part: PARTIAL_APPROVE.';
  elsif p_is_machine and v_total > (review.setting('review.claims') ->> 'agent_limit')::numeric then
    raise exception using
      errcode = 'CP406',
      message = format('%s is above what an agent may approve', v_total),
      detail = format('Limit: %s.', review.setting('review.claims') ->> 'agent_limit'),
      hint = 'Leave it to a person: the review and what it recommends are there.';
  end if;
  return v_total;
end
$$;
comment on function review.approve_lines(review.claims, review.claim_decision, jsonb, boolean) is
'Writes what is approved of each line; returns the sum, null for a denial.
p_claim: reviewed just now; p_decision: decision; p_lines: [{"line", "amount", "reason"}], null for what is supported; p_is_machine: an agent decides.
Raises CP109 (lines that don''t fit), CP406 (above what is supported or allowed, nothing to approve).';

create or replace function review.decide(
  p_claim uuid, p_decision review.claim_decision, p_rationale text default null, p_lines jsonb default null)
returns review.claims
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
set jit = off
as $$
declare
  v_claim review.claims;
  v_review review.claim_reviews;
  v_is_machine boolean;
  v_amount numeric;
  v_rationale text;
  v_before text;
begin
  perform auth.require_role('payroll', 'admin', 'service_role', 'jobs');
  v_is_machine := auth.role() in ('service_role', 'jobs');
  v_claim := review.own_claim(p_claim, '{UNDER_REVIEW,APPEALED}');
  perform review.refuse_own_pay(v_claim.crew_member_id);
  if p_decision is null or length(p_rationale) > 4000 or p_rationale is not null and btrim(p_rationale) = '' then
    raise exception using
      errcode = 'CP109',
      message = 'a decision says APPROVE, PARTIAL_APPROVE or DENY, and why in up to 4,000 characters',
      hint = 'Without a rationale of your own the review''s stands alone.';
  elsif v_claim.status = 'APPEALED' and (
    v_is_machine or v_claim.reviewed_by_person is not null and v_claim.reviewed_by_person is not distinct from auth.person() or v_claim.reviewed_by = audit.actor()) then
    raise exception using
      errcode = 'CP310',
      message = 'another person has to decide this',
      detail = format('Claim %s was decided by %s and appealed.', v_claim.claim_number, v_claim.reviewed_by),
      hint = 'Ask a colleague who had no part in the decision; agents don''t decide appeals.';
  end if;

  -- As of now, whatever the last review said.
  v_claim := review.assess_again(v_claim);
  v_amount := review.approve_lines(v_claim, p_decision, p_lines, v_is_machine);
  select r.* into v_review
  from review.claim_reviews as r
  where r.enterprise_id = v_claim.enterprise_id and r.id = v_claim.review_id;
  v_rationale := concat_ws(E'\n', btrim(p_rationale), v_review.rationale,
    case p_decision when 'DENY' then 'Denied.' else format('%s approved.', v_amount) end);
  v_before := pay.because(coalesce(btrim(p_rationale), format('%s: %s supported', p_decision, v_review.supported_amount)));
  if coalesce(v_amount, 0) < v_claim.paid_amount then
    raise exception using
      errcode = 'CP406',
      message = 'an appeal takes nothing back',
      detail = format('%s was granted before.', v_claim.paid_amount),
      hint = 'Grant at least that: PARTIAL_APPROVE with the lines as they were granted.';
  end if;
  if p_decision <> 'DENY' then
    -- Before it counts as made good by this claim.
    perform review.note_discrepancies(v_claim);
  end if;
  update review.claims as c
  set status = case p_decision when 'DENY' then 'DENIED' else 'APPROVED' end::review.claim_status,
    decision = p_decision, decision_rationale = v_rationale, approved_amount = v_amount,
    reviewed_at = greatest(clock_timestamp(), c.submitted_at), reviewed_by = audit.actor(), reviewed_by_person = auth.person(),
    first_decision = case when v_claim.status = 'APPEALED' then jsonb_build_object('decision', v_claim.decision, 'approved_amount', v_claim.approved_amount,
      'reviewed_at', v_claim.reviewed_at, 'reviewed_by', v_claim.reviewed_by, 'rationale', v_claim.decision_rationale) end,
    payment_status = case when coalesce(v_amount, 0) > c.paid_amount then 'PENDING' else c.payment_status end::review.payment_status,
    payment_due = case when p_decision <> 'DENY' then review.add_business_days(current_date, (t.terms ->> 'payment_days')::integer) end
  from (select review.claim_terms(v_claim.enterprise_id, v_claim.crew_member_id, current_date) as terms) as t
  where c.enterprise_id = v_claim.enterprise_id and c.id = p_claim
  returning c.* into v_claim;
  perform ops.clear_alert('claim:' || v_claim.claim_number);
  perform review.tell_claimant(v_claim, 'claim_decided');
  if v_claim.payment_status = 'PENDING' and pay.claim_payment_state(v_claim) in ('within limit', 'approved') then
    v_claim := review.book_claim(v_claim);
  end if;
  perform set_config('app.reason', v_before, true);
  return v_claim;
end
$$;
alter function review.decide(uuid, review.claim_decision, text, jsonb) owner to crewpay_definer;
revoke all on function review.decide(uuid, review.claim_decision, text, jsonb) from public;
grant execute on function review.decide(uuid, review.claim_decision, text, jsonb) to crewpay_payroll, crewpay_admin, crewpay_service;
comment on function review.decide(uuid, review.claim_decision, text, jsonb) is
'Decides a claim that was reviewed, or appealed; returns it. It is reviewed once more at that moment, and the rationale gets clauses and figures.
What is approved and within the limit of one person is booked at once, above it when a second person has released it (review.pay_claim).
p_claim: review.claims.id; p_decision: APPROVE, PARTIAL_APPROVE, DENY; p_rationale: your own words before them, or null; p_lines: what is
approved line by line, [{"line": 1, "amount": 12.34, "reason": "…"}] (lines that aren''t named: nothing), null: what is supported, up to the claim.
Agents approve no more than the recalculation supports and no more than agent_limit of the setting review.claims, and decide no appeals.
Raises 42501, CP109, CP310 (own claim, or own decision appealed), CP404 (unknown), CP405 (not reviewed, or decided), CP406 (above what is supported or allowed).';

create or replace function review.assess_again(p_claim review.claims)
returns review.claims
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_claim review.claims;
begin
  perform review.assess(review.known_period(p_claim.pay_period_id), array[p_claim.id]);
  select c.* into v_claim
  from review.claims as c
  where c.enterprise_id = p_claim.enterprise_id and c.id = p_claim.id;
  return v_claim;
end
$$;
comment on function review.assess_again(review.claims) is 'Reviews a claim and returns it as it is then.
p_claim: claim.';

-- What a claim made good is on record as found by it: detection then neither reports nor corrects it a second time.
create or replace function review.note_discrepancies(p_claim review.claims)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_settings jsonb := review.setting('review.detection');
begin
  with granted as materialized (
    select l.component, l.flight_id, sum(l.approved_amount) as amount
    from review.claim_lines as l
    where l.enterprise_id = p_claim.enterprise_id and l.claim_id = p_claim.id and l.approved_amount > 0
    group by l.component, l.flight_id
  ),
  differences as materialized (
    select d.*, review.subject_key(d.basis, d.component, d.flight_id, d.level, d.node, null) as subject_key, lower(d.kind::text) as check_id
    from pay.pay_periods as p
    cross join lateral review.compare_paid(p, null, array[p_claim.crew_member_id], (v_settings ->> 'tolerance')::numeric) as d
    where p.enterprise_id = p_claim.enterprise_id and p.id = p_claim.pay_period_id
      and exists (select from pay.payroll_payments as x where x.enterprise_id = p.enterprise_id and x.pay_period_id = p.id)
  ),
  met as materialized (
    select d.*
    from differences as d
    where d.expected > d.actual
      and d.expected - d.actual <= (
        select coalesce(sum(g.amount), 0) from granted as g
        where g.component = d.component and (g.flight_id is null or d.flight_id is null or g.flight_id = d.flight_id))
  ),
  settled as (
    update review.discrepancies as d
    set resolution_status = 'RESOLVED', resolution_date = now(), resolved_by = audit.actor(), claim_id = p_claim.id,
      resolution_notes = concat_ws(E'\n', d.resolution_notes, format('Made good by claim %s.', p_claim.claim_number))
    from met as m
    where d.enterprise_id = p_claim.enterprise_id and d.pay_period_id = p_claim.pay_period_id and d.crew_member_id = p_claim.crew_member_id
      and d.check_id = m.check_id and d.subject_key = m.subject_key and d.resolution_status in ('OPEN', 'INVESTIGATING', 'ESCALATED')
    returning d.check_id, d.subject_key
  )
  insert into review.discrepancies (
    enterprise_id, crew_member_id, pay_period_id, flight_id, discrepancy_type, expected_amount, actual_amount, difference_amount, severity,
    detected_by, resolution_status, resolution_date, resolved_by, resolution_notes, claim_id, check_id, subject_key, component, basis, level, node,
    reason, explanation)
  select p_claim.enterprise_id, p_claim.crew_member_id, p_claim.pay_period_id, m.flight_id, m.kind, m.expected, m.actual, m.expected - m.actual,
    review.severity_of(m.expected - m.actual, null, c.severity, v_settings), 'CREW_CLAIM', 'RESOLVED', now(), audit.actor(),
    format('Made good by claim %s.', p_claim.claim_number), p_claim.id, m.check_id, m.subject_key, m.component, m.basis, m.level, m.node, m.reason, m.explanation
  from met as m
  join review.checks as c on c.id = m.check_id
  where not exists (select from settled as s where s.check_id = m.check_id and s.subject_key = m.subject_key)
    and not exists (
      select from review.discrepancies as d
      where d.enterprise_id = p_claim.enterprise_id and d.pay_period_id = p_claim.pay_period_id and d.crew_member_id = p_claim.crew_member_id
        and d.check_id = m.check_id and d.subject_key = m.subject_key and not d.cured);
end
$$;
comment on function review.note_discrepancies(review.claims) is
'Discrepancies that a granted claim makes good are resolved by it; those that nobody had found are recorded as found by it.
p_claim: claim whose lines are approved, before it is decided.';
