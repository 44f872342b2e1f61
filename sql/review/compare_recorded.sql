-- A recalculation against what is recorded, node by node, each difference with its reason. A component with approved back pay is
-- compared as a whole, what was settled counting as recorded: back pay is of no node.

-- Facts that went on record after a result explain what differs in their leg, duty or trip, and in whatever counts the month.
create or replace function review.touched_nodes(p_period pay.pay_periods, p_crew uuid[])
returns table (crew_member_id uuid, level text, node bigint)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  with recorded as materialized (
    select c.crew_member_id, r.as_of
    from pay.pay_calculations as c
    join pay.pay_runs as r on r.enterprise_id = c.enterprise_id and r.id = c.run_id
    where c.enterprise_id = p_period.enterprise_id and c.pay_period_id = p_period.id and c.crew_member_id = any (p_crew)
  ),
  changed as materialized (
    select a.crew_member_id, a.leg_no, t.trip_no, a.duty_start_time
    from crew.crew_assignments as a
    join recorded as r on r.crew_member_id = a.crew_member_id
    left join crew.flights as f on f.enterprise_id = a.enterprise_id and f.id = a.flight_id
    left join crew.trips as t on t.enterprise_id = a.enterprise_id and t.id = a.trip_id
    where a.enterprise_id = p_period.enterprise_id
      and greatest(a.updated_at, f.updated_at, t.updated_at) > r.as_of
  )
  select c.crew_member_id, n.level, n.node
  from changed as c
  cross join lateral (values
    ('leg', c.leg_no), ('trip', c.trip_no), ('duty', floor(date_part('epoch', c.duty_start_time) / 60)::bigint)) as n (level, node)
  union
  select c.crew_member_id, 'span', null
  from changed as c
  where c.duty_start_time between p_period.contract_month::timestamptz - interval '2 days' and p_period.end_date::timestamptz + interval '3 days'
  union
  select m.crew_member_id, 'month', null
  from crew.crew_months as m
  join recorded as r on r.crew_member_id = m.crew_member_id
  where m.enterprise_id = p_period.enterprise_id
    and m.month = p_period.contract_month
    and m.updated_at > r.as_of
$$;
comment on function review.touched_nodes(pay.pay_periods, uuid[]) is
'Where facts went on record after the recorded pay of a period was computed. level, node: a leg, duty or trip; level span: any
assignment of the month, in whatever counts several; level month: facts of the month itself.
p_period: period; p_crew: crew members.';

create or replace function review.compare_recorded(p_period pay.pay_periods, p_run pay.pay_runs, p_tolerance numeric)
returns setof review.difference
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set jit = off
set enable_nestloop = off
as $$
#variable_conflict use_column
declare
  -- The recalculation kept only what differs.
  v_kept uuid[] := array(
    select v.crew_member_id from pay.calculation_versions as v where v.enterprise_id = p_run.enterprise_id and v.run_id = p_run.id);
  -- What agrees with the books again was settled for nothing.
  v_crew uuid[] := v_kept || array(
    select distinct b.crew_member_id
    from pay.settled_back_pay(p_period.enterprise_id, p_period.id) as b
    where p_run.whole_period and p_period.status in ('CLOSED', 'PAID') and b.crew_member_id <> all (v_kept));
