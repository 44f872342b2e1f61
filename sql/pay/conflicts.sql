-- What the rule graph had to say about a result: the scenarios that its clauses apply to, and where two conflicted which won, by which
-- method, and at which nodes the other gave way.

-- Components in the order of the rule graph; none before what it depends on.
create or replace function pay.component_order(p_enterprise uuid, p_ruleset uuid)
returns table (component pay.component, place bigint)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  with recursive generation as (
    select r.graph_generation as generation from rules.rulesets as r where r.enterprise_id = p_enterprise and r.id = p_ruleset
  ),
  chains as (
    select c.type, 0 as depth, c.calculation_order as place
    from graph.pay_components as c
    join generation as g on g.generation = c.generation
    where c.enterprise_id = p_enterprise
    union all
    -- The compiler has refused circles (rules.check_dependencies()).
    select dependent.type, d.depth + 1, greatest(d.place, dependent.calculation_order)
    from chains as d
    join generation as g on true
    join graph.edges as e on e.enterprise_id = p_enterprise and e.generation = g.generation and e.kind = 'DEPENDS_ON' and e.to_code = d.type::text
    join graph.pay_components as dependent on dependent.enterprise_id = p_enterprise and dependent.generation = g.generation and dependent.type::text = e.from_code
  )
  select c.type, row_number() over (order by max(d.place), max(d.depth), c.calculation_order, c.type)
  from graph.pay_components as c
  join generation as g on g.generation = c.generation
  join chains as d on d.type = c.type
  where c.enterprise_id = p_enterprise
  group by c.type, c.calculation_order
$$;
comment on function pay.component_order(uuid, uuid) is
'Pay components by calculation_order, and each after those that it DEPENDS_ON.
p_enterprise: tenant; p_ruleset: ruleset, which names the generation.';

-- The facts of a node and of those around it, as one object.
create or replace function pay.node_facts(p_nodes jsonb, p_level text)
returns table (node bigint, day integer, facts jsonb)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  with crew_member as (
    select p_nodes -> 'people' -> 0 || coalesce((select n from jsonb_array_elements(p_nodes -> 'months') as n where (n ->> 'at_end')::boolean limit 1), '{}') as facts
  ),
  trips as materialized (
    select (n ->> 'trip_no')::bigint as trip_no, n from jsonb_array_elements(p_nodes -> 'trips') as n
  ),
  duties as materialized (
    select (d.n ->> 'report')::bigint as report, coalesce(t.n, '{}') || d.n as n
    from jsonb_array_elements(p_nodes -> 'duties') as d (n)
    left join trips as t on t.trip_no = (d.n ->> 'trip_no')::bigint
  ),
  listed as (
    select (l.n ->> 'leg_no')::bigint as node, coalesce(d.n, '{}') || l.n as n
    from jsonb_array_elements(p_nodes -> 'legs') as l (n)
    left join duties as d on d.report = (l.n ->> 'report')::bigint
    where p_level = 'leg'
    union all
    select d.report, d.n from duties as d where p_level = 'duty'
    union all
    select (y.n ->> 'day')::bigint, coalesce(t.n, '{}') || y.n
    from jsonb_array_elements(coalesce(p_nodes -> 'days', '[]')) as y (n)
    left join trips as t on t.trip_no = (y.n ->> 'trip_no')::bigint
    where p_level = 'day'
    union all
    select t.trip_no, t.n from trips as t where p_level = 'trip'
    union all
    select 0, s.n
    from jsonb_array_elements(coalesce(p_nodes -> (p_level || 's'), '[]')) as s (n)
    where p_level = any (rules.span_levels()) and (s.n ->> 'at_end')::boolean
  )
  select l.node, (l.n ->> 'day')::integer, c.facts || l.n
  from listed as l
  cross join crew_member as c
$$;
comment on function pay.node_facts(jsonb, text) is
'The nodes of a level of one result with their facts and those of the levels around them.
p_nodes: from pay.nodes(); p_level: leg, duty, day, trip, or a span.';

-- A clause is overruled where its own condition holds and, with what goes before it excepted, doesn't.
create or replace function pay.overruled(p_calculation pay.pay_calculations, p_nodes jsonb)
returns table (level text, node bigint, term_no smallint, winners text)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_losses jsonb;
  v_terms jsonb;
  v_measures jsonb;
  v_loser record;
  v_own rules.sql_expression;
  v_left rules.sql_expression;
  v_columns text;
