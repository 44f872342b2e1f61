-- The items of a pay statement: total and components, headings, what was paid, what lost a greatest-of, what gave way by the rule
-- graph, what people booked. pay.explain() puts them in order.

create or replace function pay.statement_terms(p_calculation pay.pay_calculations)
returns table (term_no smallint, level text, component pay.component, term_code text, label text, expanded jsonb)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select t.term_no, t.level, t.component, u.term_code,
    -- A kind written directly has no name but its clause's title.
    case when t.label in ('credit', 'pay', 'premium') then lower(left(u.term_title, 1)) || substr(u.term_title, 2) else t.label end,
    t.expanded
  from rules.ruleset_terms as t
  join rules.union_contract_terms as u on u.enterprise_id = t.enterprise_id and u.id = t.term_id
  where t.enterprise_id = p_calculation.enterprise_id and t.ruleset_id = p_calculation.ruleset_id
$$;
comment on function pay.statement_terms(pay.pay_calculations) is
'The clauses that a result was paid under, with what a statement calls them.
p_calculation: the result.';

-- The head of a statement: total, what could not be paid or is in doubt, components in the order of the rule graph.
create or replace function pay.total_items(p_calculation pay.pay_calculations)
returns setof pay.statement_item
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
  select 0, null::bigint, null::bigint, null::bigint, 'total', null::bigint, 0, 0::smallint,
    'Total', null::pay.component, null::text, null::text, null::numeric, null::text, p_calculation.total_gross_pay::numeric, 'total'
  union all
  select 0, null, null, null, coalesce(f.level, 'total'), f.node, 1 + row_number() over (order by f.finding_no)::integer, 0::smallint,
    f.code || ': ' || f.detail, null, u.term_code, null, null, null, null, 'finding'
  from pay.run_findings as f
  left join rules.union_contract_terms as u on u.enterprise_id = f.enterprise_id and u.id = f.term_id
  where f.enterprise_id = p_calculation.enterprise_id
    and f.run_id = p_calculation.run_id
    and (f.crew_member_id = p_calculation.crew_member_id
      or f.crew_member_id is null and exists (
        select from rules.ruleset_terms as t
        where t.enterprise_id = f.enterprise_id and t.ruleset_id = p_calculation.ruleset_id and t.term_id = f.term_id))
  union all
  select 1, null, null, null, 'component', null, row_number() over (order by o.place nulls last, c.component)::integer, 0::smallint,
    null, c.component, null, null, null, null, c.amount, 'component'
  from (values
    ('flight_pay'::pay.component, p_calculation.flight_pay_amount), ('overtime', p_calculation.overtime_amount),
    ('per_diem', p_calculation.per_diem_amount), ('premium', p_calculation.premium_pay_amount),
    ('delay_pay', p_calculation.delay_pay_amount), ('guarantee', p_calculation.guarantee_amount),
    ('adjustment', p_calculation.adjustment_amount)) as c (component, amount)
  left join pay.component_order(p_calculation.enterprise_id, p_calculation.ruleset_id) as o on o.component = c.component;
end
$$;
comment on function pay.total_items(pay.pay_calculations) is
'Total, findings and components of a result.
p_calculation: the result.';

-- Spans stand after the trips.
create or replace function pay.block_of(p_level text)
returns integer
language sql
immutable
parallel safe
return case when p_level = any (rules.span_levels()) then 3 else 2 end;
comment on function pay.block_of(text) is 'In which block of a statement a level''s nodes stand.';

create or replace function pay.heading_items(p_placed pay.placed_node[], p_unit text)
returns setof pay.statement_item
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
  select pay.block_of(p.level), p.trip_at, p.report, p.leg_at, p.level, p.node, 0, 0::smallint, p.heading, null::pay.component, null::text, null::text,
    (p.facts ->> 'credit')::numeric,
    case when p.level in ('trip', 'duty', 'leg') then 'credit ' || pay.quantity_text(round((p.facts ->> 'credit')::numeric, 6), p_unit)
      when p.level in ('period', 'month') then format('credit to date %s, counted toward guarantee %s',
        pay.quantity_text((p.facts ->> (p.level || '_paid_credit'))::numeric, p_unit),
        pay.quantity_text((p.facts ->> (p.level || '_guarantee_credit'))::numeric, p_unit))
      when p.level in ('quarter', 'year') then format('credit to date %s', pay.quantity_text((p.facts ->> (p.level || '_paid_credit'))::numeric, p_unit)) end,
    null::numeric, 'heading'
  from unnest(p_placed) as p;
