-- One award applied to all who are affected alike: previewed, then submitted as a claim for each, which goes the usual way.

create or replace function review.remedy_rows(p_enterprise uuid, p_claim uuid)
returns table (crew_member_id uuid, pay_period_id uuid, component pay.component, flight_id uuid, amount numeric, discrepancy_id uuid, explanation text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  -- The same error: as what the claim made good, found with others and not settled yet.
  select d.crew_member_id, d.pay_period_id, d.component, d.flight_id, d.difference_amount, d.id, d.explanation
  from review.claims as c
  join review.discrepancies as own on own.enterprise_id = c.enterprise_id and own.claim_id = c.id
  join review.discrepancies as d
    on d.enterprise_id = c.enterprise_id and d.crew_member_id <> c.crew_member_id
    and d.check_id = own.check_id and d.component is not distinct from own.component and d.reason = own.reason and d.basis = 'PAID'
    and d.difference_amount > 0 and d.resolution_status in ('OPEN', 'INVESTIGATING', 'ESCALATED')
  where c.enterprise_id = p_enterprise
    and c.id = p_claim
    and c.decision in ('APPROVE', 'PARTIAL_APPROVE')
    and not exists (
      select from review.claims as o
      where o.enterprise_id = c.enterprise_id and o.crew_member_id = d.crew_member_id and o.pay_period_id = d.pay_period_id
        and o.component is not distinct from d.component and o.status not in ('DENIED', 'WITHDRAWN')
        and (d.flight_id is null or d.flight_id::text = any (o.flight_ids)))
$$;
comment on function review.remedy_rows(uuid, uuid) is
'Who is affected by the error that a granted claim made good.
p_enterprise: tenant; p_claim: the claim.';

create or replace function review.preview_remedy(p_claim uuid)
returns table (employee_id text, period_start date, component pay.component, flight text, amount numeric, explanation text, preview_hash text)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_enterprise uuid := auth.enterprise_id();
begin
  perform auth.require_role('payroll', 'admin');
  return query
    select m.employee_id::text, p.start_date, r.component, f.flight_number::text, r.amount, r.explanation, review.remedy_hash(v_enterprise, p_claim)
    from review.remedy_rows(v_enterprise, p_claim) as r
    join crew.crew_members as m on m.enterprise_id = v_enterprise and m.id = r.crew_member_id
    join pay.pay_periods as p on p.enterprise_id = v_enterprise and p.id = r.pay_period_id
    left join crew.flights as f on f.enterprise_id = v_enterprise and f.id = r.flight_id
    order by m.employee_id, p.start_date, r.component, f.scheduled_departure;
end
$$;
alter function review.preview_remedy(uuid) owner to crewpay_definer;
revoke all on function review.preview_remedy(uuid) from public;
grant execute on function review.preview_remedy(uuid) to crewpay_payroll, crewpay_admin;
comment on function review.preview_remedy(uuid) is
'Whom the error that a granted claim made good affects as well, and what each lacks: what review.apply_remedy() would submit.
p_claim: the granted claim. Rests on the discrepancies on record: detect first. Raises 42501.';

create or replace function review.remedy_hash(p_enterprise uuid, p_claim uuid)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select encode(sha256(convert_to(coalesce(string_agg(concat_ws('|', r.discrepancy_id, r.amount), ',' order by r.discrepancy_id), ''), 'UTF8')), 'hex')
  from review.remedy_rows(p_enterprise, p_claim) as r
$$;
comment on function review.remedy_hash(uuid, uuid) is 'What a preview of a remedy showed.
p_enterprise: tenant; p_claim: the granted claim.';

create or replace function review.apply_remedy(p_claim uuid, p_preview_hash text, p_reason text)
returns setof review.claims
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_enterprise uuid := auth.enterprise_id();
  v_reason text := pay.require_reason(p_reason);
  v_first text;
  v_before text;
begin
  perform auth.require_role('payroll', 'admin');
  perform pg_advisory_xact_lock(hashtext('review.apply_remedy'), hashtext(p_claim::text));
  if review.remedy_hash(v_enterprise, p_claim) is distinct from p_preview_hash then
    raise exception using
      errcode = 'CP409',
      message = 'it is not what was previewed',
      hint = 'Look again: select * from review.preview_remedy(…); its preview_hash goes with what it shows.';
  end if;
  select c.claim_number into v_first from review.claims as c where c.enterprise_id = v_enterprise and c.id = p_claim;
  v_before := pay.because(v_reason);
  return query
    with affected as materialized (
      select r.*, row_number() over (order by m.employee_id, r.pay_period_id, r.discrepancy_id) as no, m.employee_id
      from review.remedy_rows(v_enterprise, p_claim) as r
      join crew.crew_members as m on m.enterprise_id = v_enterprise and m.id = r.crew_member_id
    ),
    numbered as materialized (
      -- One after the other, in this order: each takes the next number.
      select a.*, review.next_claim_number(v_enterprise) as claim_number from (select * from affected order by no) as a
    ),
    made as (
      insert into review.claims (
        enterprise_id, claim_number, crew_member_id, pay_period_id, flight_ids, claim_type, component, description, claimed_amount, submitted_by, answer_due, remedy_of)
      select v_enterprise, n.claim_number, n.crew_member_id, n.pay_period_id, case when n.flight_id is null then '{}' else array[n.flight_id::text] end,
        case n.component when 'premium' then 'MISSING_PREMIUM' when 'per_diem' then 'PER_DIEM' when 'delay_pay' then 'DELAY_PAY' when 'guarantee' then 'GUARANTEE'
          when 'overtime' then 'OVERTIME' else 'UNDERPAYMENT' end::review.claim_type,
        n.component, format('As claim %s: %s %s', v_first, v_reason, n.explanation), n.amount, audit.actor(),
        review.add_business_days(current_date, (t.terms ->> 'answer_days')::integer), p_claim
      from numbered as n
      cross join lateral review.claim_terms(v_enterprise, n.crew_member_id, current_date) as t (terms)
      returning *
    )
    select m.* from made as m order by m.claim_number;
  perform review.tell_claimant(c, 'claim_submitted')
  from review.claims as c
  where c.enterprise_id = v_enterprise and c.remedy_of = p_claim;
  perform set_config('app.reason', v_before, true);
end
$$;
alter function review.apply_remedy(uuid, text, text) owner to crewpay_definer;
revoke all on function review.apply_remedy(uuid, text, text) from public;
grant execute on function review.apply_remedy(uuid, text, text) to crewpay_payroll, crewpay_admin;
comment on function review.apply_remedy(uuid, text, text) is
'Submits a claim for everybody whom review.preview_remedy() shows; they are reviewed and decided as any other. Returns them.
p_claim: the granted claim; p_preview_hash: of the preview that was looked at; p_reason: why. Raises 42501, CP318 (no reason), CP409 (not what was previewed).';