begin
  if v_crew = '{}' then
    return;
  end if;
  return query
  with recorded as materialized (
    select c.crew_member_id, c.ruleset_id, r.as_of
    from pay.pay_calculations as c
    join pay.pay_runs as r on r.enterprise_id = c.enterprise_id and r.id = c.run_id
    where c.enterprise_id = p_period.enterprise_id and c.pay_period_id = p_period.id and c.crew_member_id = any (v_crew)
  ),
  new_lines as materialized (
    select * from review.result_lines(p_period.enterprise_id, p_period.id, p_run.id, v_crew) where level <> 'adjustment'
  ),
  old_lines as materialized (
    select * from review.result_lines(p_period.enterprise_id, p_period.id, null, v_crew) where level <> 'adjustment'
  ),
  old_terms as (
    select crew_member_id, term_code, count(*) as lines from old_lines group by crew_member_id, term_code
  ),
  lines as materialized (
    select coalesce(n.crew_member_id, o.crew_member_id) as crew_member_id, coalesce(n.component, o.component) as component,
      coalesce(n.level, o.level) as level, coalesce(n.node, o.node) as node, coalesce(n.term_code, o.term_code) as term_code,
      coalesce(n.flight_id, o.flight_id) as flight_id,
      case when coalesce(n.crew_member_id, o.crew_member_id) = any (v_kept) then coalesce(n.amount, 0) else o.amount end as expected,
      coalesce(o.amount, 0) as actual, n.quantity as new_quantity, o.quantity as old_quantity
    from new_lines as n
    full join old_lines as o on o.crew_member_id = n.crew_member_id and o.component = n.component and o.level = n.level and o.node = n.node
      and o.term_code = n.term_code and o.label = n.label
  ),
  settled as materialized (
    -- With what claims had made good before: that is set off in it. An open period's results have it all themselves.
    select b.crew_member_id, b.component, sum(b.amount) as amount
    from pay.settled_back_pay(p_period.enterprise_id, p_period.id) as b
    where b.cause <> 'made good' and b.crew_member_id = any (v_crew) and p_period.status in ('CLOSED', 'PAID')
    group by b.crew_member_id, b.component
  ),
  settled_components as (
    select s.crew_member_id, s.component, max(l.term_code) as term_code, coalesce(sum(l.expected), 0) as expected,
      coalesce(sum(l.actual), 0) + s.amount as actual, s.amount
    from settled as s
    left join lines as l on l.crew_member_id = s.crew_member_id and l.component = s.component
    group by s.crew_member_id, s.component, s.amount
  ),
  nodes as materialized (
    select crew_member_id, component, level, node, min(flight_id::text)::uuid as flight_id, sum(expected) as expected, sum(actual) as actual,
      max(term_code) filter (where expected > actual) as gained, max(term_code) filter (where expected < actual) as lost,
      bool_and(new_quantity = old_quantity) as same_quantity,
      count(*) filter (where expected <> actual) as changed
    from lines
    where (crew_member_id, component) not in (select crew_member_id, component from settled)
    group by crew_member_id, component, level, node
    having abs(sum(expected) - sum(actual)) > p_tolerance
  ),
  touched as materialized (
    select * from review.touched_nodes(p_period, v_crew)
  ),
  contracts as materialized (
    -- The same terms may be compiled otherwise by another version of CrewPay.
    select r.id, r.graph_generation, r.settings,
      array(
        select (t.term_id, t.expanded, t.price)::text
        from rules.ruleset_terms as t
        where t.enterprise_id = r.enterprise_id and t.ruleset_id = r.id
        order by t.term_no) as terms
    from rules.rulesets as r
    where r.enterprise_id = p_period.enterprise_id
      and (r.id in (select ruleset_id from recorded)
        or r.id in (select v.ruleset_id from pay.calculation_versions as v where v.enterprise_id = p_run.enterprise_id and v.run_id = p_run.id))
  ),
  classed as (
    select n.*, coalesce(n.gained, n.lost) as term_code,
      case
        when r.crew_member_id is null then 'NOTHING_PAID'
        when n.same_quantity and n.component in ('flight_pay', 'overtime') then 'WRONG_RATE'
        when (paid.graph_generation, paid.settings, paid.terms) is distinct from (known.graph_generation, known.settings, known.terms) then 'TERMS_CHANGED'
        when n.component in ('premium', 'delay_pay') and n.actual = 0 then 'PREMIUM_NOT_PAID'
        when n.component in ('premium', 'delay_pay') and n.expected = 0 then 'PREMIUM_NOT_DUE'
        when n.component = 'flight_pay' and n.level = 'leg' and n.actual = 0 then 'LEG_NOT_PAID'
        when n.component = 'flight_pay' and n.level = 'leg' and n.expected = 0 then 'LEG_NOT_FLOWN'
        when (n.crew_member_id, n.level, n.node) in (select t.crew_member_id, t.level, t.node from touched as t where t.node is not null)
          or n.level not in ('leg', 'duty', 'trip') and (n.crew_member_id, 'span') in (select t.crew_member_id, t.level from touched as t)
          or n.level = 'month' and (n.crew_member_id, n.level) in (select t.crew_member_id, t.level from touched as t) then 'LATE_CHANGE'
        when n.component = 'per_diem' then 'PER_DIEM'
        when n.component = 'guarantee' then case when n.actual = 0 then 'GUARANTEE_NOT_PAID' else 'GUARANTEE_PRORATION' end
        when n.gained is not null and n.lost is not null and n.changed > 1 then 'WRONG_WINNER'
        when n.level in ('duty', 'day', 'trip') and n.expected > n.actual then
          case when exists (select from old_terms as o where o.crew_member_id = n.crew_member_id and o.term_code = n.gained) then 'WRONG_WINNER' else 'RIG_NOT_APPLIED' end
        when review.is_clerical(n.expected, n.actual) then 'CLERICAL'
        else 'UNEXPLAINED'
      end::review.reason as reason
    from nodes as n
    join pay.calculation_versions as v on v.enterprise_id = p_run.enterprise_id and v.run_id = p_run.id and v.crew_member_id = n.crew_member_id
    left join recorded as r on r.crew_member_id = n.crew_member_id
    left join contracts as paid on paid.id = r.ruleset_id
    left join contracts as known on known.id = v.ruleset_id
  ),
  joined as (
    -- A rate or a clause that changed is one difference, however many nodes were paid by it; so is a result that is not there.
    select crew_member_id, case when reason <> 'NOTHING_PAID' then component end as component, reason, min(term_code) as term_code, null::uuid as flight_id,
      null::text as level, null::bigint as node, sum(expected) as expected, sum(actual) as actual
    from classed
    where reason in ('WRONG_RATE', 'TERMS_CHANGED', 'NOTHING_PAID')
    group by 1, 2, 3, sign(expected - actual)
    union all
    select crew_member_id, component, reason, term_code, flight_id, level, node, expected, actual
    from classed
    where reason not in ('WRONG_RATE', 'TERMS_CHANGED', 'NOTHING_PAID')
    union all
    select crew_member_id, component, 'LATE_CHANGE', term_code, null, null, null, expected, actual
    from settled_components
  )
  select 'RECORDED'::review.basis, review.kind_of(j.component, j.reason, j.expected, j.actual), j.reason, j.crew_member_id, j.component, j.flight_id,
    j.level, j.node, j.term_code, round(j.expected, 2), round(j.actual, 2),
    format('%s %s: %s expected, %s recorded. %s%s%s', m.employee_id,
      concat_ws(' ', replace(coalesce(j.component::text, 'everything'), '_', ' '),
        f.flight_number || ' ' || f.origin_airport || '–' || f.destination_airport || ' of ' || to_char(f.scheduled_departure at time zone o.time_zone, 'YYYY-MM-DD')),
      round(j.expected, 2), round(j.actual, 2), review.reason_text(j.reason), coalesce(' Clause ' || j.term_code || '.', ''),
      case when s.amount is not null then format(' Of what is recorded, %s is approved back pay.', s.amount) else '' end)
  from joined as j
  join crew.crew_members as m on m.enterprise_id = p_period.enterprise_id and m.id = j.crew_member_id
  left join settled as s on s.crew_member_id = j.crew_member_id and s.component = j.component
  left join crew.flights as f on f.enterprise_id = p_period.enterprise_id and f.id = j.flight_id
  left join crew.airports as o on o.iata = f.origin_airport
  where abs(j.expected - j.actual) > p_tolerance
  order by m.employee_id, j.component, j.level, j.node;
end
$$;
comment on function review.compare_recorded(pay.pay_periods, pay.pay_runs, numeric) is
'Differences between a recalculation and the recorded pay of a period, classed by reason.
p_period: period; p_run: recalculation (review.recalculate); p_tolerance: amounts that differ by no more are equal.';
