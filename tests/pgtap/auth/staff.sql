-- What administrators, payroll clerks, agents, BI, sync and functions can and cannot do.
begin;
select plan(63);
select test.fixture();

-- Administrators: everything of their tenant, written where it is theirs to write.
select test.act_as('alpha_admin');
select is((select array_agg(distinct enterprise_id) from crew.crew_members), array[test.id('alpha')], 'admin sees own crew only');
select is((select count(*) from crew.crew_members), 2::bigint, 'admin sees all own crew');
select is((select count(*) from pay.pay_calculations), 2::bigint, 'admin sees all pay');
select is((select count(*) from pay.calculation_versions), 4::bigint, 'admin sees finished versions, what-ifs included, none in progress');
select is((select count(*) from auth.principals), 9::bigint, 'admin sees the tenant''s principals: eight logins and the jobs');
select lives_ok($$ update crew.crew_members set base_hourly_rate = 201 where employee_id = 'E001' $$, 'admin changes a rate');
select is((select base_hourly_rate from crew.crew_members where employee_id = 'E001'), 201.00, 'and it is changed');
select throws_ok($$ update crew.crew_members set person_id = gen_random_uuid() $$, '42501', null, 'admin cannot say who a person is');
select throws_ok($$ delete from crew.flights $$, '42501', null, 'admin cannot delete facts');
select throws_ok(
  format($$ insert into crew.crew_months (enterprise_id, crew_member_id, month) values (%L, %L, '2026-02-01') $$,
         test.id('beta'), test.id('beta_crew1')),
  '42501', null, 'admin cannot write into another tenant');
select throws_ok(
  format($$ update crew.flights set enterprise_id = %L where id = %L $$, test.id('beta'), test.id('alpha_f2')),
  '42501', null, 'admin cannot move a row to another tenant');
select throws_ok(
  format($$ update crew.crew_assignments set flight_id = %L where id = %L $$, test.id('beta_f1'), test.id('alpha_a1')),
  '23503', null, 'nor point a row into it');
select throws_ok($$ update pay.pay_periods set status = 'CLOSED' $$, '42501', null, 'admin cannot close a period by hand');
select throws_ok($$ update pay.pay_calculations set validated_by = 'me' $$, '42501', null, 'admin cannot write results');
select throws_ok($$ update review.claims set decision = 'APPROVE' $$, '42501', null, 'admin cannot decide claims by hand');
select throws_ok($$ update auth.principals set role = 'admin' $$, '42501', null, 'admin cannot change principals');
select throws_ok($$ update rules.union_contract_terms set recorded_at = now() $$, '42501', null, 'admin cannot backdate what was known');
select throws_ok($$ update rules.rule_interpretations set validated_by = 'me' $$, '42501', null, 'admin cannot validate by hand');
select throws_ok($$ truncate crew.flights $$, '42501', null, 'admin cannot truncate');
select throws_ok($$ lock table crew.airports in access exclusive mode $$, '42501', null, 'admin cannot lock global tables');
select throws_ok($$ set session_replication_role = replica $$, '42501', null, 'admin cannot switch triggers off');
select throws_ok($$ alter table crew.flights disable trigger all $$, '42501', null, 'nor disable them');
set local row_security = off;
select throws_ok($$ select count(*) from crew.flights $$, '42501', null, 'nor switch row security off');
set local row_security = on;

-- Settings.
select is(get_config('layover.min_duration'), '90'::jsonb, 'a global setting is read, unqualified as in the document');
select is(platform.put_config('layover.min_duration', '60'), 1, 'admin sets an own value');
select is(platform.put_config('layover.min_duration', '75'), 2, 'a second value is a second version');
select is(platform.get_config('layover.min_duration'), '75'::jsonb, 'the own value hides the global one');
select throws_ok($$ select platform.put_config('layover.min_duration', '"long"') $$, 'CP109', null, 'a value of another type is refused');
select throws_ok(
  format($$ select platform.put_config('layover.min_duration', '1', tenant => %L) $$, test.id('beta')),
  '42501', null, 'admin cannot set another tenant''s value');
select throws_ok(
  $$ insert into platform.system_configs (key, value, value_type, category) values ('x', '1', 'number', 'runtime') $$,
  '42501', null, 'admin cannot make a global setting');
select test.act_as('beta_admin');
select is(platform.get_config('layover.min_duration'), '90'::jsonb, 'the other tenant still reads the global value');
select is(platform.get_config('layover.min_duration', test.id('alpha')), '90'::jsonb, 'and cannot read the first one''s');
select is(
  (select count(*) from platform.system_configs where key = 'layover.min_duration'), 1::bigint, 'nor see its rows');

