-- What crew can and cannot see and do.
begin;
select plan(32);
select test.fixture();
select test.act_as('alpha_crew1');

select is((select array_agg(id) from crew.crew_members), array[test.id('alpha_crew1')], 'crew see themselves');
select is((select array_agg(id) from crew.crew_assignments), array[test.id('alpha_a1')], 'crew see own legs');
select is((select array_agg(id) from crew.flights), array[test.id('alpha_f1')], 'crew see the flights they fly');
select is((select array_agg(id) from crew.trips), array[test.id('alpha_t1')], 'crew see own trips');
select is((select array_agg(crew_member_id) from crew.crew_months), array[test.id('alpha_crew1')], 'crew see own months');
select is((select array_agg(id) from pay.pay_calculations), array[test.id('alpha_calc_crew1')], 'crew see own pay');
select is((select array_agg(run_id) from pay.calculation_versions), array[test.id('alpha_old_run')],
  'crew see own earlier results, no what-if and nothing unfinished');
select is((select array_agg(id order by id) from pay.pay_runs),
  (select array_agg(i order by i) from unnest(array[test.id('alpha_run'), test.id('alpha_old_run')]) i),
  'crew see runs that are done');
select throws_ok($$ select total_amount from pay.pay_runs $$, '42501', null, 'crew cannot see what a run cost');
select is((select array_agg(crew_member_id) from pay.payroll_payments), array[test.id('alpha_crew1')], 'crew see own payments');
select is((select array_agg(id) from pay.pay_periods), array[test.id('alpha_period')], 'crew see the calendar');
select is((select array_agg(id) from review.claims), array[test.id('alpha_claim')], 'crew see own claims');
select is((select array_agg(id) from review.discrepancies), array[test.id('alpha_discrepancy')], 'crew see own discrepancies');
select is((select array_agg(crew_member_id) from notify.notifications), array[test.id('alpha_crew1')], 'crew see own notifications');
select is((select array_agg(id) from rules.union_contract_terms), array[test.id('alpha_term')], 'crew see their contract');
select is((select array_agg(id) from rules.rulesets), array[test.id('alpha_ruleset')], 'crew see their contract as compiled');
select ok((select count(*) > 0 from rules.faa_rules), 'crew see regulations');
select is((select array_agg(id) from platform.enterprises), array[test.id('alpha')], 'crew see their airline');
select throws_ok($$ select count(*) from platform.users $$, '42501', null, 'crew cannot see users');
select throws_ok($$ select count(*) from auth.principals $$, '42501', null, 'crew cannot see principals');
select throws_ok($$ select count(*) from rules.plans $$, '42501', null, 'crew cannot see plans');
select throws_ok($$ select count(*) from pay.run_findings $$, '42501', null, 'crew cannot see findings of runs');

select throws_ok($$ update crew.crew_members set base_hourly_rate = 999 $$, '42501', null, 'crew cannot change their rate');
select throws_ok($$ update pay.pay_calculations set total_gross_pay = 999 $$, '42501', null, 'crew cannot change their pay');
select throws_ok($$ delete from review.claims $$, '42501', null, 'crew cannot delete claims');
select throws_ok($$ truncate notify.notifications $$, '42501', null, 'crew cannot truncate');
select throws_ok($$ create temp table t (i int) $$, '42501', null, 'crew have no temporary tables');
select throws_ok($$ create function public.f() returns int language sql return 1 $$, '42501', null, 'crew cannot make functions');
select throws_ok(
  $$ select auth.create_principal(session_user, gen_random_uuid(), 'admin') $$, '42501', null, 'crew cannot make principals');
select throws_ok($$ select audit.ensure_partitions() $$, '42501', null, 'crew cannot run operators'' functions');

select test.act_as('alpha_crew2');
select is((select count(*) from crew.flights), 2::bigint, 'another crew member sees the flights of hers');
select is((select count(*) from review.claims), 0::bigint, 'and not the first one''s claim');

select * from finish();
rollback;
