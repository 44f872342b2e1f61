-- Lines of both sides of a comparison. Each is planned for the crew members that are asked for: some of them by index, all of them by hash.

-- Ours: current results, or the results of a recalculation.
create or replace function review.result_lines(p_enterprise uuid, p_period uuid, p_run uuid, p_crew uuid[])
returns table (
  crew_member_id uuid, component pay.component, level text, node bigint, term_code text, label text, quantity numeric, amount numeric,
  flight_id uuid)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
set enable_nestloop = on
as $$
#variable_conflict use_column
begin
  return query
  with results as materialized (
    select c.crew_member_id, c.ruleset_id, c.line_term, c.line_node, c.line_quantity, c.line_cents
    from pay.pay_calculations as c
    where p_run is null
      and c.enterprise_id = p_enterprise
      and c.pay_period_id = p_period
      and (p_crew is null or c.crew_member_id = any (p_crew))
    union all
    select v.crew_member_id, v.ruleset_id, v.line_term, v.line_node, v.line_quantity, v.line_cents
    from pay.calculation_versions as v
    where p_run is not null
      and v.enterprise_id = p_enterprise
      and v.run_id = p_run
      and (p_crew is null or v.crew_member_id = any (p_crew))
  ),
  lines as materialized (
    select r.crew_member_id, r.ruleset_id, l.term_no, l.node, l.quantity, l.cents
    from results as r
    cross join lateral unnest(r.line_term, r.line_node, r.line_quantity, r.line_cents) as l (term_no, node, quantity, cents)
  )
  select l.crew_member_id, coalesce(t.component, pay.overridden_component(l.term_no), 'adjustment'),
    coalesce(t.level, case when l.term_no < 0 then 'period' else 'adjustment' end), l.node, u.term_code::text, t.label, l.quantity,
    l.cents * 0.01, a.flight_id
  from lines as l
  left join rules.ruleset_terms as t on t.enterprise_id = p_enterprise and t.ruleset_id = l.ruleset_id and t.term_no = l.term_no
  left join rules.union_contract_terms as u on u.enterprise_id = t.enterprise_id and u.id = t.term_id
  left join crew.crew_assignments as a on t.level = 'leg' and a.enterprise_id = p_enterprise and a.leg_no = l.node;
end
$$;
comment on function review.result_lines(uuid, uuid, uuid, uuid[]) is
'Pay lines with clause and, of legs, the flight. Lines without a term are adjustments or, of a component, overrides.
p_enterprise: tenant; p_period: period; p_run: a recalculation, null for current results; p_crew: crew members, null for all.';

-- Theirs: what payroll paid, or the results of another payroll.
create or replace function review.actual_lines(p_enterprise uuid, p_period uuid, p_batch uuid, p_crew uuid[])
returns table (crew_member_id uuid, component pay.component, flight_id uuid, quantity numeric, amount numeric)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
set enable_nestloop = on
as $$
#variable_conflict use_column
begin
  return query
  select p.crew_member_id, p.component, p.flight_id, p.quantity, p.amount
  from pay.payroll_payments as p
  where p_batch is null
    and p.enterprise_id = p_enterprise
    and p.pay_period_id = p_period
    and (p_crew is null or p.crew_member_id = any (p_crew))
  union all
  select l.crew_member_id, l.component, l.flight_id, l.quantity, l.amount
  from review.parallel_lines as l
  where p_batch is not null
    and l.enterprise_id = p_enterprise
    and l.pay_period_id = p_period
    and l.batch_id = p_batch
    and (p_crew is null or l.crew_member_id = any (p_crew));
end
$$;
comment on function review.actual_lines(uuid, uuid, uuid, uuid[]) is
'What was paid, line by line.
p_enterprise: tenant; p_period: period; p_batch: another payroll''s results, null for payments; p_crew: crew members, null for all.';

