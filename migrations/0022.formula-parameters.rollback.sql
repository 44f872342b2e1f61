drop index rules.rule_interpretations_code_key;
alter table rules.rule_interpretations
  drop column interpretation_code,
  drop column recorded_by,
  drop column recorded_by_person;
drop table rules.formula_parameters;
