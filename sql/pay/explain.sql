-- A result explained from the facts it was made from: total → component → trip → duty → leg, the clause beside each amount, the
-- losers of each greatest-of shown. Read-only and without temporary tables, so that a hot standby can serve it.

-- Recomputes the nodes of one result as one statement: the ruleset's plan as a chain of materialized CTEs, over facts as of the run.
create or replace function pay.nodes(p_calculation pay.pay_calculations, p_period pay.pay_periods, p_as_of timestamptz)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set jit = off
as $$
declare
  v_tokens jsonb := pay.plan_tokens(p_calculation.enterprise_id, p_period, array[p_calculation.crew_member_id]);
  v_ctes text;
  v_stages text;
  v_nodes jsonb;
begin
  v_tokens := pay.tokens_as_of(v_tokens, p_period, p_as_of);
  select string_agg(format(E'%I as materialized (\n%s\n)', s.name, pay.fill_tokens(s.statement, v_tokens)), E',\n' order by s.step_no),
    string_agg(format('%L, (select coalesce(jsonb_agg(x), ''[]'') from %I as x)', ltrim(s.name, '_'), s.name), ', ' order by s.step_no)
      filter (where s.name not in ('_zones', '_credit', '_held') and s.name !~ '^_projected')
  into v_ctes, v_stages
  from rules.plans as s
  where s.enterprise_id = p_calculation.enterprise_id and s.ruleset_id = p_calculation.ruleset_id;
  execute format(E'with %s\nselect jsonb_build_object(%s)', v_ctes, v_stages) into v_nodes;
  return v_nodes;
end
$$;
comment on function pay.nodes(pay.pay_calculations, pay.pay_periods, timestamptz) is
'The evaluated nodes of one result: {"people","legs","duties","days","trips","periods","months","quarters","years","lines","findings"}, each with the values of every candidate.
p_calculation: the result; p_period: its period; p_as_of: facts on record then.';

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

-- Legs for people: flight, route, scheduled and actual departure and block.
create or replace function pay.leg_headings(p_enterprise uuid, p_leg_nos bigint[], p_as_of timestamptz)
returns table (leg_no bigint, departure_at bigint, heading text)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  -- Keys first, so that the flights are looked up and not scanned.
  v_flights uuid[] := array(
    select a.flight_id
    from crew.crew_assignments as a
    where a.enterprise_id = p_enterprise and a.leg_no = any (p_leg_nos) and a.flight_id is not null);
begin
  return query
  select a.leg_no,
    floor(date_part('epoch', coalesce(f.actual_departure, f.scheduled_departure, a.duty_start_time)) / 60)::bigint,
    case when f.id is null then format('%s  %s', initcap(a.activity::text), pay.minutes_text(
      (date_part('epoch', a.duty_end_time - a.duty_start_time) / 60)::numeric))
    else format('%s %s–%s%s  sched %s %s, actual %s%s%s', f.flight_number, f.origin_airport, f.destination_airport,
      case when a.position = 'OPERATING' then '' else ' ' || lower(a.position::text) end,
      to_char(f.scheduled_departure at time zone o.time_zone, 'HH24:MI'),
      pay.minutes_text((date_part('epoch', f.scheduled_arrival - f.scheduled_departure) / 60)::numeric),
      coalesce(to_char(f.actual_departure at time zone o.time_zone, 'HH24:MI') || ' '
        || coalesce(pay.minutes_text((date_part('epoch', f.actual_arrival - f.actual_departure) / 60)::numeric), '(no arrival)'), '—'),
      case when f.status in ('CANCELLED', 'DIVERTED') then ' ' || lower(f.status::text) else '' end,
      case when f.source = 'inferred' then ' (inferred)' else '' end) end
  from crew.crew_assignments as a
  left join crew.flights_as_of(p_as_of) as f on f.enterprise_id = p_enterprise and f.id = any (v_flights) and f.id = a.flight_id
  left join crew.airports as o on o.iata = f.origin_airport
  where a.enterprise_id = p_enterprise and a.leg_no = any (p_leg_nos);
end
$$;
comment on function pay.leg_headings(uuid, bigint[], timestamptz) is
'Legs for people: departure (minutes since 1970 UTC) and a line with flight, route, scheduled and actual times and block.
p_enterprise: tenant; p_leg_nos: legs; p_as_of: facts on record then.';

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
  v_run pay.pay_runs;
  v_nodes jsonb;
  v_unit text;
  v_running boolean;
  v_zone text;
