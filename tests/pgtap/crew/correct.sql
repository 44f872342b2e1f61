-- Corrections of closed periods: two people, the old version kept, results left alone, the pay queued.
begin;
select plan(34);
select test.fixture();
insert into platform.users (enterprise_id, id, email) values (test.id('alpha'), test.id('alpha_chief'), 'chief@example.org');
select test.make_login('alpha_chief', 'alpha', 'admin', 'alpha_chief');
insert into pay.pay_periods (enterprise_id, id, start_date, end_date) values (test.id('alpha'), test.id('alpha_february'), '2026-02-01', '2026-02-28');
insert into crew.flights (enterprise_id, id, flight_number, origin_airport, destination_airport, scheduled_departure, scheduled_arrival)
values
  (test.id('alpha'), test.id('alpha_f3'), 'XP103', 'BUR', 'HVN', '2026-02-10 15:00+00', '2026-02-10 20:00+00'),
  (test.id('alpha'), test.id('alpha_f5'), 'XP105', 'BUR', 'HVN', '2026-01-20 09:00+00', '2026-01-20 14:00+00');
update pay.pay_periods set status = 'CLOSED' where id = test.id('alpha_period');

select test.act_as('alpha_crew1');
select throws_ok($$ select crew.correct('crew.flights', test.id('alpha_f1')::text, '{"delay_code": "MX"}', 'x') $$, '42501', null, 'crew can''t ask');
select test.act_as('alpha_payroll');
select throws_ok($$ select crew.correct('crew.flights', test.id('alpha_f1')::text, '{"delay_code": "MX"}', ' ') $$, 'CP318', null, 'a reason is needed');
select throws_ok($$ select crew.correct('crew.crew_members', test.id('alpha_crew1')::text, '{"base_hourly_rate": 1}', 'x') $$, 'CP316', null, 'facts only');
select throws_ok($$ select crew.correct('pg_class', '1', '{"a": 1}', 'x') $$, 'CP316', null, 'no other table');
select throws_ok($$ select crew.correct('crew.flights', test.id('nothing')::text, '{"delay_code": "MX"}', 'x') $$, 'CP316', null, 'the row is there');
select throws_ok($$ select crew.correct('crew.flights', test.id('beta_f1')::text, '{"delay_code": "MX"}', 'x') $$, 'CP316', null, 'and the own airline''s');
select throws_ok($$ select crew.correct('crew.flights', test.id('alpha_f1')::text, '{"enterprise_id": "x"}', 'x') $$, 'CP316', null, 'keys stay');
select throws_ok($$ select crew.correct('crew.flights', test.id('alpha_f1')::text, '{"nothing": 1}', 'x') $$, 'CP316', null, 'columns are known');
select throws_ok($$ select crew.correct('crew.flights', test.id('alpha_f1')::text, '[]', 'x') $$, 'CP316', null, 'something changes');
select throws_ok($$ select crew.correct('crew.flights', test.id('alpha_f1')::text, '{"actual_departure": "2026-01-10 10:05-05"}', 'x') $$, 'CP316', null, 'the same time in other words is no change');
select throws_ok($$ select crew.correct('crew.flights', test.id('alpha_f3')::text, '{"delay_code": "MX"}', 'x') $$, 'CP316', null, 'open facts are changed directly');

select lives_ok($$ select crew.correct('crew.flights', test.id('alpha_f1')::text, '{"actual_arrival": "2026-01-10 15:45-05", "delay_code": "MX"}', 'gate log') $$, 'payroll asks');
select is((select delay_code from crew.flights where id = test.id('alpha_f1')), null, 'nothing changes yet');
select is((select changes from crew.corrections),
  '{"delay_code": [null, "MX"], "actual_arrival": ["2026-01-10T20:15:00+00:00", "2026-01-10T20:45:00+00:00"]}'::jsonb, 'before and after are on record');
select throws_ok($$ select crew.approve_correction(id) from crew.corrections $$, 'CP310', null, 'who asked can''t approve');
select throws_ok($$ update crew.corrections set applied_in = pg_current_xact_id() $$, '42501', null, 'nor mark it as being applied');
select set_config('app.correcting', 'on', true), set_config('crew.correcting', 'on', true);
select test.act_as('alpha_admin');
select throws_ok($$ update crew.flights set delay_code = 'MX' where id = test.id('alpha_f1') $$, 'CP211', null, 'no setting opens the period');
select lives_ok($$ select crew.approve_correction(id) from crew.corrections $$, 'another person approves');
select is((select (delay_code, actual_arrival)::text from crew.flights where id = test.id('alpha_f1')), '(MX,"2026-01-10 20:45:00+00")', 'the fact reads so');
select throws_ok($$ update crew.flights set delay_code = 'WX' where id = test.id('alpha_f1') $$, 'CP211', null, 'and is closed again in the same transaction');
select throws_ok($$ select crew.approve_correction(id) from crew.corrections $$, 'CP311', null, 'once');
select is((select count(*) from pay.retro_queue where pay_period_id = test.id('alpha_period') and settled_at is null), 2::bigint, 'both who flew it are queued');
select is((select count(*) from pay.pay_calculations where run_id = test.id('alpha_run') and total_gross_pay = 1500), 2::bigint, 'stored results stay');
select is((select count(*) from crew.fact_versions where row_key = test.id('alpha_f1')::text and row_data ->> 'delay_code' is null), 1::bigint, 'the version before is kept');
select test.act_as_operator();
select is((select array_agg(actor_id || ' ' || reason) from audit.audit_log where entity_id = test.id('alpha_f1') and changes ? 'delay_code'),
  array[test.login('alpha_admin') || ' gate log'], 'the trail names who approved and why');

-- A leg that was flown and is missing.
select test.act_as('alpha_chief');
select lives_ok(format($$ select crew.correct('crew.crew_assignments', null, '{"crew_member_id": "%s", "flight_id": "%s", "duty_start_time": "2026-01-20T08:00:00Z"}', 'forgotten') $$,
  test.id('alpha_crew2'), test.id('alpha_f5')), 'a row can be added');
select test.act_as('alpha_payroll');
select throws_ok($$ select crew.approve_correction(id) from crew.corrections where is_new $$, '42501', null, 'a clerk doesn''t approve');
select test.act_as('alpha_admin');
select lives_ok($$ select crew.approve_correction(id) from crew.corrections where is_new $$, 'an administrator does');
select is((select count(*) from crew.crew_assignments where flight_id = test.id('alpha_f5')), 1::bigint, 'the leg is there');

-- What changed meanwhile, and what is denied.
select lives_ok(format($$ select crew.correct('crew.crew_months', '%s:2026-01-01', '{"work_days": 14}', 'roster') $$, test.id('alpha_crew1')), 'a crew month can be corrected');
select lives_ok(format($$ select crew.correct('crew.crew_months', '%s:2026-01-01', '{"work_days": 15}', 'roster') $$, test.id('alpha_crew1')), 'somebody asks twice');
select test.act_as('alpha_chief');
select lives_ok($$ select crew.approve_correction(id) from crew.corrections where changes = '{"work_days": [null, 14]}' $$, 'one is approved');
select throws_ok($$ select crew.approve_correction(id) from crew.corrections where changes = '{"work_days": [null, 15]}' $$, 'CP313', null, 'the other no longer fits the row');
select is((select (pay.deny_approval(a.id, 'fourteen it is')).state::text from pay.approvals as a where a.state = 'PENDING'), 'DENIED', 'and is denied');

select * from finish();
rollback;
