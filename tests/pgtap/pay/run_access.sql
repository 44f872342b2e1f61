-- Who may run pay, and on what.
begin;
select plan(13);
select test.fixture();

select test.act_as('alpha_crew1');
select throws_ok(format('select pay.run(%L, %L)', test.id('alpha'), test.id('alpha_period')), '42501', null, 'crew cannot run pay');
select test.act_as('alpha_bi');
select throws_ok(format('select pay.run(%L, %L)', test.id('alpha'), test.id('alpha_period')), '42501', null, 'analysts cannot run pay');
select test.act_as('stranger');
select throws_ok(format('select pay.run(%L, %L)', test.id('alpha'), test.id('alpha_period')), '42501', null, 'a login without a principal cannot run pay');

select test.act_as('alpha_payroll');
select throws_ok(format('select pay.run(%L, %L)', test.id('beta'), test.id('beta_period')), '42501', null, 'payroll runs its own enterprise only');
select throws_ok(format('select pay.run(%L, %L)', test.id('alpha'), test.id('beta_period')), 'CP214', null, 'a period of another tenant is unknown');
select throws_ok(format('select pay.run(%L, %L)', test.id('alpha'), gen_random_uuid()), 'CP214', null, 'so is one that doesn''t exist');
select throws_ok('select rules.load_contract(''{}'')', '42501', null, 'payroll cannot load a contract');
select throws_ok(format('insert into pay.pay_runs (enterprise_id, pay_period_id, kind, whole_period, engine_version, requested_by) values (%L, %L, ''REGULAR'', true, ''x'', ''x'')',
  test.id('alpha'), test.id('alpha_period')), '42501', null, 'nor write a run by hand');

select lives_ok(format('select pay.run(%L, %L)', test.id('alpha'), test.id('alpha_period')), 'payroll runs pay');
select is((select array_agg(distinct r.requested_by) from pay.pay_runs as r where r.state = 'published' and r.kind = 'REGULAR'),
  array[session_user::varchar], 'the run says who ran it');

select test.act_as_operator();
select is((select count(*) from pay.pay_calculations where enterprise_id = test.id('alpha') and total_gross_pay * 100 <> pay.cents_total(line_cents)), 0::bigint,
  'totals equal lines');
select is((select count(*) from pay.pay_runs where enterprise_id = test.id('beta') and state = 'published' and kind = 'REGULAR'), 1::bigint, 'the other airline is untouched');
update pay.pay_periods set status = 'CLOSED' where id = test.id('alpha_period');
select test.act_as('alpha_payroll');
select throws_ok(format('select pay.run(%L, %L)', test.id('alpha'), test.id('alpha_period')), 'CP211', null, 'a closed period is not run');

select * from finish();
rollback;
