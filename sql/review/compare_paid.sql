-- What was paid against what is recorded, per component and, where the other side names flights, per leg; each difference with its
-- reason. Used for payroll's payments and for another payroll's results alike.

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
  v_crew uuid[];
begin
  -- Whole statements first: everything else is done for the few that differ.
  select array_agg(distinct u.crew_member_id) into v_crew
  from review.unequal(p_period.enterprise_id, p_period.id, p_batch, p_crew, p_tolerance) as u;
  if v_crew is null then
    return;
  end if;

  return query
  with strangers as materialized (
    -- Crew members of whom one side has nothing at all: one difference, not one for each component.
    select s.crew_member_id, sum(s.expected) as expected, sum(s.actual) as actual
    from review.unequal(p_period.enterprise_id, p_period.id, p_batch, v_crew, p_tolerance) as s
    where not exists (select from review.actual_lines(p_period.enterprise_id, p_period.id, p_batch, v_crew) as a where a.crew_member_id = s.crew_member_id)
      or not exists (
        select from pay.pay_calculations as c
        where c.enterprise_id = p_period.enterprise_id and c.pay_period_id = p_period.id and c.crew_member_id = s.crew_member_id)
    group by s.crew_member_id
    having sum(s.expected) <> 0 or sum(s.actual) <> 0
  ),
  classed as materialized (
    select e.*, review.reason_of(e) as reason
    from review.evidence_about(p_period, p_batch, v_crew, p_tolerance) as e
    where not exists (select from strangers as s where s.crew_member_id = e.crew_member_id)
  ),
  told as (
    -- A rate that is wrong is one error, however many legs were paid at it.
    select crew_member_id, component, reason, min(term_code) as term_code, case when count(*) = 1 then min(flight_id::text) end::uuid as flight_id,
      null::text as level, null::bigint as node, sum(expected) as expected, sum(actual) as actual
    from classed
    where reason in ('WRONG_LONGEVITY', 'WRONG_RATE')
    group by crew_member_id, component, reason, sign(expected - actual)
    union all
    -- What is missing as a whole is told as such: that line, of which nothing was paid.
    select crew_member_id, component, reason, term_code,
      coalesce(flight_id, case when line_level = 'leg' then line_flight end), line_level, line_node,
      case when line.is_missing then expected - actual else expected end,
      case when line.is_missing then 0 else actual end
    from classed
    cross join lateral (select reason in ('PREMIUM_NOT_PAID', 'LEG_NOT_PAID') and line_level is not null) as line (is_missing)
    where reason not in ('WRONG_LONGEVITY', 'WRONG_RATE')
    union all
    select crew_member_id, null::pay.component, case when expected <> 0 then 'NOTHING_PAID' else 'NOT_OWED' end::review.reason, null, null, null, null,
      expected, actual
    from strangers
  )
  select 'PAID'::review.basis, review.kind_of(t.component, t.reason, t.expected, t.actual), t.reason, t.crew_member_id, t.component, t.flight_id,
    t.level, t.node, t.term_code, round(t.expected, 2), round(t.actual, 2),
    format('%s %s: %s expected, %s paid. %s%s', m.employee_id,
      concat_ws(' ', replace(coalesce(t.component::text, 'everything'), '_', ' '),
        f.flight_number || ' ' || f.origin_airport || '–' || f.destination_airport || ' of ' || to_char(f.scheduled_departure at time zone o.time_zone, 'YYYY-MM-DD')),
      round(t.expected, 2), round(t.actual, 2), review.reason_text(t.reason), coalesce(' Clause ' || t.term_code || '.', ''))
  from told as t
  join crew.crew_members as m on m.enterprise_id = p_period.enterprise_id and m.id = t.crew_member_id
  left join crew.flights as f on f.enterprise_id = p_period.enterprise_id and f.id = t.flight_id
  left join crew.airports as o on o.iata = f.origin_airport
  where abs(t.expected - t.actual) > p_tolerance
  order by m.employee_id, t.component, f.scheduled_departure, t.expected;
end
$$;
comment on function review.compare_paid(pay.pay_periods, uuid, uuid[], numeric) is
'Differences between the recorded pay of a period and what was paid, or is made good elsewhere (review.made_good), classed by reason.
p_period: period; p_batch: another payroll''s results, null for payments; p_crew: crew members, null for all;
p_tolerance: amounts that differ by no more are equal.';