begin
  select * into v_period from pay.pay_periods as p where p.enterprise_id = v_calculation.enterprise_id and p.id = p_period;
  select * into v_run from pay.pay_runs as r where r.enterprise_id = v_calculation.enterprise_id and r.id = v_calculation.run_id;
  v_nodes := pay.nodes(v_calculation, v_period, v_run.as_of);
  select pay.shown_unit(r.settings), r.settings ->> 'round_money' = 'total' into v_unit, v_running
  from rules.rulesets as r where r.enterprise_id = v_calculation.enterprise_id and r.id = v_calculation.ruleset_id;
  select a.time_zone into v_zone from crew.airports as a where a.iata = v_nodes -> 'people' -> 0 ->> 'crew_base';

  return query
  with terms as materialized (
    select t.term_no, t.kind, t.level, t.component, t.expanded, u.term_code,
      -- A kind written directly has no name but its clause's title.
      case when t.label in ('credit', 'pay', 'premium') then lower(left(u.term_title, 1)) || substr(u.term_title, 2) else t.label end as label,
      t.kind = 'credit' and coalesce(t.expanded ->> 'combine', 'greatest') = 'greatest' as competes
    from rules.ruleset_terms as t
    join rules.union_contract_terms as u on u.enterprise_id = t.enterprise_id and u.id = t.term_id
    where t.enterprise_id = v_calculation.enterprise_id and t.ruleset_id = v_calculation.ruleset_id
  ),
  conflicts as materialized (
    select c.winner, c.loser, c.method from rules.ruleset_conflicts(v_calculation.enterprise_id, v_calculation.ruleset_id) as c
  ),
  leg_headings as materialized (
    select h.leg_no, h.departure_at, h.heading
    from pay.leg_headings(v_calculation.enterprise_id,
      array(select (n ->> 'leg_no')::bigint from jsonb_array_elements(v_nodes -> 'legs') as n), v_run.as_of) as h
  ),
  nodes as materialized (
    -- Every node with its place in the statement: trip, duty, leg.
    select 'trip' as level, (n ->> 'trip_no')::bigint as node, (n ->> 'trip_no')::bigint as trip_no, null::bigint as report, null::bigint as leg_at, n,
      (n ->> 'day')::integer as rate_day
    from jsonb_array_elements(v_nodes -> 'trips') as n
    union all
    -- A day without a trip stands with its first duty.
    select 'day', (n ->> 'day')::bigint, (n ->> 'trip_no')::bigint,
      case when n ->> 'trip_no' is null then (
        select min((d ->> 'report')::bigint) from jsonb_array_elements(v_nodes -> 'duties') as d where d ->> 'day' = n ->> 'day') end,
      null, n, (n ->> 'day')::integer
    from jsonb_array_elements(coalesce(v_nodes -> 'days', '[]')) as n
    union all
    select 'duty', (n ->> 'report')::bigint, (n ->> 'trip_no')::bigint, (n ->> 'report')::bigint, null, n, (n ->> 'day')::integer
    from jsonb_array_elements(v_nodes -> 'duties') as n
    union all
    select 'leg', (n ->> 'leg_no')::bigint, (n ->> 'trip_no')::bigint, (n ->> 'report')::bigint, l.departure_at, n, (n ->> 'day')::integer
    from jsonb_array_elements(v_nodes -> 'legs') as n
    join leg_headings as l on l.leg_no = (n ->> 'leg_no')::bigint
    union all
    -- Who has left by the period is not of it, and may have lines of it: an advance is taken back.
    select span.level, 0, null, null, null, coalesce(span.n, '{}'), v_period.end_date - date '1970-01-01'
    from (
      select levels.level, (
        select n from jsonb_array_elements(coalesce(v_nodes -> (levels.level || 's'), '[]')) as n where (n ->> 'at_end')::boolean limit 1) as n
      from unnest(rules.span_levels()) as levels (level)
    ) as span
    where span.n is not null
      or exists (select from terms as t where t.level = span.level and t.term_no = any (v_calculation.line_term))
  ),
  rates as (
    select n.level, n.node,
      coalesce((select (x ->> 'rate')::numeric from jsonb_array_elements(v_nodes -> 'rates') as x
        where (x ->> 'level_no')::integer = rules.level_rank(n.level) and (x ->> 'node')::bigint = n.node), case
        when n.rate_day >= (p ->> 'rate_4_day')::integer then (p ->> 'rate_4')::numeric
        when n.rate_day >= (p ->> 'rate_3_day')::integer then (p ->> 'rate_3')::numeric
        when n.rate_day >= (p ->> 'rate_2_day')::integer then (p ->> 'rate_2')::numeric
        else (p ->> 'rate_1')::numeric end) as rate
    from nodes as n
    cross join lateral (select v_nodes -> 'people' -> 0) as people (p)
  ),
  lines as materialized (
    select t.level, l.node, t.term_no, t.component, t.term_code, t.label, t.expanded, l.quantity, l.cents, t.competes,
      case when t.expanded ->> 'stacking' = 'multiply' then string_agg(t.expanded ->> 'multiplier', ' × ')
        over (partition by l.node, t.expanded ->> 'group' order by t.term_no rows between unbounded preceding and 1 preceding) end as multiplied_before
    from unnest(v_calculation.line_term, v_calculation.line_node, v_calculation.line_quantity, v_calculation.line_cents) as l (term_no, node, quantity, cents)
    join terms as t on t.term_no = l.term_no
  ),
  adjustments as (
    select l.node, l.quantity, l.cents, a.reason, pay.adjustment_text(a) as text
    from unnest(v_calculation.line_term, v_calculation.line_node, v_calculation.line_quantity, v_calculation.line_cents) as l (term_no, node, quantity, cents)
    join pay.adjustments as a on a.enterprise_id = v_calculation.enterprise_id and a.adjustment_no = l.node
    where l.term_no = 0
  ),
  overrides as (
    select l.node, l.quantity, l.cents, o.component, o.reason,
      format('%s%s computed, set to %s%s', o.term_code || ' ',  (l.quantity - l.cents * 0.01)::numeric(12, 2), l.quantity::numeric(12, 2),
        ' by ' || o.requested_by || coalesce(', approved by ' || o.approved_by, '')) as text
    from unnest(v_calculation.line_term, v_calculation.line_node, v_calculation.line_quantity, v_calculation.line_cents) as l (term_no, node, quantity, cents)
    join pay.overrides as o on o.enterprise_id = v_calculation.enterprise_id and o.override_no = l.node
    where l.term_no < 0
  ),
  shown as (
    -- Trips of which this period pays something, and duties without a trip.
    select distinct n.trip_no, case when n.trip_no is null then n.report end as lone_report
    from lines as l
    join nodes as n on n.level = l.level and n.node = l.node
    where l.level <> all (rules.span_levels())
  ),
  trip_starts as (
    select n.trip_no, min((n.n ->> 'start_at')::bigint) as start_at from nodes as n where n.level = 'trip' group by n.trip_no
  ),
  placed as (
    select n.*, coalesce(ts.start_at, n.report) as trip_at
    from nodes as n
    left join trip_starts as ts on ts.trip_no = n.trip_no
    where n.level = any (rules.span_levels())
      or exists (select from shown as s where s.trip_no = n.trip_no or s.lone_report = n.report)
  ),
  headings as (
    select p.trip_at, p.report, p.leg_at, p.level, p.node, 0 as rank, 0::smallint as term_no,
      case p.level
        when 'trip' then format('Trip %s  %s – %s  away %s', t.trip_number,
          pay.local_text((p.n ->> 'start_at')::integer, v_zone, 'DD Mon HH24:MI'), pay.local_text((p.n ->> 'end_at')::integer, v_zone, 'DD Mon HH24:MI'),
          pay.minutes_text((p.n ->> 'end_at')::numeric - (p.n ->> 'start_at')::numeric))
        when 'day' then format('Day %s', to_char(date '1970-01-01' + p.node::integer, 'DD Mon'))
        when 'duty' then format('Duty  %s – %s  %s', pay.local_text(p.node::integer, v_zone, 'DD Mon HH24:MI'),
          pay.local_text((p.n ->> 'release')::integer, v_zone, 'HH24:MI'), pay.minutes_text((p.n ->> 'release')::numeric - p.node))
        when 'leg' then l.heading
        when 'month' then 'Month ' || case
          when extract(day from v_period.contract_month) = 1 then to_char(v_period.contract_month, 'YYYY-MM') else 'from ' || v_period.contract_month end
        when 'period' then format('Period %s – %s', v_period.start_date, v_period.end_date)
        else format('%s from %s', initcap(p.level), date '1970-01-01' + (p.n ->> 'first_day')::integer) end as heading,
      null::pay.component as component, null::text as term_code, null::text as label,
      (p.n ->> 'credit')::numeric as quantity,
      case when p.level in ('trip', 'duty', 'leg') then 'credit ' || pay.quantity_text(round((p.n ->> 'credit')::numeric, 6), v_unit)
        when p.level in ('period', 'month') then format('credit to date %s, counted toward guarantee %s',
          pay.quantity_text((p.n ->> (p.level || '_paid_credit'))::numeric, v_unit), pay.quantity_text((p.n ->> (p.level || '_guarantee_credit'))::numeric, v_unit))
        when p.level in ('quarter', 'year') then format('credit to date %s', pay.quantity_text((p.n ->> (p.level || '_paid_credit'))::numeric, v_unit)) end as arithmetic,
      null::numeric as amount,
      'heading' as outcome
    from placed as p
    left join crew.trips as t on t.enterprise_id = v_calculation.enterprise_id and t.trip_no = p.node and p.level = 'trip'
    left join leg_headings as l on l.leg_no = p.node and p.level = 'leg'
  ),
  paid as (
    select p.trip_at, p.report, p.leg_at, p.level, p.node, 1 as rank, l.term_no, null::text as heading, l.component, l.term_code, l.label, l.quantity,
      concat_ws(' ',
        case
          when l.component = 'guarantee' then format('%s guaranteed − %s = %s', pay.quantity_text((p.n ->> 'guarantee_minutes')::numeric, v_unit),
            pay.quantity_text((p.n ->> 'guarantee_minutes')::numeric - l.quantity, v_unit), pay.quantity_text(l.quantity, v_unit))
          when l.level = any (rules.span_levels()) then pay.span_arithmetic(l.expanded, p.n, l.term_no, l.quantity, v_unit)
          when l.competes and l.level <> 'leg' then format('%s over %s%s', pay.quantity_arithmetic(l.expanded, p.n, (p.n ->> ('t' || l.term_no))::numeric, v_unit),
            pay.quantity_text((p.n ->> ('t' || l.term_no))::numeric - l.quantity, v_unit),
            ' = ' || pay.quantity_text(l.quantity, v_unit))
          else pay.quantity_arithmetic(l.expanded, p.n, l.quantity, v_unit) end,
        case when l.expanded ->> 'kind' = 'advance' and l.quantity < 0 then null
          when l.multiplied_before is not null then pay.stacked_arithmetic(l.expanded, r.rate, l.multiplied_before)
          else pay.price_arithmetic(l.expanded, r.rate) end,
        case when l.cents = 0 and (u.term_code is not null or l.expanded -> 'paid' = 'false') then 'not paid: ' || coalesce(u.term_code, l.term_code)
          when v_running then 'on the running total' end) as arithmetic,
      l.cents * 0.01 as amount,
      'paid' as outcome
    from lines as l
    join placed as p on p.level = l.level and p.node = l.node
    left join terms as u on u.term_no = -pay.paid_by(p.n)
    left join rates as r on r.level = l.level and r.node = l.node
  ),
  lost as (
    -- Candidates that competed at a node and lost, or that the node's own legs already covered.
    select p.trip_at, p.report, p.leg_at, p.level, p.node, 2 as rank, t.term_no, null::text as heading, t.component, t.term_code, t.label,
      round((p.n ->> ('t' || t.term_no))::numeric, 6) as quantity,
      pay.quantity_arithmetic(t.expanded, p.n, round((p.n ->> ('t' || t.term_no))::numeric, 6), v_unit)
        || case when (p.n ->> 'winner') is null then format(', not above %s', pay.quantity_text(round((p.n ->> 'base_credit')::numeric, 6), v_unit)) else '' end
        || coalesce((
          select format(', GREATEST: %s', w.term_code)
          from terms as w
          join conflicts as c on c.method = 'GREATEST' and (c.winner, c.loser) in ((w.term_code, t.term_code), (t.term_code, w.term_code))
          where w.term_no = (p.n ->> 'winner')::integer
          limit 1), '') as arithmetic,
      null::numeric as amount, 'lost' as outcome
    from placed as p
    join terms as t on t.level = p.level and t.competes
    where (p.n ->> ('t' || t.term_no)) is not null
      and (p.n ->> 'winner')::integer is distinct from t.term_no
      and p.level <> all (rules.span_levels())
  ),
  overruled as (
    -- Clauses that would have applied at a node, and gave way there to another by the rule graph.
    select p.trip_at, p.report, p.leg_at, p.level, p.node, 3 as rank, t.term_no, null::text as heading, t.component, t.term_code, t.label,
      null::numeric as quantity, 'gives way to ' || o.winners as arithmetic, null::numeric as amount, 'overruled' as outcome
    from pay.overruled(v_calculation, v_nodes) as o
    join placed as p on p.level = o.level and p.node = o.node
    join terms as t on t.term_no = o.term_no
  ),
  components as (
    select c.component, c.amount
    from (values
      ('flight_pay'::pay.component, v_calculation.flight_pay_amount), ('overtime', v_calculation.overtime_amount),
      ('per_diem', v_calculation.per_diem_amount), ('premium', v_calculation.premium_pay_amount),
      ('delay_pay', v_calculation.delay_pay_amount), ('guarantee', v_calculation.guarantee_amount),
      ('adjustment', v_calculation.adjustment_amount)) as c (component, amount)
  ),
  items as (
    select 0 as block, null::bigint as trip_at, null::bigint as report, null::bigint as leg_at, 'total' as level, null::bigint as node, 0 as rank, 0::smallint as term_no,
      'Total' as heading, null::pay.component as component, null::text as term_code, null::text as label, null::numeric as quantity, null::text as arithmetic,
      v_calculation.total_gross_pay::numeric as amount, 'total' as outcome
    union all
    select 1, null, null, null, 'component', null, row_number() over (order by o.place nulls last, c.component)::integer, 0::smallint, null, c.component, null, null, null, null, c.amount, 'component'
    from components as c
    left join pay.component_order(v_calculation.enterprise_id, v_calculation.ruleset_id) as o on o.component = c.component
    union all
    select 0, null, null, null, coalesce(f.level, 'total'), f.node, 1 + row_number() over (order by f.finding_no)::integer, 0::smallint, f.code || ': ' || f.detail,
      null, u.term_code, null, null, null, null, 'finding'
    from pay.run_findings as f
    left join rules.union_contract_terms as u on u.enterprise_id = f.enterprise_id and u.id = f.term_id
    where f.enterprise_id = v_calculation.enterprise_id
      and f.run_id = v_calculation.run_id
      and (f.crew_member_id = v_calculation.crew_member_id
        or f.crew_member_id is null and exists (
          select from rules.ruleset_terms as t
          where t.enterprise_id = f.enterprise_id and t.ruleset_id = v_calculation.ruleset_id and t.term_id = f.term_id))
    union all
    select case when level = any (rules.span_levels()) then 3 else 2 end, h.* from headings as h
    union all
    select case when level = any (rules.span_levels()) then 3 else 2 end, h.* from paid as h
    union all
    select case when level = any (rules.span_levels()) then 3 else 2 end, h.* from lost as h
    union all
    select case when level = any (rules.span_levels()) then 3 else 2 end, h.* from overruled as h
    union all
    select 4, null, null, null, 'period', null, 0, 0::smallint, 'Adjustments', null, null, null, null, null, null, 'heading'
    where exists (select from adjustments)
    union all
    select 4, null, null, null, 'period', a.node, 1, 0::smallint, null, 'adjustment', 'ADJUSTMENT', a.reason, a.quantity, a.text, a.cents * 0.01, 'paid'
    from adjustments as a
    union all
    select 5, null, null, null, 'period', null, 0, 0::smallint, 'Overrides', null, null, null, null, null, null, 'heading'
    where exists (select from overrides)
    union all
    select 5, null, null, null, 'period', o.node, 1, 0::smallint, null, o.component, 'OVERRIDE', o.reason, o.quantity, o.text, o.cents * 0.01, 'paid'
    from overrides as o
    union all
    select 6, null, null, null, 'graph', null, 0, 0::smallint, format('Rule graph, generation %s', min(g.generation)), null, null, null, null, null, null, 'heading'
    from pay.graph_reasons(v_calculation) as g
    having count(*) > 0
    union all
    select 6, null, null, null, 'graph', null, row_number() over (order by g.term_no, g.reason)::integer, g.term_no, null, t.component, g.term_code, t.label, null, g.reason, null, 'reason'
    from pay.graph_reasons(v_calculation) as g
    join terms as t on t.term_no = g.term_no
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
