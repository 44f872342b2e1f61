-- The five-step review: flight data, rules, recalculation, comparison with what was paid, rationale. All claims of a period that wait
-- are reviewed at once: one recalculation, one comparison.

create or replace function review.line_sentence(
  p_component pay.component, p_flight text, p_expected numeric, p_actual numeric, p_settled numeric, p_supported numeric, p_terms text[], p_is_posted boolean)
returns text
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select format('%s: %s expected%s, %s %s%s; %s supported.',
    concat_ws(' of ', replace(p_component::text, '_', ' '), p_flight), p_expected,
    case when p_terms <> '{}' then ' under ' || array_to_string(p_terms, ', ') end, p_actual,
    case when p_is_posted then 'paid' else 'recorded and not paid yet' end,
    case when p_settled > 0 then format(', %s made good already', p_settled) end, p_supported)
$$;
comment on function review.line_sentence(pay.component, text, numeric, numeric, numeric, numeric, text[], boolean) is
'One line of a claim in words.
p_component: component; p_flight: flight, or null; p_expected, p_actual, p_settled, p_supported: amounts; p_terms: clauses; p_is_posted: payroll has paid.';

-- What the recalculation and the payments say about claims, by component and, where payroll pays by flight, by leg.
--
-- A claim that names no flight is about the whole component: what is expected of it less what was paid. One that names flights is about
-- the nodes of those flights (leg, duty, trip): of what payroll doesn't pay by flight no more is supported than the component lacks as a whole.
create or replace function review.assess_lines(p_period pay.pay_periods, p_run uuid, p_claims uuid[], p_is_posted boolean)
returns table (
  claim_id uuid, component pay.component, flight_id uuid, term_codes text[], expected numeric, actual numeric, settled numeric, supported numeric)
