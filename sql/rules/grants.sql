-- Table grants of schema rules. A term's recorded time is the database's own: it says what was known when.

grant select on rules.faa_rules, rules.facts, rules.formula_types, rules.formula_parameters
  to crewpay_definer, crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi, crewpay_sync;

grant select on rules.union_contract_terms, rules.rule_interpretations,
                rules.interpretation_faa_rules, rules.interpretation_contract_terms
  to crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi, crewpay_sync;
grant select, insert, update, delete on rules.union_contract_terms, rules.rule_interpretations,
                                        rules.interpretation_faa_rules, rules.interpretation_contract_terms
  to crewpay_definer;
grant insert (enterprise_id, id, term_code, term_category, term_title, term_text, calculation_formula,
              effective_date, expiration_date, applies_to, priority)
  on rules.union_contract_terms to crewpay_admin;
grant update (term_title, term_text, term_category, calculation_formula, effective_date, expiration_date, applies_to, priority, superseded_at)
  on rules.union_contract_terms to crewpay_admin;
grant insert (enterprise_id, id, interpretation_code, scenario_description, applicable_faa_rule_ids, applicable_contract_term_ids,
              interpretation, example_calculation, confidence_score)
  on rules.rule_interpretations to crewpay_admin;
grant update (interpretation_code, scenario_description, applicable_faa_rule_ids, applicable_contract_term_ids,
              interpretation, example_calculation, confidence_score)
  on rules.rule_interpretations to crewpay_admin;

grant select on rules.declared_facts to crewpay_admin, crewpay_payroll, crewpay_service;
grant select, insert, update, delete on rules.declared_facts to crewpay_definer;

grant select, insert, update, delete on rules.rulesets, rules.ruleset_terms, rules.plans to crewpay_definer;
grant select on rules.rulesets, rules.ruleset_terms
  to crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi, crewpay_sync;
grant select on rules.plans to crewpay_admin, crewpay_payroll, crewpay_service;
