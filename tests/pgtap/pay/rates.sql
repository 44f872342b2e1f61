-- Rates and contract: free while an airline sets itself up, by two people once it pays.
begin;
select plan(50);
select test.fixture();
insert into platform.users (enterprise_id, id, email) values (test.id('alpha'), test.id('alpha_chief'), 'chief@example.org');
select test.make_login('alpha_chief', 'alpha', 'admin', 'alpha_chief');
select test.make_login('alpha_robot', 'alpha', 'admin');                  -- no person
select test.make_login('alpha_boss', 'alpha', 'admin', 'alpha_payroll');  -- the payroll clerk's other login
-- The captain is an administrator as well, under another login.
insert into platform.users (enterprise_id, id, email, person_id)
select test.id('alpha'), test.id('alpha_captain'), 'captain@example.org', c.person_id from crew.crew_members as c where c.id = test.id('alpha_crew1');
select test.make_login('alpha_captain', 'alpha', 'admin', 'alpha_captain');
create view test.rate as select base_hourly_rate from crew.crew_members where id = test.id('alpha_crew1');
create function test.contract(p_hours integer) returns jsonb language sql immutable return jsonb_build_object('terms', jsonb_build_array(jsonb_build_object(
  'code', 'Test_4.A', 'category', 'GUARANTEES', 'title', 'Guarantee', 'text', 'Hours a month.', 'effective', '2025-01-01',
  'applies_to', '["CAPTAIN", "FIRST_OFFICER"]'::jsonb,
  'formula', jsonb_build_object('type', 'monthly_guarantee', 'hours', p_hours, 'proration', 'calendar_days'))));
create function test.change(p_state text default 'PENDING') returns uuid language sql stable
  return (select a.subject_id from pay.approvals as a where a.subject_kind = 'RATE_CHANGE' and a.state::text = p_state order by a.requested_at desc, a.id limit 1);
grant execute on function test.contract(integer), test.change(text) to public;
grant select on test.rate to public;

-- Nobody has been paid on two people's word: one person sets the airline up.
select test.act_as('alpha_admin');
select lives_ok($$ update crew.crew_members set base_hourly_rate = 201 where employee_id = 'E001' $$, 'an administrator sets a rate before the first approved run');
select lives_ok($$ select rules.load_contract(test.contract(71)) $$, 'and loads the contract');

select test.act_as_operator();
update pay.pay_periods set status = 'CLOSED' where id = test.id('alpha_period');
select test.act_as('alpha_admin');
select throws_ok($$ update crew.crew_members set base_hourly_rate = 999 where employee_id = 'E001' $$, 'CP320', null, 'then not alone any more');
select throws_ok($$ update crew.crew_members set base_hourly_rate = null $$, 'CP320', null, 'nor away');
select lives_ok($$ update crew.crew_members set first_name = 'Adah', base_hourly_rate = 201 where employee_id = 'E001' $$, 'the same rate is no change, other columns are free');
select lives_ok($$ insert into crew.crew_members (enterprise_id, employee_id, first_name, last_name, position, base_location, hire_date, seniority_number, base_hourly_rate)
  values (test.id('alpha'), 'E009', 'Cy', 'New', 'FIRST_OFFICER', 'BUR', '2026-02-01', 9, 90) $$, 'new crew come with their rate');
select throws_ok($$ select rules.load_contract(test.contract(72)) $$, 'CP320', null, 'the contract is not loaded by one person');
select is(rules.load_contract(test.contract(71)) ->> 'unchanged', '1', 'the one on record may be loaded again');
select throws_ok($$ update rules.union_contract_terms set calculation_formula = jsonb_set(calculation_formula, '{hours}', '99') $$, 'CP320', null, 'nor a formula changed');
select throws_ok($$ update rules.union_contract_terms set superseded_at = now() $$, 'CP320', null, 'nor a term taken out');
select throws_ok($$ update rules.union_contract_terms set expiration_date = '2026-06-01' $$, 'CP320', null, 'nor ended');
select throws_ok($$ update rules.union_contract_terms set applies_to = '{CAPTAIN}' $$, 'CP320', null, 'nor kept from somebody');
select throws_ok($$ insert into rules.union_contract_terms (enterprise_id, term_code, term_category, term_title, term_text, calculation_formula, effective_date, applies_to)
  values (test.id('alpha'), 'Own_1', 'PREMIUMS', 'x', 'x', '{"type": "hourly_rate", "steps": []}', '2026-01-01', '{CAPTAIN}') $$, 'CP320', null, 'nor a term added');
select throws_ok($$ select rules.load_contract('{"scenarios": [{"id": "s", "name": "s", "level": "leg", "pattern": true}]}') $$, 'CP320', null, 'nor does the rule graph change by one');
select throws_ok($$ insert into pay.rate_changes (enterprise_id, rates, reason, requested_by, requested_by_person) values (test.id('alpha'), '{"a": 1}', 'x', 'x', gen_random_uuid()) $$, '42501', null, 'nobody writes rate changes');
select test.act_as('beta_admin');
select lives_ok($$ update crew.crew_members set base_hourly_rate = 202 where employee_id = 'E001' $$, 'another airline still sets itself up');

