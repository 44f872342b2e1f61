-- What is known about amounts that differ: the facts by which their reason is told.

-- The legs of some crew members about a period, with what a wrong payroll may have taken for their credit. Planned for these crew members.
create or replace function review.legs_about(p_period pay.pay_periods, p_crew uuid[])
returns table (crew_member_id uuid, flight_id uuid, trip_no bigint, scheduled integer, flown integer, is_current boolean, crosses boolean)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
set enable_nestloop = on
as $$
#variable_conflict use_column
begin
  return query
  select a.crew_member_id, a.flight_id, t.trip_no,
    (date_part('epoch', f.scheduled_arrival - f.scheduled_departure) / 60)::integer,
    (date_part('epoch', f.actual_arrival - f.actual_departure) / 60)::integer,
    a.retired_at is null,
    coalesce((t.start_at at time zone b.time_zone)::date < p_period.start_date or (t.end_at at time zone b.time_zone)::date > p_period.end_date, false)
  from crew.crew_assignments as a
  join crew.flights as f on f.enterprise_id = a.enterprise_id and f.id = a.flight_id
  join crew.crew_members as m on m.enterprise_id = a.enterprise_id and m.id = a.crew_member_id
  join crew.airports as b on b.iata = m.base_location
  left join crew.trips as t on t.enterprise_id = a.enterprise_id and t.id = a.trip_id
  where a.enterprise_id = p_period.enterprise_id
    and a.crew_member_id = any (p_crew)
    and a.duty_start_time between p_period.start_date::timestamptz - interval '20 days' and p_period.end_date::timestamptz + interval '20 days';
end
$$;
comment on function review.legs_about(pay.pay_periods, uuid[]) is
'Legs of crew members in and about a period: scheduled and flown minutes, whether it stands, whether its trip crosses the period''s edge.
p_period: period; p_crew: crew members.';

-- Hourly rates that crew members have, had or would have: of their position at any year of service, and of their own row at any time.
create or replace function review.known_rates(p_enterprise uuid, p_crew uuid[])
returns table (crew_member_id uuid, rate numeric)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select m.id, (s.step ->> 'rate')::numeric
  from crew.crew_members as m
  join rules.union_contract_terms as t on t.enterprise_id = m.enterprise_id and t.calculation_formula ->> 'type' = 'hourly_rate' and m.position = any (t.applies_to)
  cross join lateral jsonb_array_elements(t.calculation_formula -> 'steps') as s (step)
  where m.enterprise_id = p_enterprise and m.id = any (p_crew) and s.step ->> 'position' = m.position::text
  union
  select m.id, m.base_hourly_rate
  from crew.crew_members as m
  where m.enterprise_id = p_enterprise and m.id = any (p_crew) and m.base_hourly_rate is not null
  union
  select (v.row_data ->> 'id')::uuid, (v.row_data ->> 'base_hourly_rate')::numeric
  from crew.fact_versions as v
  where v.enterprise_id = p_enterprise and v.table_name = 'crew.crew_members' and v.row_key = any (p_crew::text[])
    and v.row_data ->> 'base_hourly_rate' is not null
$$;
comment on function review.known_rates(uuid, uuid[]) is
'Hourly rates that a wrong payroll may have used for crew members.
p_enterprise: tenant; p_crew: crew members.';

-- Totals of results that were replaced: a payroll that paid one of them missed what came later.
create or replace function review.former_totals(p_period pay.pay_periods, p_crew uuid[])
returns table (crew_member_id uuid, component pay.component, amount numeric)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select distinct v.crew_member_id, c.component, c.amount
  from pay.calculation_versions as v
  join pay.pay_runs as r on r.enterprise_id = v.enterprise_id and r.id = v.run_id and r.kind = 'REGULAR'
  cross join lateral (values
    ('flight_pay'::pay.component, v.flight_pay_amount), ('overtime', v.overtime_amount), ('per_diem', v.per_diem_amount),
    ('premium', v.premium_pay_amount), ('delay_pay', v.delay_pay_amount), ('guarantee', v.guarantee_amount)) as c (component, amount)
  where v.enterprise_id = p_period.enterprise_id and v.pay_period_id = p_period.id and v.crew_member_id = any (p_crew)