-- Payroll.
select test.act_as('alpha_payroll');
select is((select count(*) from crew.crew_members), 2::bigint, 'payroll reads crew');
select is((select count(*) from review.claims), 1::bigint, 'payroll reads claims');
select throws_ok($$ update crew.crew_members set base_hourly_rate = 1 $$, '42501', null, 'payroll cannot change rates');
select lives_ok(
  format($$ insert into pay.payroll_payments (enterprise_id, crew_member_id, pay_period_id, component, amount, reference)
            values (%L, %L, %L, 'flight_pay', 1, 'P2') $$, test.id('alpha'), test.id('alpha_crew1'), test.id('alpha_period')),
  'payroll records a payment');
select throws_ok(
  format($$ insert into pay.payroll_payments (enterprise_id, crew_member_id, pay_period_id, component, amount, reference)
            values (%L, %L, %L, 'flight_pay', 1, 'P2') $$, test.id('beta'), test.id('beta_crew1'), test.id('beta_period')),
  '42501', null, 'payroll cannot pay another tenant''s crew');
select throws_ok($$ update pay.payroll_payments set amount = 0 $$, '42501', null, 'payroll cannot change a payment');
select throws_ok($$ update pay.pay_calculations set total_gross_pay = 0 $$, '42501', null, 'payroll cannot write results');

-- Agents.
select test.act_as('alpha_agent');
select is((select count(*) from pay.pay_calculations), 2::bigint, 'agents see their tenant''s pay');
select throws_ok($$ update pay.pay_calculations set total_gross_pay = 0 $$, '42501', null, 'agents cannot write results');
select throws_ok($$ update review.claims set decision = 'APPROVE' $$, '42501', null, 'agents cannot decide claims by hand');

-- BI: its views, nothing else.
select test.act_as('alpha_bi');
select is((select count(*) from bi.crew_members), 2::bigint, 'bi reads crew of its tenant');
select is((select count(*) from bi.flights), 2::bigint, 'bi reads flights');
select is((select count(*) from bi.pay_periods), 1::bigint, 'bi reads periods');
select is((select sum(total_gross_pay) from bi.pay_calculations), 3000.00, 'bi reads pay');
select is((select sum(amount) from bi.pay_lines), 3000.00, 'bi reads lines');
select throws_ok($$ select count(*) from pay.pay_calculations $$, '42501', null, 'bi cannot reach tables past its views');
select throws_ok($$ select count(*) from pay.pay_lines $$, '42501', null, 'nor views of other schemas');
select throws_ok($$ select auth.uid() $$, '42501', null, 'nor functions');
select throws_ok($$ create temp table t (i int) $$, '42501', null, 'bi has no temporary tables');

-- Sync.
select test.act_as('alpha_sync');
select is((select count(*) from rules.union_contract_terms), 1::bigint, 'sync reads its tenant''s terms');
select throws_ok($$ select count(*) from crew.crew_members $$, '42501', null, 'sync cannot read crew');
select throws_ok($$ select count(*) from pay.pay_calculations $$, '42501', null, 'nor pay');

-- Alerts.
select ok(ops.raise_alert('test', 'HIGH', 'a') = ops.raise_alert('test', 'LOW', 'b'), 'raising again refreshes the open alert');
select test.act_as('beta_admin');
select is((select count(*) from ops.alerts), 0::bigint, 'another tenant does not see it');
select is(ops.clear_alert('test'), false, 'nor clear it');
select test.act_as('alpha_admin');
select is((select message from ops.alerts), 'b', 'the tenant''s administrator sees it');
select is(ops.clear_alert('test'), true, 'and clears it');
select test.act_as('alpha_crew1');
select throws_ok($$ select ops.raise_alert('test', 'HIGH', 'a') $$, '42501', null, 'crew cannot raise alerts');

-- A login that was given a second database role by mistake still has the rights of its principal only.
select test.act_as_operator();
do $$ begin execute format('grant crewpay_admin to %I', test.login('alpha_crew1')); end $$;
select test.act_as('alpha_crew1');
select is((select count(*) from crew.crew_members), 1::bigint, 'crew in the group of administrators still see themselves only');
with u as (update crew.crew_members set base_hourly_rate = 1 returning 1)
select is((select count(*) from u), 0::bigint, 'and change nothing');

select * from finish();
rollback;
