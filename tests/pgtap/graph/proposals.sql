-- What comes back from Neo4j is accepted whole, or rejected whole with every reason; until then the last good one decides.
begin;
select plan(47);
select test.fixture();

create function test.rows(p_more jsonb default '[]', p_without text default '')
returns jsonb
language sql
return (
  select jsonb_agg(r)
  from jsonb_array_elements($j$[
    {"kind": "SCENARIO", "from_code": "late", "properties": {"name": "Late", "level": "leg", "pattern": "{\">\": [{\"var\": \"delay_minutes\"}, 30]}", "description": "Late."}},
    {"kind": "SCENARIO", "from_code": "long", "properties": {"name": "Long", "level": "duty", "pattern": "{\">\": [{\"var\": \"duty_minutes\"}, 600]}", "description": "Long."}},
    {"kind": "PAY_COMPONENT", "from_code": "flight_pay", "properties": {"name": "Flight pay", "calculationOrder": 1}},
    {"kind": "PAY_COMPONENT", "from_code": "overtime", "properties": {"name": "Overtime", "calculationOrder": 2}},
    {"kind": "APPLIES_TO", "from_code": "T_1", "to_code": "late", "properties": {}},
    {"kind": "DEPENDS_ON", "from_code": "overtime", "to_code": "flight_pay", "properties": {}},
    {"kind": "CONFLICTS_WITH", "from_code": "T_1", "to_code": "T_2", "properties": {"resolutionMethod": "PRIORITY", "notes": "One of them."}}
  ]$j$::jsonb || p_more) as r
  where p_without = '' or r ->> 'kind' || ' ' || (r ->> 'from_code') !~ p_without);

create function test.proposed(p_more jsonb, p_without text default '')
returns text
language plpgsql
as $$
declare
  v_state text;
begin
  select p.state into v_state
  from graph.propose(1, (select max(generation) from graph.generations), 'b', test.rows(p_more, p_without)) p;
  return v_state || coalesce(' ' || (
    select string_agg(distinct f.code, ',' order by f.code)
    from graph.proposal_findings f
    where f.proposal = (select max(p.proposal) from graph.proposals p) and v_state = 'rejected'), '');
end $$;

insert into rules.union_contract_terms (
  enterprise_id, term_code, term_category, term_title, term_text, calculation_formula, effective_date, applies_to, priority)
select test.id('alpha'), 'T_' || n, 'PREMIUMS', 'T', 'T', '{"type": "pay", "level": "leg", "per_unit": 10}', '2025-01-01', '{CAPTAIN}', n
from generate_series(1, 3) n;

select test.act_as('alpha_sync');
select graph.connect();
select graph.claim('one');

select is(test.proposed('[]'), 'accepted', 'a good graph is accepted');
select is((select max(generation) from graph.generations where accepted_at is not null), 0::bigint, 'as the next generation');
select is((select source from graph.generations), 'neo4j', 'which came from Neo4j');
select is((select count(*) from graph.edges), 3::bigint, 'with its edges');
select is(test.proposed('[]'), 'unchanged', 'the same again changes nothing');
select is((select count(*) from graph.proposals), 1::bigint, 'and is not recorded');

