-- What was paid against what is recorded, per component and, where the other side names flights, per leg; each difference with its
-- reason. Used for payroll's payments and for another payroll's results alike.

-- The legs of some crew members about a period, with what a wrong payroll may have taken for their credit.
create or replace function review.legs_about(p_period pay.pay_periods, p_crew uuid[])
returns table (crew_member_id uuid, flight_id uuid, trip_no bigint, scheduled integer, flown integer, is_current boolean, crosses boolean)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
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
    and a.duty_start_time between p_period.start_date::timestamptz - interval '20 days' and p_period.end_date::timestamptz + interval '20 days'
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

create or replace function review.compare_paid(p_period pay.pay_periods, p_batch uuid, p_crew uuid[], p_tolerance numeric)
returns setof review.difference
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set jit = off
set enable_nestloop = off
as $$
#variable_conflict use_column
declare
  c_none constant uuid := '00000000-0000-0000-0000-000000000000'::uuid;
  v_crew uuid[];
begin
  -- Whole statements first: everything else is done for the few that differ.
  select array_agg(distinct u.crew_member_id) into v_crew
  from review.unequal(p_period.enterprise_id, p_period.id, p_batch, p_crew, p_tolerance) as u;
  if v_crew is null then
    return;
  end if;

  return query
  with suspects as materialized (
    select u.* from review.unequal(p_period.enterprise_id, p_period.id, p_batch, v_crew, p_tolerance) as u
  ),
  lines as materialized (
    select l.*, s.by_flight, coalesce(case when s.by_flight then l.flight_id end, c_none) as flight_key
    from review.result_lines(p_period.enterprise_id, p_period.id, null, v_crew) as l
    join suspects as s on s.crew_member_id = l.crew_member_id and s.component = l.component
  ),
  made_good as materialized (
    select g.crew_member_id, g.component, g.amount, coalesce(case when s.by_flight then g.flight_id end, c_none) as flight_key
    from review.made_good(p_period.enterprise_id, p_period.id, v_crew) as g
    join suspects as s on s.crew_member_id = g.crew_member_id and s.component = g.component
    where p_batch is null
  ),
  paid as materialized (
    select a.*, coalesce(case when s.by_flight then a.flight_id end, c_none) as flight_key
    from review.actual_lines(p_period.enterprise_id, p_period.id, p_batch, v_crew) as a
    join suspects as s on s.crew_member_id = a.crew_member_id and s.component = a.component
    union all
    -- What is made good elsewhere counts as paid: of a flight that of the flight.
    select g.crew_member_id, g.component, null, null, g.amount, g.flight_key
    from made_good as g
    where g.flight_key <> c_none
    union all
    select g.crew_member_id, g.component, null, null, 0, c_none
    from made_good as g
    where g.flight_key = c_none
  ),
  legs as materialized (
    select * from review.legs_about(p_period, v_crew)
  ),
  lines_by_key as (
    select crew_member_id, component, flight_key, sum(amount) as amount, sum(quantity) as minutes, count(*) as lines
    from lines group by crew_member_id, component, flight_key
  ),
  paid_by_key as (
    select crew_member_id, component, flight_key, sum(amount) as amount, sum(quantity) * 60 as minutes, count(*) as lines
    from paid group by crew_member_id, component, flight_key
  ),
  copies as (
    -- What is there more than once: the copies beyond the first.
    select crew_member_id, component, flight_key, sum(extra) as extra
    from (
      select crew_member_id, component, flight_key, amount * (count(*) - 1) as extra
      from paid where amount <> 0 group by crew_member_id, component, flight_key, amount having count(*) > 1
    ) as repeated
    group by crew_member_id, component, flight_key
  ),
  matched as (
    select
      coalesce(l.crew_member_id, p.crew_member_id) as crew_member_id, coalesce(l.component, p.component) as component,
      coalesce(l.flight_key, p.flight_key) as flight_key,
      coalesce(l.amount, 0) as expected, coalesce(p.amount, 0) as paid,
      l.minutes, l.lines, p.minutes as paid_minutes, p.lines as paid_lines
    from lines_by_key as l
    full join paid_by_key as p on p.crew_member_id = l.crew_member_id and p.component = l.component and p.flight_key = l.flight_key
  ),
  pools as (
    select g.crew_member_id, g.component, sum(g.amount) as amount
    from made_good as g
    where g.flight_key = c_none
    group by g.crew_member_id, g.component
  ),
  missed as (
    select m.*, greatest(m.expected - m.paid, 0) as lack,
      coalesce(sum(greatest(m.expected - m.paid, 0)) over earlier, 0) as lack_before,
      sum(greatest(m.expected - m.paid, 0)) over (partition by m.crew_member_id, m.component) as lack_in_all
    from matched as m
    window earlier as (partition by m.crew_member_id, m.component order by m.flight_key rows between unbounded preceding and 1 preceding)
  ),
  -- What was made good of the component as a whole goes to whatever lacks something; what is left over is too much.
  keys as materialized (
    select k.crew_member_id, k.component, k.flight_key, k.expected, k.actual, k.minutes, k.lines, k.paid_minutes, k.paid_lines
    from (
      select m.*, m.paid + least(m.lack, greatest(coalesce(p.amount, 0) - m.lack_before, 0))
        + case when m.flight_key = c_none then greatest(coalesce(p.amount, 0) - m.lack_in_all, 0) else 0 end as actual
      from missed as m
      left join pools as p on p.crew_member_id = m.crew_member_id and p.component = m.component
    ) as k
    where abs(k.expected - k.actual) > p_tolerance
  ),
  strangers as materialized (
    -- Crew members of whom one side has nothing at all: one difference, not one for each component.
    select s.crew_member_id, sum(s.expected) as expected, sum(s.actual) as actual
    from suspects as s
    where not exists (select from review.actual_lines(p_period.enterprise_id, p_period.id, p_batch, v_crew) as a where a.crew_member_id = s.crew_member_id)
      or not exists (
        select from pay.pay_calculations as c
        where c.enterprise_id = p_period.enterprise_id and c.pay_period_id = p_period.id and c.crew_member_id = s.crew_member_id)
    group by s.crew_member_id
    having sum(s.expected) <> 0 or sum(s.actual) <> 0
  ),
  former as materialized (
    -- Totals of results that were replaced: a payroll that paid one of them missed what came later.
    select distinct v.crew_member_id, c.component, c.amount
    from pay.calculation_versions as v
    join pay.pay_runs as r on r.enterprise_id = v.enterprise_id and r.id = v.run_id and r.kind = 'REGULAR'
    cross join lateral (values
      ('flight_pay'::pay.component, v.flight_pay_amount), ('overtime', v.overtime_amount), ('per_diem', v.per_diem_amount),
      ('premium', v.premium_pay_amount), ('delay_pay', v.delay_pay_amount), ('guarantee', v.guarantee_amount)) as c (component, amount)
    where v.enterprise_id = p_period.enterprise_id and v.pay_period_id = p_period.id and v.crew_member_id = any (v_crew)
  ),
  term_sums as materialized (
    select crew_member_id, component, flight_key, term_code, label, level, sum(amount) as amount, count(*) as lines
    from lines group by crew_member_id, component, flight_key, term_code, label, level
  ),
  boundary_sums as materialized (
    select l.crew_member_id, l.component, l.flight_key, g.trip_no, sum(l.amount) as amount
    from lines as l
    join legs as g on g.crew_member_id = l.crew_member_id and g.flight_id = l.flight_id and g.crosses
    where not l.by_flight
    group by l.crew_member_id, l.component, l.flight_key, g.trip_no
  ),
  rates as materialized (
    select * from review.known_rates(p_period.enterprise_id, v_crew)
  ),
  classed as materialized (
    select k.*, g.trip_no,
      nullif(k.flight_key, c_none) as flight_id,
      k.expected - k.actual as missing,
      one.level as line_level, one.node as line_node, one.flight_id as line_flight,
      coalesce(one.term_code, term.term_code,
        (select min(t.term_code) from term_sums as t where t.crew_member_id = k.crew_member_id and t.component = k.component and t.flight_key = k.flight_key)) as term_code,
      case
        when c.extra = k.actual - k.expected then 'DUPLICATE'
        -- A leg that one side has and the other has not.
        when k.flight_key <> c_none and k.paid_lines is null and k.component in ('premium', 'delay_pay') then 'PREMIUM_NOT_PAID'
        when k.flight_key <> c_none and k.paid_lines is null and g.crosses then 'MONTH_BOUNDARY'
        when k.flight_key <> c_none and k.paid_lines is null then 'LEG_NOT_PAID'
        when k.flight_key <> c_none and k.lines is null and g.crosses and g.is_current then 'MONTH_BOUNDARY'
        when k.flight_key <> c_none and k.lines is null and coalesce(not g.is_current, true) then 'LEG_NOT_FLOWN'
        when k.component in ('premium', 'delay_pay') and k.lines is null then 'PREMIUM_NOT_DUE'
        when former.amount is not null then 'LATE_CHANGE'
        when k.component = 'per_diem' then 'PER_DIEM'
        when k.component = 'guarantee' and k.actual = 0 then 'GUARANTEE_NOT_PAID'
        when k.component in ('premium', 'delay_pay') and k.actual = 0 then 'PREMIUM_NOT_PAID'
        -- The rate is wrong where the hours are right, or where the amount is that of another step.
        when k.component = 'flight_pay' and k.flight_key <> c_none and g.flown < g.scheduled
          and abs(g.flown * k.expected / g.scheduled - k.actual) <= 0.01 then 'WRONG_WINNER'
        when k.component = 'flight_pay' and k.flight_key <> c_none and g.flown > g.scheduled
          and abs(g.scheduled * k.expected / g.flown - k.actual) <= 0.01 then 'LATE_CHANGE'
        when k.component in ('flight_pay', 'overtime', 'guarantee') and step.rate is not null then 'WRONG_LONGEVITY'
        when review.is_clerical(k.expected, k.actual) then 'CLERICAL'
        when term.level in ('duty', 'day', 'trip') and k.component = 'flight_pay' then 'RIG_NOT_APPLIED'
        when one.level in ('duty', 'day', 'trip') and k.component = 'flight_pay' then 'WRONG_WINNER'
        when boundary.trip_no is not null then 'MONTH_BOUNDARY'
        when one.level = 'leg' and k.component = 'flight_pay' then 'LEG_NOT_PAID'
        when k.component in ('premium', 'delay_pay') and (one.level is not null or term.level is not null) then 'PREMIUM_NOT_PAID'
        when k.component in ('premium', 'delay_pay') and k.expected < k.actual then 'PREMIUM_NOT_DUE'
        when k.component = 'guarantee' then 'GUARANTEE_PRORATION'
        when k.component in ('flight_pay', 'overtime') and abs(k.paid_minutes - k.minutes) <= 0.3 * k.lines then 'WRONG_RATE'
        else 'UNEXPLAINED'
      end::review.reason as reason
    from keys as k
    left join copies as c on c.crew_member_id = k.crew_member_id and c.component = k.component and c.flight_key = k.flight_key
    left join lateral (
      select g.trip_no, g.scheduled, g.flown, g.is_current, g.crosses
      from legs as g
      where g.crew_member_id = k.crew_member_id and g.flight_id = k.flight_key
      order by g.is_current desc
      limit 1
    ) as g on true
    left join lateral (
      select f.amount from former as f
      where f.crew_member_id = k.crew_member_id and f.component = k.component and f.amount <> k.expected
        and f.amount = (select sum(p.amount) from paid as p where p.crew_member_id = k.crew_member_id and p.component = k.component)
      limit 1
    ) as former on true
    left join lateral (
      select r.rate from rates as r
      where r.crew_member_id = k.crew_member_id and k.minutes > 0
        and abs(r.rate * k.minutes / 60 - k.actual) <= 0.006 * k.lines
        and abs(r.rate * k.minutes / 60 - k.expected) > 0.006 * k.lines
      limit 1
    ) as step on true
    left join lateral (
      -- All that one clause adds on top.
      select t.term_code, t.level from term_sums as t
      where t.crew_member_id = k.crew_member_id and t.component = k.component and t.flight_key = k.flight_key
        and t.level <> 'leg' and abs(t.amount - (k.expected - k.actual)) <= p_tolerance
      order by t.term_code
      limit 1
    ) as term on true
    left join lateral (
      -- One line, if there is only one of that amount.
      select min(l.term_code) as term_code, min(l.level) as level, min(l.node) as node, (array_agg(l.flight_id))[1] as flight_id
      from lines as l
      where l.crew_member_id = k.crew_member_id and l.component = k.component and l.flight_key = k.flight_key
        and abs(l.amount - (k.expected - k.actual)) <= p_tolerance
      having count(*) = 1
    ) as one on true
    left join lateral (
      select b.trip_no from boundary_sums as b
      where b.crew_member_id = k.crew_member_id and b.component = k.component and b.flight_key = k.flight_key
        and abs(b.amount - (k.expected - k.actual)) <= p_tolerance
      order by b.trip_no
      limit 1
    ) as boundary on true
    where not exists (select from strangers as s where s.crew_member_id = k.crew_member_id)
  ),
  joined as (
    -- A rate that is wrong is one error, however many legs were paid at it.
    select crew_member_id, component, reason, min(term_code) as term_code, case when count(*) = 1 then min(flight_id::text) end::uuid as flight_id,
      null::text as level, null::bigint as node, sum(expected) as expected, sum(actual) as actual, count(*) as keys
    from classed
    where reason in ('WRONG_LONGEVITY', 'WRONG_RATE')
    group by crew_member_id, component, reason, sign(missing)
    union all
    -- What is missing as a whole is told as such: that line, of which nothing was paid.
    select crew_member_id, component, reason, term_code,
      coalesce(flight_id, case when line_level = 'leg' then line_flight end), line_level, line_node,
      case when reason in ('PREMIUM_NOT_PAID', 'LEG_NOT_PAID') and line_level is not null then missing else expected end,
      case when reason in ('PREMIUM_NOT_PAID', 'LEG_NOT_PAID') and line_level is not null then 0 else actual end, 1
    from classed
    where reason not in ('WRONG_LONGEVITY', 'WRONG_RATE')
    union all
    select crew_member_id, null::pay.component, case when expected <> 0 then 'NOTHING_PAID' else 'NOT_OWED' end::review.reason, null, null, null, null,
      expected, actual, 1
    from strangers
  )
  select 'PAID'::review.basis, review.kind_of(j.component, j.reason, j.expected, j.actual), j.reason, j.crew_member_id, j.component, j.flight_id,
    j.level, j.node, j.term_code, round(j.expected, 2), round(j.actual, 2),
    format('%s %s: %s expected, %s paid. %s%s', m.employee_id,
      concat_ws(' ', replace(coalesce(j.component::text, 'everything'), '_', ' '),
        f.flight_number || ' ' || f.origin_airport || '–' || f.destination_airport || ' of ' || to_char(f.scheduled_departure at time zone o.time_zone, 'YYYY-MM-DD')),
      round(j.expected, 2), round(j.actual, 2), review.reason_text(j.reason), coalesce(' Clause ' || j.term_code || '.', ''))
  from joined as j
  join crew.crew_members as m on m.enterprise_id = p_period.enterprise_id and m.id = j.crew_member_id
  left join crew.flights as f on f.enterprise_id = p_period.enterprise_id and f.id = j.flight_id
  left join crew.airports as o on o.iata = f.origin_airport
  where abs(j.expected - j.actual) > p_tolerance
  order by m.employee_id, j.component, f.scheduled_departure, j.expected;
end
$$;
comment on function review.compare_paid(pay.pay_periods, uuid, uuid[], numeric) is
'Differences between the recorded pay of a period and what was paid, or is made good elsewhere (review.made_good), classed by reason.
p_period: period; p_batch: another payroll''s results, null for payments; p_crew: crew members, null for all;
p_tolerance: amounts that differ by no more are equal.';
