-- Rows of union_contract_terms, however they are written.
begin;
select plan(7);
select test.fixture();

select test.act_as('alpha_admin');
select throws_ok(format($$ insert into rules.union_contract_terms (enterprise_id, term_code, term_category, term_title, term_text, calculation_formula, effective_date, applies_to)
  values (%L, 'Own_1', 'CREDIT', 'x', 'x', '{"type": "duty_rig", "ratio": 2, "colour": "red"}', '2026-01-01', '{CAPTAIN}') $$, test.id('alpha')),
  'CP202', null, 'a formula has the parameters of its type');
select throws_ok(format($$ insert into rules.union_contract_terms (enterprise_id, term_code, term_category, term_title, term_text, calculation_formula, effective_date, applies_to)
  values (%L, 'Own_1', 'CREDIT', 'x', 'x', '{"type": "night_rig"}', '2026-01-01', '{CAPTAIN}') $$, test.id('alpha')),
  'CP201', null, 'and a type of the catalogue');
select lives_ok(format($$ insert into rules.union_contract_terms (enterprise_id, term_code, term_category, term_title, term_text, calculation_formula, effective_date, expiration_date, applies_to)
  values (%1$L, 'Own_1', 'CREDIT', 'x', 'x', '{"type": "monthly_guarantee", "hours": 70, "proration": "calendar_days"}', '2026-01-01', '2026-07-01', '{CAPTAIN}') $$, test.id('alpha')),
  'the formula of the document is one');
select throws_ok(format($$ insert into rules.union_contract_terms (enterprise_id, term_code, term_category, term_title, term_text, effective_date, applies_to)
  values (%L, 'Own_1', 'CREDIT', 'x', 'x', '2026-06-30', '{CAPTAIN}') $$, test.id('alpha')),
  'CP207', null, 'two versions of a code are not in force at once');
select throws_ok($$ update rules.union_contract_terms set calculation_formula = '{"type": "minimum_duty"}' where term_code = 'Own_1' $$,
  'CP202', null, 'an update is held to the same');
select lives_ok($$ update rules.union_contract_terms set calculation_formula = '{"type": "minimum_duty", "hours": "3:45"}' where term_code = 'Own_1' $$,
  'what nobody was paid by may be edited');

select test.act_as_operator();
insert into rules.ruleset_terms (enterprise_id, ruleset_id, term_no, term_id, kind, level, label, expanded)
select r.enterprise_id, r.id, 99, t.id, 'credit', 'duty', 'x', '{}'
from rules.union_contract_terms as t
join rules.rulesets as r on r.enterprise_id = t.enterprise_id
where t.term_code = 'Own_1'
limit 1;
select test.act_as('alpha_admin');
select throws_ok($$ update rules.union_contract_terms set priority = 5 where term_code = 'Own_1' $$, 'CP208', null, 'what pay was computed by is superseded, not edited');

select * from finish();
rollback;