-- Asked for.
select test.act_as('alpha_crew1');
select throws_ok($$ select pay.request_rates('{"E001": 300}', 'more') $$, '42501', null, 'crew don''t ask');
select test.act_as('alpha_robot');
select throws_ok($$ select pay.request_rates('{"E001": 300}', 'more') $$, 'CP310', null, 'a login without a person doesn''t ask');
select test.act_as('alpha_payroll');
select throws_ok($$ select pay.request_rates('{"E001": 300}', ' ') $$, 'CP318', null, 'a reason is needed');
select throws_ok($$ select pay.request_rates('{"E404": 300}', 'x') $$, 'CP106', null, 'crew members are known');
select throws_ok($$ select pay.request_rates('{"E001": -1}', 'x') $$, 'CP109', null, 'rates are not negative');
select throws_ok($$ select pay.request_rates('{"E001": 210.005}', 'x') $$, 'CP109', null, 'nor rounded unseen');
select throws_ok($$ select pay.request_rates('{"E001": "210"}', 'x') $$, 'CP109', null, 'nor text');
select throws_ok($$ select pay.request_rates('[1]', 'x') $$, 'CP109', null, 'rates are an object');
select throws_ok($$ select pay.request_rates('{"E001": 201.0}', 'x') $$, 'CP311', null, 'something changes');
select lives_ok($$ select pay.request_rates('{"E001": 210.50, "E002": null, "E009": 90}', 'step of July') $$, 'payroll asks for rates');
select is((select rates from pay.rate_changes),
  jsonb_build_object(test.id('alpha_crew1'), '[201.00, 210.50]'::jsonb, test.id('alpha_crew2'), '[100.00, null]'::jsonb), 'before and after are on record, without what stays');
select is((select base_hourly_rate from test.rate), 201.00, 'nothing changes yet');
select throws_ok($$ select pay.approve_rate_change(test.change()) $$, 'CP310', null, 'who asked can''t approve');
select test.act_as('alpha_boss');
select throws_ok($$ select pay.approve_rate_change(test.change()) $$, 'CP310', null, 'nor under another login');
select test.act_as('alpha_captain');
select throws_ok($$ select pay.approve_rate_change(test.change()) $$, 'CP310', null, 'nor who gets the rate');
select test.act_as('beta_admin');
select throws_ok(format($$ select pay.approve_rate_change(%L) $$, (select c.id from pay.rate_changes as c)), 'CP311', null, 'another airline''s change is unknown');

-- Applied.
select test.act_as('alpha_admin');
select lives_ok($$ select pay.approve_rate_change(test.change(), 'checked with the table') $$, 'another person approves');
select is((select base_hourly_rate from test.rate), 210.50, 'the rate is what was asked for');
select throws_ok($$ update crew.crew_members set base_hourly_rate = 211 where employee_id = 'E001' $$, 'CP320', null, 'and is guarded again in the same transaction');
select throws_ok($$ select pay.approve_rate_change(id) from pay.rate_changes $$, 'CP311', null, 'once');
select is((select l.actor_id || ': ' || l.reason from audit.audit_log as l where l.entity_id = test.id('alpha_crew1') and l.changes -> 'base_hourly_rate' ->> 1 = '210.50'),
  test.login('alpha_admin') || ': step of July', 'the trail names who approved and why');
select lives_ok($$ select pay.request_rates('{"E001": 220}', 'again') $$, 'an administrator asks');
select lives_ok($$ select pay.request_rates('{"E001": 230}', 'and again') $$, 'twice');
select test.act_as('alpha_chief');
select lives_ok(format($$ select pay.approve_rate_change(%L) $$, (select id from pay.rate_changes where reason = 'again')), 'one is applied');
select throws_ok(format($$ select pay.approve_rate_change(%L) $$, (select id from pay.rate_changes where reason = 'and again')), 'CP313', null, 'the other was asked of another rate');

-- The contract.
select throws_ok($$ select rules.request_contract('{"terms": [{"code": "X"}]}', 'x') $$, 'CP202', null, 'what doesn''t compile is refused when asked for');
select throws_ok($$ select rules.request_contract(null, 'x') $$, 'CP202', null, 'a contract is a document');
select throws_ok($$ select rules.request_contract('{}', 'x') $$, 'CP202', null, 'that says something');
select throws_ok($$ select rules.request_contract(test.contract(71), 'x') $$, 'CP311', null, 'a contract changes something');
select lives_ok($$ update rules.union_contract_terms set term_title = 'Monthly guarantee' $$, 'a title is words only');
select lives_ok($$ select rules.request_contract(test.contract(75), 'agreement of May') $$, 'an administrator asks for a contract');
select is((select calculation_formula ->> 'hours' from rules.union_contract_terms where superseded_at is null), '71', 'nothing changes yet');
select test.act_as('alpha_admin');
select lives_ok(format($$ select pay.approve_rate_change(%L) $$, (select id from pay.rate_changes where contract is not null)), 'another administrator approves');
select is((select calculation_formula ->> 'hours' from rules.union_contract_terms where superseded_at is null), '75', 'it is in force');
select test.act_as_operator();
select * from finish();
rollback;
