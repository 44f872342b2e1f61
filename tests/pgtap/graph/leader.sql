-- One leader, named by a row whose epoch only rises; whoever was deposed is refused.
begin;
select plan(14);
select test.fixture();

select test.act_as('alpha_payroll');
select throws_ok($$ select graph.connect() $$, '42501', null, 'only the daemon connects an enterprise');
select test.act_as('alpha_sync');
select ok(graph.connect(), 'the first time connects');
select ok(not graph.connect(), 'the second time changes nothing');
select is(graph.claim('one'), 1::bigint, 'nobody leads: the first epoch');
select is(graph.claim('two'), null, 'somebody leads, and lives');
select lives_ok($$ select graph.beat(1) $$, 'the leader gives a sign of life');
select throws_ok($$ select graph.beat(2) $$, 'CP701', null, 'an epoch that nobody was given is refused');

select test.act_as_operator();
update graph.links set backend_pid = 0 where enterprise_id = test.id('alpha');
select test.act_as('alpha_sync');
select is(graph.claim('two'), 2::bigint, 'the leader''s session is gone: another leads');
select throws_ok($$ select graph.acknowledge(1, '{}') $$, 'CP701', null, 'the one before is refused');

select test.act_as_operator();
update graph.links set heartbeat_at = clock_timestamp() - interval '11 seconds' where enterprise_id = test.id('alpha');
select test.act_as('alpha_sync');
select is(graph.claim('three'), 3::bigint, 'silent for ten seconds: another leads');
select lives_ok($$ select graph.release(3) $$, 'it steps down');
select throws_ok($$ select graph.beat(3) $$, 'CP701', null, 'and leads no more');
select is(graph.adopt(41), 42::bigint, 'adopting goes beyond the epoch that Neo4j knows');
select test.act_as('beta_sync');
select is(graph.adopt(41), null, 'and concerns the own enterprise only');
select * from finish();
rollback;