language sql
stable
set search_path = pg_catalog, pg_temp
set enable_nestloop = off
as $$
  with claims as materialized (
    select c.id, c.crew_member_id, c.component, c.flight_ids::uuid[] as flights
    from review.claims as c
    where c.enterprise_id = p_period.enterprise_id and c.id = any (p_claims)
  ),
  crew as materialized (
    select array_agg(distinct c.crew_member_id) as ids from claims as c
  ),
  ours as materialized (
    select l.* from review.result_lines(p_period.enterprise_id, p_period.id, p_run, (select crew.ids from crew)) as l where l.level <> 'adjustment'
  ),
  theirs as materialized (
    select a.crew_member_id, a.component, a.flight_id, a.amount
    from review.actual_lines(p_period.enterprise_id, p_period.id, null, (select crew.ids from crew)) as a
    where p_is_posted and a.component <> 'adjustment'
    union all
    select l.crew_member_id, l.component, l.flight_id, l.amount
    from review.result_lines(p_period.enterprise_id, p_period.id, null, (select crew.ids from crew)) as l
    where not p_is_posted and l.level <> 'adjustment' and p_period.status not in ('OPEN', 'PROCESSING')
    union all
    -- A period that payroll has yet to pay is computed again before it does: nothing is missing that could be claimed.
    select l.crew_member_id, l.component, l.flight_id, l.amount
    from ours as l
    where not p_is_posted and p_period.status in ('OPEN', 'PROCESSING')
  ),
  by_flight as materialized (
    select distinct t.crew_member_id, t.component from theirs as t where t.flight_id is not null
  ),
  nodes as materialized (
    select distinct c.id as claim_id, n.level, n.node
    from claims as c
    join crew.crew_assignments as a
      on a.enterprise_id = p_period.enterprise_id and a.crew_member_id = c.crew_member_id and a.flight_id = any (c.flights)
    left join crew.trips as t on t.enterprise_id = a.enterprise_id and t.id = a.trip_id
    cross join lateral (values
      ('leg', a.leg_no), ('duty', floor(date_part('epoch', a.duty_start_time) / 60)::bigint), ('trip', t.trip_no)) as n (level, node)
  ),
  -- Everything of the component, and what the claim's flights have to do with.
  expected as materialized (
    select c.id as claim_id, c.crew_member_id, c.flights, l.component, k.flight_id, sum(l.amount) as whole,
      sum(l.amount) filter (where c.flights = '{}' or n.node is not null) as touched,
      array_agg(distinct l.term_code) filter (where l.amount <> 0 and (c.flights = '{}' or n.node is not null)) as term_codes
    from claims as c
    join ours as l on l.crew_member_id = c.crew_member_id and (c.component is null or l.component = c.component)
    left join by_flight as b on b.crew_member_id = l.crew_member_id and b.component = l.component and c.flights <> '{}'
    left join nodes as n on n.claim_id = c.id and n.level = l.level and n.node = l.node
    cross join lateral (select case when b.component is not null then l.flight_id end as flight_id) as k
    group by c.id, c.crew_member_id, c.flights, l.component, k.flight_id
  ),
  actual as materialized (
    select c.id as claim_id, c.crew_member_id, c.flights, t.component, k.flight_id, sum(t.amount) as whole
    from claims as c
    join theirs as t on t.crew_member_id = c.crew_member_id and (c.component is null or t.component = c.component)
    cross join lateral (select case when c.flights <> '{}' then t.flight_id end as flight_id) as k
    group by c.id, c.crew_member_id, c.flights, t.component, k.flight_id
  ),
  compared as (
    select coalesce(e.claim_id, a.claim_id) as claim_id, coalesce(e.crew_member_id, a.crew_member_id) as crew_member_id, coalesce(e.flights, a.flights) as flights,
      coalesce(e.component, a.component) as component, coalesce(e.flight_id, a.flight_id) as flight_id, coalesce(e.term_codes, '{}') as term_codes,
      coalesce(e.whole, 0) as expected_whole, coalesce(a.whole, 0) as actual_whole, coalesce(e.touched, 0) as touched
    from expected as e
    full join actual as a on a.claim_id = e.claim_id and a.component = e.component and a.flight_id is not distinct from e.flight_id
  ),
  scoped as (
    select c.claim_id, c.crew_member_id, c.flights, c.component, c.flight_id, c.term_codes,
      case when c.flights = '{}' or c.flight_id is not null then c.expected_whole else c.touched end as expected,
      case when c.flights = '{}' or c.flight_id is not null then c.actual_whole
        -- Of the duties and trips of the flights nobody says what was paid: what the component lacks is taken to be theirs.
        else c.touched - least(c.touched, greatest(c.expected_whole - c.actual_whole, 0)) end as actual
    from compared as c
    where c.flights = '{}' or c.flight_id = any (c.flights) or c.flight_id is null and c.touched <> 0
  ),
  -- Other claims that were granted, corrections, and back pay.
  made_good as materialized (
    select g.* from review.made_good(p_period.enterprise_id, p_period.id, (select crew.ids from crew)) as g
    union all
    select b.crew_member_id, b.component, null, b.amount, null
    from pay.settled_back_pay(p_period.enterprise_id, p_period.id) as b
    where b.crew_member_id in (select c.crew_member_id from claims as c)
  )
  select s.claim_id, s.component, s.flight_id, s.term_codes, round(s.expected, 2), round(s.actual, 2), m.amount,
    round(greatest(0, s.expected - s.actual - m.amount), 2)
  from scoped as s
  cross join lateral (
    select coalesce(sum(g.amount), 0) as amount
    from made_good as g
    where g.crew_member_id = s.crew_member_id and g.component = s.component and g.claim_id is distinct from s.claim_id
      and (s.flights = '{}' or g.flight_id is null or g.flight_id is not distinct from s.flight_id)
  ) as m
  where s.expected <> s.actual or s.flights <> '{}'
    or s.component = (select c.component from claims as c where c.id = s.claim_id)
$$;
comment on function review.assess_lines(pay.pay_periods, uuid, uuid[], boolean) is
'What is expected, was paid, made good already and therefore supported, by claim, component and leg.
p_period: claimed period; p_run: recalculation of the claimants; p_claims: claims of it; p_is_posted: payments are compared, else recorded pay,
which of an open period is what the recalculation gives.';

