-- Changes become keys; entries are acknowledged one by one, a key that is refused waits alone.
begin;
select plan(25);
select test.fixture();

create function test.queued(p_air text)
returns text[]
language sql
return (
  select coalesce(array_agg(o.entity || ' ' || o.key order by o.seq), '{}')
  from graph.outbox o
  where o.enterprise_id = test.id(p_air));

update rules.union_contract_terms set priority = 7 where enterprise_id = test.id('alpha');
select is((select count(*) from graph.outbox), 0::bigint, 'nothing is queued for who isn''t connected');

select test.act_as('alpha_sync');
select graph.connect();
select graph.claim('one');
select test.act_as_operator();

update rules.union_contract_terms set priority = 8;
select is(test.queued('alpha'), '{term Test_4.A}', 'a changed term is queued');
select is(test.queued('beta'), '{}', 'another airline''s is not');
insert into rules.union_contract_terms (
  enterprise_id, term_code, term_category, term_title, term_text, effective_date, applies_to)
select test.id('alpha'), 'Bulk_' || n, 'CREDIT', 'Bulk', 'Bulk', '2025-01-01', '{CAPTAIN}' from generate_series(1, 3) n;
select is(test.queued('alpha'), '{term Test_4.A,term Bulk_1,term Bulk_2,term Bulk_3}', 'one statement, one entry per key');
delete from rules.union_contract_terms where enterprise_id = test.id('alpha') and term_code = 'Bulk_3';
select is(cardinality(test.queued('alpha')), 5, 'a removal is queued');
update rules.faa_rules set rule_title = 'Changed' where rule_code = 'Test117.1';
select is((test.queued('alpha'))[6], 'faa_rule Test117.1', 'a regulation concerns every connected airline');

insert into rules.rule_interpretations (enterprise_id, id, scenario_description, interpretation, confidence_score)
values (test.id('alpha'), test.id('interpretation'), 'S', 'I', 90);
insert into rules.interpretation_contract_terms values (test.id('alpha'), test.id('interpretation'), test.id('alpha_term'));
select is((test.queued('alpha'))[7:8],
  array['interpretation ' || test.id('interpretation'), 'interpretation ' || test.id('interpretation')],
  'an interpretation is, and what it rests on');

select test.act_as('alpha_sync');
select is((select count(*) from graph.peek(100)), 6::bigint, 'the leader sees each key once');
select is((select cardinality(p.seqs) from graph.peek(100) p where p.entity = 'interpretation'), 2, 'with all its entries');
select is((select p.key from graph.peek(1) p), 'Test_4.A', 'the oldest first');
select is((select n.properties ->> 'priority' from graph.nodes('term', '{Test_4.A,Bulk_3}') n), '8', 'content is read anew; what is gone is missing');
select is((select n.properties ->> 'appliesTo' from graph.nodes('term', '{Test_4.A}') n), 'CAPTAIN,FIRST_OFFICER', 'positions are one text');
select is((select n.properties ->> 'appliesTo' from graph.nodes('faa_rule', '{Test117.1}') n),
  'CAPTAIN,FIRST_OFFICER,CHECK_AIRMAN,LINE_CHECK_AIRMAN', 'a rule for pilots names the pilots');
select is((select n.properties ->> 'priority' from graph.nodes('faa_rule', '{Test117.1}') n), '0', 'regulations come first');
select is((select n.requires from graph.nodes('interpretation', array[test.id('interpretation')::text]) n), '{Test_4.A}', 'what it rests on, by code');

-- An entry that comes while another is being applied stays.
select is((select graph.acknowledge(1, p.seqs) from graph.peek(1) p), 1::bigint, 'one entry is acknowledged');
select is((select count(*) from graph.peek(100)), 5::bigint, 'the others stay');

select lives_ok($$ select graph.park(1, p.entity, p.key, p.seqs, 'refused', 'X', 'no') from graph.peek(100) p where p.key = 'Bulk_1' $$, 'a refused key is put aside');
select is((select state from graph.dead_letters), 'refused', 'as a dead letter');
select is((select count(*) from graph.peek(100)), 4::bigint, 'the others go on');
select is(graph.retry_dead_letters(null, null), 1, 'it can be tried again');
select is((select graph.acknowledge(1, p.seqs) from graph.peek(100) p where p.key = 'Bulk_1'), 1::bigint, 'and succeed');
select is((select count(*) from graph.dead_letters), 0::bigint, 'then it is gone');

-- What waits for a rule is queued again when a rule arrives.
select graph.park(1, p.entity, p.key, p.seqs, 'waiting', 'Missing', 'no') from graph.peek(100) p where p.entity = 'interpretation';
select graph.acknowledge(1, p.seqs) from graph.peek(100) p where p.key = 'Bulk_2';
select ok(exists (select from graph.peek(100) p where p.entity = 'interpretation'), 'what waits is tried again when a rule came');
select test.act_as('alpha_admin');
select throws_ok($$ select * from graph.peek(1) $$, '42501', null, 'administrators look at the status, not at the queue');
select * from finish();
rollback;
