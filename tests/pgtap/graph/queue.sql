-- Changes become keys; entries are acknowledged one by one, a key that is refused waits alone.
begin;
select plan(31);
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

-- A table that has grown since, and was never analysed, is read by the one index of newest versions.
select test.act_as('alpha_sync');
do $$ begin for i in 1..10 loop perform graph.nodes('term', '{Test_4.A}'); end loop; end $$;
select test.act_as_operator();
insert into rules.union_contract_terms (
  enterprise_id, term_code, term_category, term_title, term_text, effective_date, applies_to)
select test.id('alpha'), 'Many_' || n, 'CREDIT', 'Many', 'Many', '2025-01-01', '{CAPTAIN}' from generate_series(1, 1000) n;
create function test.rows_read(p_relation regclass) returns bigint return pg_stat_get_xact_tuples_returned(p_relation);
create temporary table before as
select c.oid, test.rows_read(c.oid) as rows_read
from pg_class c
where c.relname like 'union\_contract\_terms%' and c.relkind in ('r', 'i');
select test.act_as('alpha_sync');
select is((select count(*) from graph.nodes('term', array(select 'Many_' || n from generate_series(1, 200) n))), 200::bigint, 'a page is read');
select test.act_as_operator();
select results_eq(
  'select oid::regclass::text, test.rows_read(oid) - rows_read from before where test.rows_read(oid) > rows_read',
  $$ values ('union_contract_terms_on_record_idx', 200::bigint) $$,
  'a row a key');

-- Only an operator can empty a table; what it had, and what is emptied with it, is queued.
select test.act_as_operator();
insert into rules.union_contract_terms (
  enterprise_id, term_code, term_category, term_title, term_text, effective_date, applies_to)
values (test.id('beta'), 'Bulk_4', 'CREDIT', 'Bulk', 'Bulk', '2025-01-01', '{CAPTAIN}');
delete from graph.outbox;
truncate rules.union_contract_terms cascade;
select is(test.queued('alpha') @> array['term Test_4.A', 'term Bulk_1', 'interpretation ' || test.id('interpretation')], true,
  'emptied terms are queued, and what rests on them');
select is(test.queued('beta'), '{}', 'another airline''s are not');
truncate rules.faa_rules cascade;
select is('faa_rule Test117.1' = any (test.queued('alpha')), true, 'emptied rules are');
delete from graph.outbox;
truncate rules.rule_interpretations cascade;
select is('interpretation ' || test.id('interpretation') = any (test.queued('alpha')), true, 'emptied interpretations are');
select * from finish();
rollback;