-- Writes lines and a review for each claim, all of one period.
create or replace function review.assess(p_period pay.pay_periods, p_claims uuid[])
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_run pay.pay_runs;
  v_is_posted boolean := review.is_posted(p_period);
  v_limit numeric := (review.setting('review.claims') ->> 'agent_limit')::numeric;
  v_due date := coalesce(p_period.pay_date, p_period.end_date);
  v_reviewed integer;
  v_before review.claim_lines[] := array(
    select l from review.claim_lines as l where l.enterprise_id = p_period.enterprise_id and l.claim_id = any (p_claims));
begin
  perform review.bring_up_to_date(p_period, true);
  v_run := review.recalculate(p_period, array(
    select distinct c.crew_member_id from review.claims as c where c.enterprise_id = p_period.enterprise_id and c.id = any (p_claims)), true);

  delete from review.claim_lines as l where l.enterprise_id = p_period.enterprise_id and l.claim_id = any (p_claims);
  insert into review.claim_lines (
    enterprise_id, claim_id, line_no, component, flight_id, term_codes, expected_amount, actual_amount, settled_amount, supported_amount,
    approved_amount)
  select p_period.enterprise_id, a.claim_id, row_number() over (partition by a.claim_id order by a.component, f.scheduled_departure nulls first, a.flight_id),
    a.component, a.flight_id, a.term_codes, a.expected, a.actual, a.settled, a.supported,
    -- What the first decision granted stays granted while it is appealed.
    (select b.approved_amount from unnest(v_before) as b where b.claim_id = a.claim_id and b.component = a.component and b.flight_id is not distinct from a.flight_id)
  from review.assess_lines(p_period, v_run.id, p_claims, v_is_posted) as a
  left join crew.flights as f on f.enterprise_id = p_period.enterprise_id and f.id = a.flight_id;

  with lines as (
    select l.*, f.flight_number || ' ' || f.origin_airport || '–' || f.destination_airport || ' of ' || to_char(f.scheduled_departure at time zone o.time_zone, 'YYYY-MM-DD') as flight
    from review.claim_lines as l
    left join crew.flights as f on f.enterprise_id = l.enterprise_id and f.id = l.flight_id
    left join crew.airports as o on o.iata = f.origin_airport
    where l.enterprise_id = p_period.enterprise_id and l.claim_id = any (p_claims)
  ),
  sums as (
    select l.claim_id, sum(l.supported_amount) as supported, count(*) as lines,
      string_agg(review.line_sentence(l.component, l.flight, l.expected_amount, l.actual_amount, l.settled_amount, l.supported_amount, l.term_codes, v_is_posted), E'\n' order by l.line_no) as sentences,
      jsonb_agg(jsonb_build_object('line', l.line_no, 'component', l.component, 'flight', l.flight, 'expected', l.expected_amount,
        'actual', l.actual_amount, 'settled', l.settled_amount, 'supported', l.supported_amount) order by l.line_no) as comparison,
      (select jsonb_agg(distinct t.code) from unnest(array_agg(l.term_codes)) as t (code) where t.code is not null) as term_codes
    from (select l.claim_id, l.line_no, l.component, l.flight, l.expected_amount, l.actual_amount, l.settled_amount, l.supported_amount, l.term_codes from lines as l) as l
    group by l.claim_id
  ),
  flights as (
    select c.id as claim_id, jsonb_agg(jsonb_build_object('id', f.id, 'flight', f.flight_number, 'from', f.origin_airport, 'to', f.destination_airport,
      'scheduled', jsonb_build_array(f.scheduled_departure, f.scheduled_arrival), 'actual', jsonb_build_array(f.actual_departure, f.actual_arrival),
      'status', f.status, 'delay_minutes', f.delay_minutes, 'delay_code', f.delay_code) order by f.scheduled_departure) as facts
    from review.claims as c
    join crew.flights as f on f.enterprise_id = c.enterprise_id and f.id = any (c.flight_ids::uuid[])
    where c.enterprise_id = p_period.enterprise_id and c.id = any (p_claims)
    group by c.id
  ),
  inputs as (
    select f.crew_member_id, count(*) as missing
    from pay.run_findings as f
    where f.enterprise_id = p_period.enterprise_id and f.run_id = v_run.id and f.crew_member_id is not null
    group by f.crew_member_id
  ),
  judged as (
    select c.*, coalesce(s.supported, 0) as supported, s.sentences, s.comparison, s.term_codes, x.facts,
      case when coalesce(s.supported, 0) = 0 then 'DENY' when s.supported < c.claimed_amount then 'PARTIAL_APPROVE' else 'APPROVE' end::review.claim_decision as recommendation,
      array_remove(array[
        case when not v_is_posted and (current_date <= v_due or p_period.status in ('OPEN', 'PROCESSING'))
          then format('payroll has not paid this period yet, due on %s', v_due) end,
        case when i.missing > 0 then format('%s inputs of the recalculation are missing', i.missing) end,
        case when least(c.claimed_amount, s.supported) > v_limit then format('above %s a person decides', v_limit) end,
        case when s.supported > 0 and s.supported < c.claimed_amount then 'not all that is claimed is supported' end,
        case when coalesce(s.supported, 0) = 0 then 'nothing supports it' end], null) as unclear
    from review.claims as c
    left join sums as s on s.claim_id = c.id
    left join flights as x on x.claim_id = c.id
    left join inputs as i on i.crew_member_id = c.crew_member_id
    where c.enterprise_id = p_period.enterprise_id and c.id = any (p_claims)
  ),
  written as (
    insert into review.claim_reviews (enterprise_id, claim_id, run_id, reviewed_by, supported_amount, recommendation, unclear, rationale, steps)
    select j.enterprise_id, j.id, v_run.id, audit.actor(), j.supported, j.recommendation, j.unclear, t.rationale,
      jsonb_build_object(
        'flights', coalesce(j.facts, '[]'),
        'rules', coalesce(j.term_codes, '[]'),
        'recalculation', jsonb_build_object('run_id', v_run.id, 'as_of', v_run.as_of),
        'comparison', coalesce(j.comparison, '[]'),
        'rationale', t.rationale)
    from judged as j
    cross join lateral (
      select concat_ws(E'\n', j.sentences,
        format('%s claimed, %s supported by the recalculation of %s.', j.claimed_amount, j.supported, to_char(v_run.as_of at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'))) as rationale
    ) as t
    returning claim_id, id
  )
  update review.claims as c
  set review_id = w.id, status = case c.status when 'SUBMITTED' then 'UNDER_REVIEW' else c.status end
  from written as w
  where c.enterprise_id = p_period.enterprise_id and c.id = w.claim_id;
  get diagnostics v_reviewed = row_count;
  return v_reviewed;
end
$$;
comment on function review.assess(pay.pay_periods, uuid[]) is
'Reviews claims of one period in five steps; returns how many. Their recalculation is kept as a run of kind CHECK.
p_period: the period, brought up to date first; p_claims: claims of it that are not decided.
Raises CP210 (a run of the period is in progress), what pay.run_groups() and rules.ruleset_for() raise.';

create or replace function review.review_claim(p_claim uuid)
returns review.claim_reviews
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
begin
  perform auth.require_role('payroll', 'admin', 'service_role', 'jobs');
  v_claim := review.own_claim(p_claim, '{SUBMITTED,UNDER_REVIEW,APPEALED}');
  perform review.refuse_own_pay(v_claim.crew_member_id);
  perform review.assess(review.known_period(v_claim.pay_period_id), array[p_claim]);
  select r.* into v_review
  from review.claims as c
  join review.claim_reviews as r on r.enterprise_id = c.enterprise_id and r.id = c.review_id
  where c.enterprise_id = v_claim.enterprise_id and c.id = p_claim;
  return v_review;
end
$$;
alter function review.review_claim(uuid) owner to crewpay_definer;
revoke all on function review.review_claim(uuid) from public;
grant execute on function review.review_claim(uuid) to crewpay_payroll, crewpay_admin, crewpay_service, crewpay_jobs;
comment on function review.review_claim(uuid) is
'Reviews a claim: flights, rules, recalculation, comparison with what was paid, rationale; returns the review with what it recommends.
Its lines are in review.claim_lines. p_claim: review.claims.id, not decided.
Raises 42501, CP310 (the own claim), CP404 (unknown), CP405 (decided).';