end
$$;
comment on function pay.heading_items(pay.placed_node[], text) is
'A heading for each node, with its credit.
p_placed: from pay.placed_nodes(); p_unit: from pay.shown_unit().';

create or replace function pay.paid_items(p_calculation pay.pay_calculations, p_placed pay.placed_node[], p_settings jsonb)
returns setof pay.statement_item
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_unit text := pay.shown_unit(p_settings);
begin
  return query
  with terms as materialized (
    select t.* from pay.statement_terms(p_calculation) as t
  ),
  lines as materialized (
    select t.*, l.node, l.quantity, l.cents,
      case when t.expanded ->> 'stacking' = 'multiply' then string_agg(t.expanded ->> 'multiplier', ' × ')
        over (partition by l.node, t.expanded ->> 'group' order by t.term_no rows between unbounded preceding and 1 preceding) end as multiplied_before
    from unnest(p_calculation.line_term, p_calculation.line_node, p_calculation.line_quantity, p_calculation.line_cents) as l (term_no, node, quantity, cents)
    join terms as t on t.term_no = l.term_no
  )
  select pay.block_of(p.level), p.trip_at, p.report, p.leg_at, p.level, p.node, 1, l.term_no, null::text, l.component, l.term_code, l.label, l.quantity,
    concat_ws(' ',
      case
        when l.component = 'guarantee' then format('%s guaranteed − %s = %s', pay.quantity_text((p.facts ->> 'guarantee_minutes')::numeric, v_unit),
          pay.quantity_text((p.facts ->> 'guarantee_minutes')::numeric - l.quantity, v_unit), pay.quantity_text(l.quantity, v_unit))
        when l.level = any (rules.span_levels()) then pay.span_arithmetic(l.expanded, p.facts, l.term_no, l.quantity, v_unit)
        when pay.competes(l.expanded) and l.level <> 'leg' then format('%s over %s%s',
          pay.quantity_arithmetic(l.expanded, p.facts, (p.facts ->> ('t' || l.term_no))::numeric, v_unit),
          pay.quantity_text((p.facts ->> ('t' || l.term_no))::numeric - l.quantity, v_unit), ' = ' || pay.quantity_text(l.quantity, v_unit))
        else pay.quantity_arithmetic(l.expanded, p.facts, l.quantity, v_unit) end,
      case when l.expanded ->> 'kind' = 'advance' and l.quantity < 0 then null
        when l.multiplied_before is not null then pay.stacked_arithmetic(l.expanded, p.rate, l.multiplied_before)
        else pay.price_arithmetic(l.expanded, p.rate) end,
      case when l.cents = 0 and (u.term_code is not null or l.expanded -> 'paid' = 'false') then 'not paid: ' || coalesce(u.term_code, l.term_code)
        when p_settings ->> 'round_money' = 'total' then 'on the running total' end),
    l.cents * 0.01, 'paid'
  from lines as l
  join unnest(p_placed) as p on p.level = l.level and p.node = l.node
  left join terms as u on u.term_no = -pay.paid_by(p.facts);
end
$$;
comment on function pay.paid_items(pay.pay_calculations, pay.placed_node[], jsonb) is
'The lines of a result by clauses, each with its arithmetic.
p_calculation: the result; p_placed: from pay.placed_nodes(); p_settings: of its ruleset.';

-- Candidates that competed at a node and lost, or that the node's own legs already covered.
create or replace function pay.lost_items(p_calculation pay.pay_calculations, p_placed pay.placed_node[], p_unit text)
returns setof pay.statement_item
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  return query
  with terms as materialized (
    select t.* from pay.statement_terms(p_calculation) as t
  ),
  conflicts as materialized (
    select c.winner, c.loser from rules.ruleset_conflicts(p_calculation.enterprise_id, p_calculation.ruleset_id) as c where c.method = 'GREATEST'
  ),
  candidates as (
    select p.trip_at, p.report, p.leg_at, p.level, p.node, p.facts, t.term_no, t.component, t.term_code, t.label, t.expanded,
      round((p.facts ->> ('t' || t.term_no))::numeric, 6) as quantity, (p.facts ->> 'winner')::integer as winner
    from unnest(p_placed) as p
    join terms as t on t.level = p.level and pay.competes(t.expanded)
    where p.level <> all (rules.span_levels())
  )
  select pay.block_of(c.level), c.trip_at, c.report, c.leg_at, c.level, c.node, 2, c.term_no, null::text, c.component, c.term_code, c.label, c.quantity,
    pay.quantity_arithmetic(c.expanded, c.facts, c.quantity, p_unit)
      || case when c.winner is null then format(', not above %s', pay.quantity_text(round((c.facts ->> 'base_credit')::numeric, 6), p_unit)) else '' end
      || coalesce((
        select format(', GREATEST: %s', w.term_code)
        from terms as w
        join conflicts as x on (x.winner, x.loser) in ((w.term_code, c.term_code), (c.term_code, w.term_code))
        where w.term_no = c.winner
        limit 1), ''),
    null::numeric, 'lost'
  from candidates as c
  where c.quantity is not null and c.winner is distinct from c.term_no;