$$;
comment on function review.former_totals(pay.pay_periods, uuid[]) is
'What crew members had recorded for a period before, by component.
p_period: period; p_crew: crew members.';

create or replace function review.evidence_about(p_period pay.pay_periods, p_batch uuid, p_crew uuid[], p_tolerance numeric)
returns setof review.evidence
language sql
stable
set search_path = pg_catalog, pg_temp
set jit = off
set enable_nestloop = off
as $$
  with unmatched as materialized (
    select row_number() over () as no, u.*
    from review.match_paid(p_period, p_batch, p_crew, p_tolerance) as u
  ),
  legs as materialized (
    select * from review.legs_about(p_period, p_crew)
  ),
  lines as materialized (
    select u.no, u.by_flight, u.expected - u.actual as missing, l.crew_member_id, l.flight_id, l.level, l.node, l.term_code, l.label, l.amount
    from review.result_lines(p_period.enterprise_id, p_period.id, null, p_crew) as l
    join unmatched as u on u.crew_member_id = l.crew_member_id and u.component = l.component
    where u.flight_id is not distinct from case when u.by_flight then l.flight_id end
  ),
  flown as (
    -- Who gave a leg back and took it again has it.
    select distinct on (u.no) u.no, g.scheduled, g.flown, g.is_current, g.crosses
    from unmatched as u
    join legs as g on g.crew_member_id = u.crew_member_id and g.flight_id = u.flight_id
    order by u.no, g.is_current desc
  ),
  recorded_before as (
    select distinct u.no
    from unmatched as u
    join review.former_totals(p_period, p_crew) as f on f.crew_member_id = u.crew_member_id and f.component = u.component
    where f.amount = u.paid_in_all
      and f.amount <> u.expected
  ),
  other_rates as (
    select u.no, min(r.rate) as rate
    from unmatched as u
    join review.known_rates(p_period.enterprise_id, p_crew) as r on r.crew_member_id = u.crew_member_id
    where u.minutes > 0
      and abs(r.rate * u.minutes / 60 - u.actual) <= 0.006 * u.lines
      and abs(r.rate * u.minutes / 60 - u.expected) > 0.006 * u.lines
    group by u.no
  ),
  clauses as (
    -- All that one clause adds on top.
    select distinct on (t.no) t.no, t.term_code, t.level
    from (
      select l.no, l.missing, l.term_code, l.level, sum(l.amount) as amount
      from lines as l
      where l.level <> 'leg'
      group by l.no, l.missing, l.term_code, l.label, l.level
    ) as t
    where abs(t.amount - t.missing) <= p_tolerance
    order by t.no, t.term_code
  ),
  single_lines as (
    -- One line, if there is only one of that amount.
    select l.no, min(l.term_code) as term_code, min(l.level) as level, min(l.node) as node, (array_agg(l.flight_id))[1] as flight_id
    from lines as l
    where abs(l.amount - l.missing) <= p_tolerance
    group by l.no
    having count(*) = 1
  ),
  boundary_trips as (
    select distinct on (t.no) t.no, t.trip_no
    from (
      select l.no, l.missing, g.trip_no, sum(l.amount) as amount
      from lines as l
      join legs as g on g.crew_member_id = l.crew_member_id and g.flight_id = l.flight_id
      where not l.by_flight
        and g.crosses
      group by l.no, l.missing, g.trip_no
    ) as t
    where abs(t.amount - t.missing) <= p_tolerance
    order by t.no, t.trip_no
  ),
  first_clauses as (
    select l.no, min(l.term_code) as term_code
    from lines as l
    group by l.no
  )
  select u.crew_member_id, u.component, u.flight_id, u.expected, u.actual, u.minutes, u.lines, u.paid_minutes, u.paid_lines, u.repeated,
    f.scheduled, f.flown, f.is_current, f.crosses, b.no is not null, r.rate, c.level, s.level, s.node, s.flight_id, t.trip_no,
    coalesce(s.term_code, c.term_code, a.term_code)
  from unmatched as u
  left join flown as f on f.no = u.no
  left join recorded_before as b on b.no = u.no
  left join other_rates as r on r.no = u.no
  left join clauses as c on c.no = u.no
  left join single_lines as s on s.no = u.no
  left join boundary_trips as t on t.no = u.no
  left join first_clauses as a on a.no = u.no