begin
  select coalesce(jsonb_agg(to_jsonb(c)), '[]') into v_losses
  from rules.ruleset_conflicts(p_calculation.enterprise_id, p_calculation.ruleset_id) as c
  where c.method in ('PRIORITY', 'MOST_SPECIFIC', 'FAA_PREVAILS');
  select jsonb_agg(jsonb_build_object('code', u.term_code, 'gate', t.expanded -> 'when', 'part', t.expanded) order by t.term_no),
    coalesce(jsonb_object_agg(t.expanded ->> 'name', jsonb_build_object('level', t.level, 'code', u.term_code, 'type', 'numeric', 'unit', 'none'))
      filter (where t.kind = 'measure'), '{}')
  into v_terms, v_measures
  from rules.ruleset_terms as t
  join rules.union_contract_terms as u on u.enterprise_id = t.enterprise_id and u.id = t.term_id
  where t.enterprise_id = p_calculation.enterprise_id and t.ruleset_id = p_calculation.ruleset_id;

  for v_loser in
    select t.term_no, t.level, u.term_code, u.effective_date, u.expiration_date, t.expanded -> 'when' as own,
      (select string_agg(format('%s (%s)%s', l ->> 'winner', l ->> 'method', ': ' || (l ->> 'notes')), ' or ' order by l ->> 'winner')
        from jsonb_array_elements(v_losses) as l
        where l ->> 'loser' = u.term_code) as winners
    from rules.ruleset_terms as t
    join rules.union_contract_terms as u on u.enterprise_id = t.enterprise_id and u.id = t.term_id
    where t.enterprise_id = p_calculation.enterprise_id and t.ruleset_id = p_calculation.ruleset_id
      and t.kind in ('credit', 'pay')
      and v_losses @> jsonb_build_array(jsonb_build_object('loser', u.term_code))
    order by t.term_no
  loop
    v_own := rules.compile_expression(coalesce(v_loser.own, 'true'), v_loser.level, v_measures, v_loser.term_code || ' $.when');
    v_left := rules.compile_expression(rules.exclude_winners(v_loser.own, v_loser.level, v_loser.term_code, v_terms, v_losses),
      v_loser.level, v_measures, v_loser.term_code || ' $.when');
    select string_agg(format(', %I %s', replace(n.need, '.', '_'),
        case f.value_type when 'bool' then 'boolean' when 'text' then 'text' when 'int' then 'bigint' else 'numeric' end), '')
    into v_columns
    from (select distinct unnest(v_own.needs || v_left.needs)) as n (need)
    left join rules.known_facts as f on f.level = split_part(n.need, '.', 1) and f.name = split_part(n.need, '.', 2);
    return query execute format($q$
      select $2, n.node, $3, $4
      from pay.node_facts($1, $2) as n
      cross join lateral jsonb_to_record(n.facts) as s (no bigint%s)
      where (%s) is true
        and (%s) is not true
        and (n.day is null or daterange($5, $6) @> date '1970-01-01' + n.day)$q$, v_columns, v_own.sql, v_left.sql)
    using p_nodes, v_loser.level, v_loser.term_no, v_loser.winners, v_loser.effective_date, v_loser.expiration_date;
  end loop;
end
$$;
comment on function pay.overruled(pay.pay_calculations, jsonb) is
'Nodes of a result at which a clause would have applied and gave way to another by PRIORITY, MOST_SPECIFIC or FAA_PREVAILS. winners: to which, by which method.
p_calculation: the result; p_nodes: from pay.nodes().';

-- Where the contract says nothing of its own, the rule graph decides where a term applies and which one gives way: said by name.
create or replace function pay.graph_reasons(p_calculation pay.pay_calculations)
returns table (generation bigint, term_no smallint, term_code text, reason text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  with cited as (
    select distinct on (u.term_code) r.graph_generation, t.term_no, u.term_code::text as term_code
    from rules.rulesets as r
    join rules.ruleset_terms as t on t.enterprise_id = r.enterprise_id and t.ruleset_id = r.id
    join rules.union_contract_terms as u on u.enterprise_id = t.enterprise_id and u.id = t.term_id
    where r.enterprise_id = p_calculation.enterprise_id
      and r.id = p_calculation.ruleset_id
      and t.term_no = any (p_calculation.line_term)
    order by u.term_code, t.term_no
  )
  select c.graph_generation, c.term_no, c.term_code, format('applies to %s (%s): %s', s.name, s.id, s.description)
  from cited as c
  join graph.edges as e on e.enterprise_id = p_calculation.enterprise_id and e.generation = c.graph_generation
    and e.kind = 'APPLIES_TO' and e.from_code = c.term_code
  join graph.scenarios as s on s.enterprise_id = e.enterprise_id and s.generation = e.generation and s.id = e.to_code
  union all
  select c.graph_generation, c.term_no, c.term_code,
    case l.method
      when 'GREATEST' then format('against %s the greater is paid', other.code)
      when 'ADDITIVE' then format('paid beside %s', other.code)
      else format(case when l.winner = c.term_code then 'goes before %s where both apply' else 'gives way to %s where both apply' end, other.code)
    end || format(' (%s)', l.method) || coalesce(': ' || l.notes, '')
  from cited as c
  join rules.ruleset_conflicts(p_calculation.enterprise_id, p_calculation.ruleset_id) as l on c.term_code in (l.winner, l.loser)
  cross join lateral (select case when l.winner = c.term_code then l.loser else l.winner end) as other (code)
$$;
revoke all on function pay.graph_reasons(pay.pay_calculations) from public;
grant execute on function pay.graph_reasons(pay.pay_calculations) to crewpay_definer;
comment on function pay.graph_reasons(pay.pay_calculations) is
'What the rule graph says about the terms that a result cites: the scenarios they apply to, what they conflict with, and which of the two wins by which method.
p_calculation: a result; its ruleset names the generation.';