end
$$;
comment on function pay.lost_items(pay.pay_calculations, pay.placed_node[], text) is
'The losers of each greatest-of.
p_calculation: the result; p_placed: from pay.placed_nodes(); p_unit: from pay.shown_unit().';

-- Clauses that would have applied at a node, and gave way there to another; and why the clauses apply, last.
create or replace function pay.graph_items(p_calculation pay.pay_calculations, p_nodes jsonb, p_placed pay.placed_node[])
returns setof pay.statement_item
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  return query
  with terms as materialized (
    select t.* from pay.statement_terms(p_calculation) as t
  ),
  reasons as materialized (
    select g.* from pay.graph_reasons(p_calculation) as g
  )
  select pay.block_of(p.level), p.trip_at, p.report, p.leg_at, p.level, p.node, 3, t.term_no, null::text, t.component, t.term_code, t.label,
    null::numeric, 'gives way to ' || o.winners, null::numeric, 'overruled'
  from pay.overruled(p_calculation, p_nodes) as o
  join unnest(p_placed) as p on p.level = o.level and p.node = o.node
  join terms as t on t.term_no = o.term_no
  union all
  select 6, null, null, null, 'graph', null, 0, 0::smallint, format('Rule graph, generation %s', min(g.generation)), null, null, null, null, null, null, 'heading'
  from reasons as g
  having count(*) > 0
  union all
  select 6, null, null, null, 'graph', null, row_number() over (order by g.term_no, g.reason)::integer, g.term_no, null, t.component, g.term_code, t.label,
    null, g.reason, null, 'reason'
  from reasons as g
  join terms as t on t.term_no = g.term_no;
end
$$;
comment on function pay.graph_items(pay.pay_calculations, jsonb, pay.placed_node[]) is
'What the rule graph says about the clauses of a result.
p_calculation: the result; p_nodes: from pay.nodes(); p_placed: from pay.placed_nodes().';

create or replace function pay.booked_items(p_calculation pay.pay_calculations)
returns setof pay.statement_item
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  return query
  with booked as materialized (
    select 4 as block, l.node, 'adjustment'::pay.component as component, 'ADJUSTMENT' as code, a.reason, l.quantity, pay.adjustment_text(a) as arithmetic, l.cents
    from unnest(p_calculation.line_term, p_calculation.line_node, p_calculation.line_quantity, p_calculation.line_cents) as l (term_no, node, quantity, cents)
    join pay.adjustments as a on a.enterprise_id = p_calculation.enterprise_id and a.adjustment_no = l.node
    where l.term_no = 0
    union all
    select 5, l.node, o.component, 'OVERRIDE', o.reason, l.quantity,
      format('%s%s computed, set to %s%s', o.term_code || ' ', (l.quantity - l.cents * 0.01)::numeric(12, 2), l.quantity::numeric(12, 2),
        ' by ' || o.requested_by || coalesce(', approved by ' || o.approved_by, '')), l.cents
    from unnest(p_calculation.line_term, p_calculation.line_node, p_calculation.line_quantity, p_calculation.line_cents) as l (term_no, node, quantity, cents)
    join pay.overrides as o on o.enterprise_id = p_calculation.enterprise_id and o.override_no = l.node
    where l.term_no < 0
  )
  select distinct b.block, null::bigint, null::bigint, null::bigint, 'period', null::bigint, 0, 0::smallint,
    case b.block when 4 then 'Adjustments' else 'Overrides' end, null::pay.component, null::text, null::text, null::numeric, null::text, null::numeric, 'heading'
  from booked as b
  union all
  select b.block, null, null, null, 'period', b.node, 1, 0::smallint, null, b.component, b.code, b.reason, b.quantity, b.arithmetic, b.cents * 0.01, 'paid'
  from booked as b;
end
$$;
comment on function pay.booked_items(pay.pay_calculations) is
'Adjustments and overrides of a result.
p_calculation: the result.';
