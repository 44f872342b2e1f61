-- A result explained from the facts it was made from: total → component → trip → duty → leg, the clause beside each amount, the
-- losers of each greatest-of shown. Read-only and without temporary tables, so that a hot standby can serve it.

-- The caller's own result, or any of the tenant for payroll, administrators and agents.
create or replace function pay.readable_calculation(p_crew_member uuid, p_period uuid)
returns pay.pay_calculations
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_calculation pay.pay_calculations;
begin
  perform auth.require_role('crew', 'payroll', 'admin', 'service_role');
  select * into v_calculation
  from pay.pay_calculations as c
  where c.enterprise_id = auth.enterprise_id()
    and c.crew_member_id = p_crew_member
    and c.pay_period_id = p_period
    and (auth.role() <> 'crew' or c.crew_member_id = auth.uid());
  if not found then
    raise exception using
      errcode = 'CP214',
      message = 'no result for that crew member and period',
      hint = 'Run the period first (pay.run), and ask for a crew member whose pay you may see.';
  end if;
  return v_calculation;
end
$$;
comment on function pay.readable_calculation(uuid, uuid) is
'The current result of a crew member and period, if the caller may read it.
Raises CP214 (none, or not yours), 42501.';

create or replace function pay.explain(p_crew_member uuid, p_period uuid)
returns table (
  item_no integer, level text, node bigint, heading text, component pay.component, term_code text, label text,
  quantity numeric, arithmetic text, amount numeric, outcome text)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_calculation pay.pay_calculations := pay.readable_calculation(p_crew_member, p_period);
  v_period pay.pay_periods;
  v_as_of timestamptz;
  v_settings jsonb;
  v_nodes jsonb;
  v_placed pay.placed_node[];
begin
  select * into v_period from pay.pay_periods as p where p.enterprise_id = v_calculation.enterprise_id and p.id = p_period;
  select r.as_of into v_as_of from pay.pay_runs as r where r.enterprise_id = v_calculation.enterprise_id and r.id = v_calculation.run_id;
  select r.settings into v_settings from rules.rulesets as r where r.enterprise_id = v_calculation.enterprise_id and r.id = v_calculation.ruleset_id;
  v_nodes := pay.nodes(v_calculation, v_period, v_as_of);
  v_placed := pay.placed_nodes(v_calculation, v_period, v_nodes, v_as_of);
  return query
  with items as (
    select * from pay.total_items(v_calculation)
    union all
    select * from pay.heading_items(v_placed, pay.shown_unit(v_settings))
    union all
    select * from pay.paid_items(v_calculation, v_placed, v_settings)
    union all
    select * from pay.lost_items(v_calculation, v_placed, pay.shown_unit(v_settings))
    union all
    select * from pay.booked_items(v_calculation)
    union all
    select * from pay.graph_items(v_calculation, v_nodes, v_placed)
  )
  select
    row_number() over (order by i.block, i.trip_at nulls first, i.report nulls first, i.leg_at nulls first,
      array_position(array['trip', 'day', 'duty', 'leg'] || rules.span_levels(), i.level), i.node nulls first, i.rank, i.term_no)::integer,
    i.level, i.node, i.heading, i.component, i.term_code, i.label, i.quantity, i.arithmetic, i.amount::numeric(12, 2), i.outcome
  from items as i
  order by 1;
end
$$;
alter function pay.explain(uuid, uuid) owner to crewpay_definer;
grant execute on function pay.explain(uuid, uuid) to crewpay_crew, crewpay_payroll, crewpay_admin, crewpay_service;
comment on function pay.explain(uuid, uuid) is
'The current result of a crew member and period explained: total, components, then trips, duties and legs with every line''s clause and arithmetic,
the spans, adjustments and overrides with their reason, and what the rule graph says about the clauses.
p_crew_member: crew members see only themselves; p_period: pay period.
outcome: total, finding (what could not be paid, or was paid with a doubt), component, heading, paid (a line), lost (a candidate of a greatest-of that did not win),
overruled (a clause that gives way there to another, by the rule graph), reason (why the clause
applies, by the rule graph).
Raises CP214 (no result that you may see), 42501.';
