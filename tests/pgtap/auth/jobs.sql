-- The scheduler's login: a member of every enterprise, one at a time, and little else.
begin;
select plan(13);
select test.fixture();

set local session authorization crewpay_jobs;
select is(auth.role(), 'jobs', 'the scheduler has role jobs');
select is(auth.enterprise_id(), null, 'and no enterprise until it selects one');
select ok(
  (select array[test.id('alpha'), test.id('beta')] <@ array_agg(e) from auth.enterprises() e),
  'a new enterprise admits it');
select test.select_enterprise('beta');
select is(auth.enterprise_id(), test.id('beta'), 'it works for one enterprise at a time');
select isnt(ops.raise_alert('test:late', 'LOW', 'late'), null, 'and raises alerts about it');
select is((select array_agg(enterprise_id) from ops.alerts where alert_key = 'test:late'), array[test.id('beta')], 'which belong to that enterprise');
select throws_ok($$ select count(*) from pay.pay_calculations $$, '42501', null, 'it cannot read pay');
select throws_ok($$ select count(*) from crew.crew_members $$, '42501', null, 'nor crew');
select throws_ok($$ update ops.jobs set command = 'select 1' $$, '42501', null, 'nor change the catalogue');
select throws_ok($$ set role crewpay_owner $$, '42501', null, 'nor become the owner');
select is(audit.ensure_partitions(), 0, 'it makes partitions');
select ok((select count(*) > 0 from ops.jobs where enabled), 'it reads the catalogue');

select test.act_as('alpha_admin');
select throws_ok($$ select ops.reconcile_jobs() $$, '42501', null, 'an administrator of an airline cannot schedule');

select * from finish();
rollback;
