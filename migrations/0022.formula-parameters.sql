-- What a parameter of a formula may hold, as JSON Schema; interpretations with a code of their own and with who recorded them.

create table rules.formula_parameters (
  name text not null,
  schema jsonb not null,
  description text not null,
  constraint formula_parameters_pkey primary key (name),
  constraint formula_parameters_name_is_known_form check (name ~ '^([a-z_]+\.)?[a-z_]+$')
);
comment on table rules.formula_parameters is 'What each parameter of a formula may hold (global).';
comment on column rules.formula_parameters.name is 'Parameter; type.parameter where it means something else in one type.';
comment on column rules.formula_parameters.schema is 'JSON Schema of its value; $ref to the definitions of rules.formula_schema().';
comment on column rules.formula_parameters.description is 'What it means.';
alter table rules.formula_parameters enable row level security;
alter table rules.formula_parameters force row level security;
create policy owner_all on rules.formula_parameters to crewpay_owner using (true) with check (true);

alter table rules.rule_interpretations
  add column interpretation_code varchar(50),
  add column recorded_by varchar(100),
  add column recorded_by_person uuid;
create unique index rule_interpretations_code_key on rules.rule_interpretations (enterprise_id, interpretation_code);
comment on column rules.rule_interpretations.interpretation_code is 'Name of the interpretation, by which a contract document knows it; null: it has none.';
comment on column rules.rule_interpretations.recorded_by is 'Login that wrote it as it stands.';
comment on column rules.rule_interpretations.recorded_by_person is 'Person who wrote it as it stands: can''t validate it.';