-- What is made good elsewhere counts as paid. Where totals differ, and where the other side names flights, so that lines have to be looked at. All that is equal ends here.
create or replace function review.unequal(p_enterprise uuid, p_period uuid, p_batch uuid, p_crew uuid[], p_tolerance numeric)
returns table (crew_member_id uuid, component pay.component, expected numeric, actual numeric, by_flight boolean)
language sql
stable
set search_path = pg_catalog, pg_temp
set enable_nestloop = off
as $$
  with lines as (
    select a.crew_member_id, a.component, a.flight_id, a.amount
    from review.actual_lines(p_enterprise, p_period, p_batch, p_crew) as a
    union all
    select g.crew_member_id, g.component, null, g.amount
    from review.made_good(p_enterprise, p_period, p_crew) as g
    where p_batch is null
  ),
  paid as materialized (
    select a.crew_member_id,
      coalesce(sum(a.amount) filter (where a.component = 'flight_pay'), 0) as flight_pay,
      coalesce(sum(a.amount) filter (where a.component = 'overtime'), 0) as overtime,
      coalesce(sum(a.amount) filter (where a.component = 'per_diem'), 0) as per_diem,
      coalesce(sum(a.amount) filter (where a.component = 'premium'), 0) as premium,
      coalesce(sum(a.amount) filter (where a.component = 'delay_pay'), 0) as delay_pay,
      coalesce(sum(a.amount) filter (where a.component = 'guarantee'), 0) as guarantee,
      coalesce(sum(a.amount) filter (where a.component = 'adjustment'), 0) as adjustment,
      array_agg(a.component) filter (where a.flight_id is not null) as by_flight
    from lines as a
    group by a.crew_member_id
  ),
  owed as materialized (
    select c.crew_member_id, c.flight_pay_amount, c.overtime_amount, c.per_diem_amount, c.premium_pay_amount, c.delay_pay_amount,
      c.guarantee_amount, c.adjustment_amount
    from pay.pay_calculations as c
    where c.enterprise_id = p_enterprise
      and c.pay_period_id = p_period
      and (p_crew is null or c.crew_member_id = any (p_crew))
  ),
  unequal as materialized (
    select coalesce(o.crew_member_id, p.crew_member_id) as crew_member_id, o, p
    from owed as o
    full join paid as p on p.crew_member_id = o.crew_member_id
    where p.by_flight is not null
      or (o.flight_pay_amount, o.overtime_amount, o.per_diem_amount, o.premium_pay_amount, o.delay_pay_amount, o.guarantee_amount, o.adjustment_amount)
        is distinct from (p.flight_pay, p.overtime, p.per_diem, p.premium, p.delay_pay, p.guarantee, p.adjustment)
  )
  select u.crew_member_id, c.component, coalesce(c.owed, 0), coalesce(c.paid, 0), coalesce(c.component = any ((u.p).by_flight), false)
  from unequal as u
  cross join lateral (values
    ('flight_pay'::pay.component, (u.o).flight_pay_amount, (u.p).flight_pay),
    ('overtime', (u.o).overtime_amount, (u.p).overtime),
    ('per_diem', (u.o).per_diem_amount, (u.p).per_diem),
    ('premium', (u.o).premium_pay_amount, (u.p).premium),
    ('delay_pay', (u.o).delay_pay_amount, (u.p).delay_pay),
    ('guarantee', (u.o).guarantee_amount, (u.p).guarantee),
    ('adjustment', (u.o).adjustment_amount, (u.p).adjustment)) as c (component, owed, paid)
  where abs(coalesce(c.owed, 0) - coalesce(c.paid, 0)) > p_tolerance
    or c.component = any ((u.p).by_flight)
$$;
comment on function review.unequal(uuid, uuid, uuid, uuid[], numeric) is
'Components of crew members whose totals differ, and those that were paid by flight. What is made good elsewhere counts as paid.
p_enterprise: tenant; p_period: period; p_batch: another payroll''s results, null for payments; p_crew: crew members, null for all; p_tolerance: amounts that differ by no more are equal.';