select is(test.proposed('[{"kind": "APPLIES_TO", "from_code": "T_9", "to_code": "late", "properties": {}}]'), 'rejected UNKNOWN_TERM', 'a term that Postgres doesn''t know');
select is(test.proposed('[{"kind": "APPLIES_TO", "from_code": "T_1", "to_code": "none", "properties": {}}]'), 'rejected UNKNOWN_SCENARIO', 'a scenario that isn''t there');
select is(test.proposed('[{"kind": "DEPENDS_ON", "from_code": "overtime", "to_code": "premium", "properties": {}}]'), 'rejected UNKNOWN_COMPONENT', 'a component that isn''t there');
select is(test.proposed('[{"kind": "PAY_COMPONENT", "from_code": "gold", "properties": {"name": "Gold", "calculationOrder": 3}}]'), 'rejected UNKNOWN_COMPONENT', 'a component that pay doesn''t know');
select is(test.proposed('[{"kind": "APPLIES_TO", "from_code": "T_1", "to_code": "late", "properties": {"x": 1}}]'), 'rejected DUPLICATE', 'an edge twice');
select is(test.proposed('[{"kind": "CONFLICTS_WITH", "from_code": "T_1", "to_code": "T_1", "properties": {"resolutionMethod": "PRIORITY"}}]'), 'rejected SELF_EDGE', 'an edge to itself');
select is(test.proposed('[{"kind": "DEPENDS_ON", "from_code": "flight_pay", "to_code": "overtime", "properties": {}}]'), 'rejected CYCLE', 'a circle');
select is((select f.subject from graph.proposal_findings f order by f.proposal desc limit 1), 'flight_pay → overtime → flight_pay', 'which is named once');
select is(test.proposed('[{"kind": "CONFLICTS_WITH", "from_code": "T_2", "to_code": "T_1", "properties": {"resolutionMethod": "ADDITIVE"}}]'), 'rejected CONTRADICTION', 'a conflict resolved in two ways');
select is(test.proposed('[{"kind": "CONFLICTS_WITH", "from_code": "T_1", "to_code": "T_3", "properties": {"resolutionMethod": "COIN"}}]'), 'rejected NO_RESOLUTION_METHOD', 'a conflict resolved in no way');
select is(test.proposed('[{"kind": "SCENARIO", "from_code": "x", "properties": {"name": "X", "level": "leg"}}]'), 'rejected MISSING_PROPERTY', 'a scenario without its pattern');
select is(test.proposed('[{"kind": "SCENARIO", "from_code": "x", "properties": {"name": "X", "level": "week", "pattern": "true"}}]'), 'rejected BAD_LEVEL', 'a level there isn''t');
select is(test.proposed('[{"kind": "SCENARIO", "from_code": "x", "properties": {"name": "X", "level": "leg", "pattern": "late!"}}]'), 'rejected BAD_PATTERN', 'a pattern that is no JSON');
select is(test.proposed('[{"kind": "PAY_COMPONENT", "from_code": "premium", "properties": {"name": "P", "calculationOrder": "first"}}]'), 'rejected BAD_ORDER', 'an order that is no number');
select is(test.proposed('[{"kind": "APPLIES_TO", "from_code": "T_1", "to_code": "late", "properties": {}, "problem": "OTHER_ENTERPRISE"}]'), 'rejected OTHER_ENTERPRISE', 'an edge into another airline');
select is(test.proposed('[{"kind": "SCENARIO", "from_code": "x", "properties": {"name": "X", "level": "leg", "pattern": "{\">\": [{\"var\": \"moon_phase\"}, 1]}"}},
  {"kind": "APPLIES_TO", "from_code": "T_2", "to_code": "x", "properties": {}}]'), 'rejected DOES_NOT_COMPILE', 'a pattern that could not be paid by');
select is(test.proposed('[]', 'late|long'), 'rejected SHRINK,UNKNOWN_SCENARIO', 'half of it gone');
select is(test.proposed('[{"kind": "DEPENDS_ON", "from_code": "flight_pay", "to_code": "flight_pay", "properties": {}},
  {"kind": "APPLIES_TO", "from_code": "T_9", "to_code": "none", "properties": {}}]'), 'rejected SELF_EDGE,UNKNOWN_SCENARIO,UNKNOWN_TERM', 'every reason is reported');

select is((select max(generation) from graph.generations where accepted_at is not null), 0::bigint, 'all the while the last good one is in force');
select test.act_as('alpha_admin');
select is((select count(*) from ops.alerts where alert_key = 'graph.rejected' and state = 'OPEN'), 1::bigint, 'one alert is open');
select test.act_as('alpha_sync');
select is(test.proposed('[{"kind": "APPLIES_TO", "from_code": "T_2", "to_code": "long", "properties": {}}]'), 'accepted', 'a good one is accepted again');
select test.act_as('alpha_admin');
select is((select count(*) from ops.alerts where alert_key = 'graph.rejected' and state = 'OPEN'), 0::bigint, 'and the alert is cleared');

-- What is loaded in Postgres goes to Neo4j first.
select test.act_as_operator();
update graph.generations set source = 'seed' where generation = 1 and enterprise_id = test.id('alpha');
select test.act_as('alpha_sync');
select is(test.proposed('[]'), 'deferred', 'a graph that was loaded here is pushed before anything is read');
select is((select count(*) from graph.generation_rows(1, false)), 1::bigint, 'and only what it changed');
select is((select state from graph.propose(1, 0, 'b', test.rows())), 'deferred', 'a reading of before the generation in force counts for nothing');

-- What a curator can make of properties is refused with a reason too, and takes neither long nor the daemon down.
select test.act_as_operator();
update graph.generations set source = 'neo4j' where generation = 1 and enterprise_id = test.id('alpha');
delete from graph.outbox;
create function test.scenario(p_pattern text, p_id text default 'x', p_name text default 'X')
returns jsonb
language sql
return jsonb_build_array(
  jsonb_build_object('kind', 'SCENARIO', 'from_code', p_id, 'properties', jsonb_build_object('name', p_name, 'level', 'leg', 'pattern', p_pattern)),
  jsonb_build_object('kind', 'APPLIES_TO', 'from_code', 'T_2', 'to_code', p_id, 'properties', '{}'::jsonb),
  jsonb_build_object('kind', 'APPLIES_TO', 'from_code', 'T_2', 'to_code', 'long', 'properties', '{}'::jsonb));
select test.act_as('alpha_sync');
select is(test.proposed(test.scenario('1e999999')), 'rejected BAD_PATTERN', 'a number that no numeric can hold');
select is(test.proposed(test.scenario(repeat('[', 20000) || repeat(']', 20000))), 'rejected BAD_PATTERN', 'a nesting that no stack can hold');
select is(test.proposed(test.scenario(repeat('{"!": ', 1500) || 'true' || repeat('}', 1500))), 'rejected DOES_NOT_COMPILE', 'a nesting that the compiler can''t hold');
select is(test.proposed('[{"kind": "SCENARIO", "from_code": "idle", "properties": {"name": "Idle", "level": "leg", "pattern": "{\">\": [{\"var\": \"weather\"}, 3]}", "description": "No term applies to it."}}]'),
  'rejected DOES_NOT_COMPILE', 'a pattern of an unknown fact that no term uses');
select is(test.proposed(test.scenario('{"var": "cancelled"}', repeat('y', 4000))), 'rejected TOO_LONG', 'an identifier that no index can hold');
select is(test.proposed(test.scenario('{"var": "cancelled"}', 'x', repeat('n', 4000))), 'rejected TOO_LONG', 'a name that no page can hold');
select is(test.proposed(test.scenario('{"==": [{"var": "flight_number"}, "x''; drop table pay.pay_runs; --"]}', 'it''s "x"; --')) in ('accepted', 'rejected DOES_NOT_COMPILE'), true, 'quotes are characters');
select is(test.proposed(test.scenario('{"var": "cancelled"}') || '[{"kind": "PAY_COMPONENT", "from_code": "premium", "properties": {"name": "P", "calculationOrder": 1.5}}]'), 'rejected BAD_ORDER', 'an order that is not whole');
select is(test.proposed(test.scenario('{"var": "cancelled"}') || '[{"kind": "SCENARIO", "from_code": "z", "properties": {}, "problem": "UNREADABLE"}]'), 'rejected UNREADABLE', 'a text that can''t be held');
select is(test.proposed(test.scenario('{"var": "cancelled"}') || (
  select jsonb_agg(jsonb_build_object('kind', 'DEPENDS_ON', 'from_code', 'c' || a, 'to_code', 'c' || b, 'properties', '{}'::jsonb))
  from generate_series(1, 30) a, generate_series(1, 30) b)), 'rejected SELF_EDGE,UNKNOWN_COMPONENT', 'circles without number among components that pay doesn''t know');
select is(test.proposed(test.scenario('{"var": "cancelled"}') || (
  select jsonb_agg(jsonb_build_object('kind', 'DEPENDS_ON', 'from_code', 'overtime', 'to_code', 'flight_pay', 'properties', '{}'::jsonb))
  from generate_series(1, 3000))), 'rejected DUPLICATE', 'the same edge thousands of times');

-- Postgres says which rules are retired.
select is(test.proposed(test.scenario('{"var": "cancelled"}', 'kept')), 'accepted', 'a graph');
select is(test.proposed(jsonb_set(test.scenario('{"var": "cancelled"}', 'kept'), '{1,problem}', '"RETIRED"')), 'unchanged', 'an edge of a rule that only its node calls retired counts');
select is(test.proposed(test.scenario('{"var": "cancelled"}', 'kept') || '[{"kind": "APPLIES_TO", "from_code": "T_9", "to_code": "late", "properties": {}, "problem": "RETIRED"}]'), 'unchanged', 'an edge of a rule that is retired doesn''t');
select test.act_as_operator();
delete from rules.union_contract_terms where term_code = 'T_2' and enterprise_id = test.id('alpha');
select test.act_as('alpha_sync');
select is(test.proposed(test.scenario('{"var": "cancelled"}', 'kept', 'Renamed')), 'deferred', 'a rule that went just now: Neo4j is told first');
select test.act_as_operator();
delete from graph.outbox;
select test.act_as('alpha_sync');
select is(test.proposed(test.scenario('{"var": "cancelled"}', 'kept', 'Renamed')), 'rejected UNKNOWN_TERM', 'one that Neo4j was told of');
select * from finish();
rollback;