$$;
comment on function review.evidence_about(pay.pay_periods, uuid, uuid[], numeric) is
'What is known about each amount of which recorded pay and payments differ.
p_period: period; p_batch: another payroll''s results, null for payments; p_crew: crew members; p_tolerance: amounts that differ by no more are equal.';

-- The first that fits: what is certain stands before what is likely. (PL/pgSQL, which keeps its expressions: it is asked for each amount.)
create or replace function review.reason_of(p_evidence review.evidence)
returns review.reason
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  e review.evidence := p_evidence;
  v_of_leg boolean := e.flight_id is not null;
  v_flying boolean := e.component = 'flight_pay';
  v_extra boolean := e.component in ('premium', 'delay_pay');
begin
  return case
    when e.repeated = e.actual - e.expected then 'DUPLICATE'
    -- A leg that one side has and the other has not.
    when v_of_leg and e.paid_lines is null and v_extra then 'PREMIUM_NOT_PAID'
    when v_of_leg and e.paid_lines is null and e.crosses then 'MONTH_BOUNDARY'
    when v_of_leg and e.paid_lines is null then 'LEG_NOT_PAID'
    when v_of_leg and e.lines is null and e.crosses and e.is_current then 'MONTH_BOUNDARY'
    when v_of_leg and e.lines is null and coalesce(not e.is_current, true) then 'LEG_NOT_FLOWN'
    when v_extra and e.lines is null then 'PREMIUM_NOT_DUE'
    when e.was_recorded then 'LATE_CHANGE'
    when e.component = 'per_diem' then 'PER_DIEM'
    when e.component = 'guarantee' and e.actual = 0 then 'GUARANTEE_NOT_PAID'
    when v_extra and e.actual = 0 then 'PREMIUM_NOT_PAID'
    -- By the other one of planned and flown time.
    when v_flying and v_of_leg and e.flown < e.scheduled and abs(e.flown * e.expected / e.scheduled - e.actual) <= 0.01 then 'WRONG_WINNER'
    when v_flying and v_of_leg and e.flown > e.scheduled and abs(e.scheduled * e.expected / e.flown - e.actual) <= 0.01 then 'LATE_CHANGE'
    -- The rate is wrong where the hours are right, or where the amount is that of another step.
    when e.component in ('flight_pay', 'overtime', 'guarantee') and e.other_rate is not null then 'WRONG_LONGEVITY'
    when review.is_clerical(e.expected, e.actual) then 'CLERICAL'
    when v_flying and e.clause_level in ('duty', 'day', 'trip') then 'RIG_NOT_APPLIED'
    when v_flying and e.line_level in ('duty', 'day', 'trip') then 'WRONG_WINNER'
    when e.boundary_trip is not null then 'MONTH_BOUNDARY'
    when v_flying and e.line_level = 'leg' then 'LEG_NOT_PAID'
    when v_extra and (e.line_level is not null or e.clause_level is not null) then 'PREMIUM_NOT_PAID'
    when v_extra and e.expected < e.actual then 'PREMIUM_NOT_DUE'
    when e.component = 'guarantee' then 'GUARANTEE_PRORATION'
    when e.component in ('flight_pay', 'overtime') and abs(e.paid_minutes - e.minutes) <= 0.3 * e.lines then 'WRONG_RATE'
    else 'UNEXPLAINED'
  end::review.reason;
end
$$;
comment on function review.reason_of(review.evidence) is
'The most likely reason why recorded pay and payments differ.
p_evidence: what is known about the amount.';
