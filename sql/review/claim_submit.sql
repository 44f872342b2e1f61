-- Submitting a claim: checked, numbered without gap, acknowledged with its deadline.

create or replace function review.claimed_flights(p_enterprise uuid, p_crew_member uuid, p_flights text[])
returns uuid[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_found uuid[];
  v_missing text;
begin
  with asked as materialized (
    select a.no, btrim(a.entry) as entry, regexp_match(upper(btrim(a.entry)), '^([A-Z0-9]{2,3} ?[0-9]{1,4}[A-Z]?)[ /]+([0-9]{4}-[0-9]{2}-[0-9]{2})$') as parts
    from unnest(p_flights) with ordinality as a (entry, no)
  ),
  legs as materialized (
    select g.flight_id, f.flight_number, (f.scheduled_departure at time zone o.time_zone)::date as day
    from crew.crew_assignments as g
    join crew.flights as f on f.enterprise_id = g.enterprise_id and f.id = g.flight_id
    join crew.airports as o on o.iata = f.origin_airport
    where g.enterprise_id = p_enterprise and g.crew_member_id = p_crew_member
  ),
  matched as (
    select distinct on (a.no) a.no, a.entry, l.flight_id
    from asked as a
    left join legs as l on l.flight_id::text = lower(a.entry)
      or l.flight_number = replace(a.parts[1], ' ', '') and l.day::text = a.parts[2]
    order by a.no, l.flight_id
  )
  select array_agg(distinct m.flight_id) filter (where m.flight_id is not null), string_agg(m.entry, ', ' order by m.no) filter (where m.flight_id is null)
  into v_found, v_missing
  from matched as m;
  if v_missing is not null then
    raise exception using
      errcode = 'CP403',
      message = 'a flight of the claim is not on the crew member''s record',
      detail = left(v_missing, 200),
      hint = 'Give flights as number and day of departure (XP101 2026-07-01) or by their id; of a flight that is missing from your record, say so in the description.';
  end if;
  return coalesce(v_found, '{}');
end
$$;
comment on function review.claimed_flights(uuid, uuid, text[]) is
'Flights named by id, or by number and local day of departure, that a crew member was assigned to.
p_enterprise: tenant; p_crew_member: who claims; p_flights: e.g. {"XP101 2026-07-01"}. Raises CP403 (not on their record, or not known at all).';

create or replace function review.check_claim(
  p_period pay.pay_periods, p_terms jsonb, p_type review.claim_type, p_amount numeric, p_description text, p_flights text[])
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_last date := coalesce(p_period.pay_date, p_period.end_date) + (p_terms ->> 'claim_days')::integer;
  v_bad text := concat_ws(', ',
    case when p_type is null then 'the type is missing' end,
    case when p_amount is null then 'the amount is missing'
      when p_amount in ('NaN', 'Infinity', '-Infinity') then 'the amount is no number'
      when p_amount <= 0 then 'the amount is not above zero'
      when p_amount > (p_terms ->> 'max_amount')::numeric then format('the amount is above %s', p_terms ->> 'max_amount')
      when p_amount <> round(p_amount, 2) then 'the amount is not to the cent' end,
    case when coalesce(btrim(p_description), '') = '' then 'the description is missing'
      when length(p_description) > 4000 then format('the description has %s characters, of at most 4000', length(p_description)) end,
    case when cardinality(p_flights) > 50 then format('%s flights, of at most 50', cardinality(p_flights)) end);
begin
  if v_bad <> '' then
    raise exception using
      errcode = 'CP109',
      message = 'the claim can''t be taken as it is',
      detail = v_bad,
      hint = 'Nothing was lost: correct it and submit again.';
  elsif p_period.start_date > current_date then
    raise exception using
      errcode = 'CP407',
      message = format('the period of %s to %s has not begun', p_period.start_date, p_period.end_date),
      hint = 'Claim when it has.';
  elsif current_date > v_last then
    raise exception using
      errcode = 'CP407',
      message = format('claims for %s to %s were open until %s', p_period.start_date, p_period.end_date, v_last),
      detail = concat_ws(' ', format('%s days after the pay date', p_terms ->> 'claim_days'), 'under ' || (p_terms ->> 'term_code')),
      hint = 'Payroll can still look into it: it finds and corrects errors without a claim.';
  end if;
end
$$;
comment on function review.check_claim(pay.pay_periods, jsonb, review.claim_type, numeric, text, text[]) is
'Refuses what can''t be taken as a claim.
p_period: claimed period; p_terms: review.claim_terms(); p_type, p_amount, p_description, p_flights: as review.submit_claim().
Raises CP109 (bad values, all of them told), CP407 (too late, or too early).';

create or replace function review.next_claim_number(p_enterprise uuid)
returns text
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  insert into review.claim_numbers as n (enterprise_id, year, last_no)
  select p_enterprise, y.year, 1 + coalesce((
    select max(split_part(c.claim_number, '-', 3)::integer) from review.claims as c
    where c.enterprise_id = p_enterprise and c.claim_number like format('CLM-%s-%%', y.year)), 0)
  from (select extract(year from current_date)::integer) as y (year)
  on conflict (enterprise_id, year) do update set last_no = n.last_no + 1
  returning format('CLM-%s-%s', n.year, lpad(n.last_no::text, greatest(4, length(n.last_no::text)), '0'))
$$;
comment on function review.next_claim_number(uuid) is
'The next claim number of this year. Others wait for it until the transaction ends, so that none is left out.
p_enterprise: tenant.';

create or replace function review.refuse_duplicate(p_claim review.claims)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_other review.claims;
begin
  select c.* into v_other
  from review.claims as c
  where c.enterprise_id = p_claim.enterprise_id
    and c.crew_member_id = p_claim.crew_member_id
    and c.pay_period_id = p_claim.pay_period_id
    and c.status not in ('DENIED', 'WITHDRAWN')
    and (c.flight_ids && p_claim.flight_ids or c.flight_ids = '{}' and p_claim.flight_ids = '{}')
    and (c.component = p_claim.component or c.component is null and p_claim.component is null and c.claim_type = p_claim.claim_type)
  order by c.submitted_at
  limit 1;
  if v_other.id is not null then
    raise exception using
      errcode = 'CP408',
      message = format('claim %s is about the same', v_other.claim_number),
      detail = format('It is %s. Same flights and component.', v_other.status),
      hint = 'Add to it: review.add_evidence(); against its decision, review.appeal_claim().';
  end if;
end
$$;
comment on function review.refuse_duplicate(review.claims) is
'Recognises a claim for the same legs and component of the same period that is not denied or withdrawn.
p_claim: the new one. Raises CP408.';

create or replace function review.submit_claim(
  p_period uuid, p_type review.claim_type, p_amount numeric, p_description text, p_flights text[] default '{}',
  p_component pay.component default null, p_key text default null, p_employee text default null)
returns review.claims
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_enterprise uuid := auth.enterprise_id();
  v_period pay.pay_periods;
  v_claim review.claims;
  v_known review.claims;
  v_terms jsonb;
  v_crew_member uuid;
  v_employee text;
begin
  perform auth.require_role('crew', 'payroll', 'admin', 'service_role');
  if auth.role() = 'crew' then
    v_crew_member := auth.uid();
  else
    select m.id into v_crew_member
    from crew.crew_members as m
    where m.enterprise_id = v_enterprise and m.employee_id = p_employee;
  end if;
  select m.employee_id into v_employee
  from crew.crew_members as m
  where m.enterprise_id = v_enterprise and m.id = v_crew_member and (p_employee is null or m.employee_id = p_employee);
  if v_employee is null then
    raise exception using
      errcode = 'CP106',
      message = 'unknown crew member',
      detail = format('Employee %s.', coalesce(p_employee, 'not given')),
      hint = 'Crew claim for themselves; payroll gives the employee number of whom it claims for.';
  end if;
  v_period := review.known_period(p_period);
  v_terms := review.claim_terms(v_enterprise, v_crew_member, current_date);
  perform review.check_claim(v_period, v_terms, p_type, p_amount, p_description, p_flights);

  v_claim.enterprise_id := v_enterprise;
  v_claim.crew_member_id := v_crew_member;
  v_claim.pay_period_id := p_period;
  v_claim.claim_type := p_type;
  v_claim.component := coalesce(p_component, case p_type
    when 'MISSING_PREMIUM' then 'premium' when 'PER_DIEM' then 'per_diem' when 'DELAY_PAY' then 'delay_pay'
    when 'GUARANTEE' then 'guarantee' when 'OVERTIME' then 'overtime' when 'MISSING_FLIGHT' then 'flight_pay' end::pay.component);
  v_claim.flight_ids := review.claimed_flights(v_enterprise, v_crew_member, p_flights)::text[];

  -- One submission of a crew member at a time, so that a repeated one finds the first.
  perform pg_advisory_xact_lock(hashtext('review.submit_claim'), hashtext(v_crew_member::text));
  select c.* into v_known
  from review.claims as c
  where c.enterprise_id = v_enterprise and c.crew_member_id = v_crew_member and c.idempotency_key = p_key;
  if v_known.id is not null then
    if (v_known.pay_period_id, v_known.claim_type, v_known.claimed_amount, v_known.description, v_known.flight_ids)
      is distinct from (p_period, p_type, p_amount, p_description, v_claim.flight_ids) then
      raise exception using
        errcode = 'CP408',
        message = format('the key of claim %s was used for another claim', v_known.claim_number),
        hint = 'Give each claim a key of its own.';
    end if;
    return v_known;
  end if;
  perform review.refuse_duplicate(v_claim);

  insert into review.claims (
    enterprise_id, claim_number, crew_member_id, pay_period_id, flight_ids, claim_type, component, description, claimed_amount,
    submitted_by, idempotency_key, answer_due)
  values (
    v_enterprise, review.next_claim_number(v_enterprise), v_crew_member, p_period, v_claim.flight_ids, p_type, v_claim.component, p_description, p_amount,
    case when auth.role() = 'crew' then v_employee else audit.actor() end, p_key,
    review.add_business_days(current_date, (v_terms ->> 'answer_days')::integer))
  returning * into v_claim;
  perform review.tell_claimant(v_claim, 'claim_submitted');
  return v_claim;
end
$$;
alter function review.submit_claim(uuid, review.claim_type, numeric, text, text[], pay.component, text, text) owner to crewpay_definer;
revoke all on function review.submit_claim(uuid, review.claim_type, numeric, text, text[], pay.component, text, text) from public;
grant execute on function review.submit_claim(uuid, review.claim_type, numeric, text, text[], pay.component, text, text)
  to crewpay_crew, crewpay_payroll, crewpay_admin, crewpay_service;
comment on function review.submit_claim(uuid, review.claim_type, numeric, text, text[], pay.component, text, text) is
'Submits a claim and returns it, with its number and the day by which it has to be answered. Repeated with the same key it is the same claim.
p_period: pay period claimed for; p_type: what is claimed; p_amount: how much, to the cent; p_description: in the claimant''s words, up to 4,000
characters; p_flights: flights by id or as number and local day (XP101 2026-07-01); p_component: component of pay, else by the type;
p_key: the client''s own key; p_employee: for whom payroll claims (crew: themselves).
Raises 42501, CP106 (unknown crew member), CP109 (bad values), CP214 (unknown period), CP403 (somebody else''s flight), CP407 (too late, too early), CP408 (claimed already).';

create or replace function review.tell_claimant(p_claim review.claims, p_event text)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  select notify.post(p_claim.crew_member_id, 'CLAIM_STATUS', p_event,
    jsonb_build_object(
      'claim', p_claim.claim_number,
      'amount', format('%s %s', case p_event when 'claim_submitted' then p_claim.claimed_amount else coalesce(p_claim.approved_amount, 0) end, e.currency),
      'submitted_at', case p_event when 'claim_appealed' then p_claim.appeal_submitted_at else p_claim.submitted_at end,
      'deadline', p_claim.answer_due,
      'decision', replace(lower(p_claim.decision::text), '_', ' '),
      'rationale', p_claim.decision_rationale,
      'period', (
        select concat_ws(' to ', p.start_date, p.end_date)
        from pay.adjustments as a
        join pay.pay_periods as p on p.enterprise_id = a.enterprise_id and p.id = a.pay_period_id
        where a.enterprise_id = p_claim.enterprise_id and a.source = 'CLAIM' and a.source_id = p_claim.id
        order by a.adjustment_no desc
        limit 1)),
    'claim', p_claim.id, concat_ws(':', p_claim.id, p_claim.reviewed_at))
  from platform.enterprises as e
  where e.id = p_claim.enterprise_id
$$;
comment on function review.tell_claimant(review.claims, text) is
'Tells the claimant what became of the claim, once for each decision.
p_claim: claim; p_event: claim_submitted, claim_decided, claim_paid or claim_appealed.';
