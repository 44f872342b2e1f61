-- What a contract document says about the rule graph must lead somewhere. A term whose scenario isn't there would apply everywhere, and a
-- conflict with a clause that isn't there would be none: both would pay without a word.

create or replace function rules.edge_faults(p_enterprise uuid, p_contract jsonb, p_generation bigint)
returns table (clause text, json_path text, code text, problem text, hint text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  with edges as (
    select format('(edges[%s])', listed.no - 1) as clause, listed.no, e ->> 'kind' as kind, e ->> 'from' as from_code, e ->> 'to' as to_code
    from jsonb_array_elements(coalesce(p_contract -> 'edges', '[]')) with ordinality as listed (e, no)
  ),
  known as materialized (
    select 'clause' as what, t.term_code::text as code from rules.laid_terms(p_enterprise) as t
    union
    select 'clause', r.rule_code from rules.faa_rules as r where r.superseded_at is null
    union all
    select 'scenario', s.id from graph.scenarios as s where s.enterprise_id = p_enterprise and s.generation = p_generation
    union all
    select 'component', c.type::text from graph.pay_components as c where c.enterprise_id = p_enterprise and c.generation = p_generation
  ),
  ends as (
    select e.clause, e.no, 'from' as side, e.from_code as code, case e.kind when 'DEPENDS_ON' then 'component' else 'clause' end as what
    from edges as e
    union all
    select e.clause, e.no, 'to', e.to_code, case e.kind when 'DEPENDS_ON' then 'component' when 'APPLIES_TO' then 'scenario' else 'clause' end
    from edges as e
  ),
  faults as (
    select e.no, e.clause, '$.' || e.side as json_path, 'CP203' as code, format('%s %s is not on record', e.what, e.code) as problem,
      case e.what
        when 'clause' then 'Check the code, or put the clause into the document, or load it before.'
        else format('Check its name, or put it into the document, under %ss.', e.what)
      end as hint
    from ends as e
    where not exists (select from known as k where k.what = e.what and k.code = e.code)
    union all
    select e.no, e.clause, '$', 'CP206', case when e.from_code = e.to_code then 'a clause can''t conflict with itself'
        else format('the conflict is on record the other way round (%s)', r.properties ->> 'resolutionMethod') end,
      'Keep one edge for each pair of clauses.'
    from edges as e
    join graph.edges as r on r.enterprise_id = p_enterprise and r.generation = p_generation and r.kind = 'CONFLICTS_WITH'
      and r.from_code = e.to_code and r.to_code = e.from_code
    where e.kind = 'CONFLICTS_WITH'
  )
  select f.clause, f.json_path, f.code, f.problem, f.hint
  from faults as f
  order by f.no, f.json_path
$$;
comment on function rules.edge_faults(uuid, jsonb, bigint) is
'Edges of a contract document that lead nowhere, or say both ways which of two clauses goes first: clause, place, code, problem, what to do.
p_enterprise: tenant; p_contract: the document, its terms on record or laid over them; p_generation: the generation with the document''s rows.';

create or replace function rules.check_edges(p_enterprise uuid, p_contract jsonb, p_generation bigint)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rules.refuse_all(array_agg(f.clause), array_agg(f.json_path), array_agg(f.code), array_agg(f.problem), array_agg(f.hint))
  from rules.edge_faults(p_enterprise, p_contract, p_generation) as f
  having count(*) > 0;
end
$$;
comment on function rules.check_edges(uuid, jsonb, bigint) is
'Refuses a contract document whose edges lead nowhere, every fault with its place.
p_enterprise: tenant; p_contract: the document; p_generation: the generation with its rows. Raises CP203, CP206.';

-- A pattern is compiled with the terms that it gates; here also where no term in force applies to it.
create or replace function rules.scenario_faults(p_enterprise uuid, p_generation bigint)
returns table (clause text, json_path text, code text, problem text, hint text)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_measures jsonb;
  v_scenario record;
  v_pattern rules.sql_expression;
begin
  select coalesce(jsonb_object_agg(t.calculation_formula ->> 'name',
    jsonb_build_object('level', t.calculation_formula -> 'level', 'code', t.term_code, 'type', 'numeric', 'unit', 'none')), '{}')
  into v_measures
  from rules.laid_terms(p_enterprise) as t
  where t.calculation_formula ->> 'type' = 'measure';
  for v_scenario in
    select s.id, s.level::text as level, s.pattern
    from graph.scenarios as s
    where s.enterprise_id = p_enterprise and s.generation = p_generation
    order by s.id
  loop
    clause := format('(scenario %s)', v_scenario.id);
    code := null;
    begin
      v_pattern := rules.compile_expression(v_scenario.pattern, v_scenario.level, v_measures, 'pattern $.pattern');
      if v_pattern.value_type <> 'bool' then
        code := 'CP204';
        json_path := '$.pattern';
        problem := 'a pattern is a condition';
        hint := 'Compare something: {">": [{"var": "delay_minutes"}, 30]}.';
      end if;
    exception when others then
      get stacked diagnostics code = returned_sqlstate, problem = message_text, json_path = pg_exception_detail, hint = pg_exception_hint;
      if code !~ '^CP2' then
        raise;
      end if;
      problem := regexp_replace(problem, '^term pattern: ', '');
      json_path := regexp_replace(json_path, '^at ', '');
    end;
    if code is not null then
      return next;
    end if;
  end loop;
end
$$;
comment on function rules.scenario_faults(uuid, bigint) is
'Scenarios whose pattern doesn''t compile at their level: clause, place, code, problem, what to do.
p_enterprise: tenant; p_generation: generation of the rule graph.';

create or replace function rules.check_scenarios(p_enterprise uuid, p_generation bigint)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rules.refuse_all(array_agg(f.clause), array_agg(f.json_path), array_agg(f.code), array_agg(f.problem), array_agg(f.hint))
  from rules.scenario_faults(p_enterprise, p_generation) as f
  having count(*) > 0;
end
$$;
comment on function rules.check_scenarios(uuid, bigint) is
'Refuses a rule graph with a scenario whose pattern doesn''t compile, every fault with its place.
p_enterprise: tenant; p_generation: generation of the rule graph. Raises CP203, CP204, CP205.';
