-- Regulations, contract terms and their interpretations (the Avelo document, tables 8-10), the catalogue that formulas are
-- written in, compiled rulesets, and the rule graph's accepted generation.

create table rules.faa_rules (
  id uuid primary key default gen_random_uuid(),
  rule_code varchar(50) not null,
  rule_category rules.rule_category not null,
  rule_title varchar(255) not null,
  rule_text text not null,
  effective_date date not null,
  expiration_date date,
  applies_to rules.applies_to[] not null,
  recorded_at timestamptz not null default now(),
  superseded_at timestamptz,
  constraint faa_rules_expire_after_effect check (expiration_date > effective_date),
  constraint faa_rules_one_version_at_a_time exclude using gist
    (rule_code with =, daterange(effective_date, expiration_date) with &&) where (superseded_at is null)
);
create unique index faa_rules_rule_code_key on rules.faa_rules (rule_code) where superseded_at is null and expiration_date is null;
create index faa_rules_rule_category_idx on rules.faa_rules (rule_category);
comment on table rules.faa_rules is 'FAA regulations (Part 117, Part 121), one row per version (global).';
comment on column rules.faa_rules.id is 'Row key.';
comment on column rules.faa_rules.rule_code is 'Code, e.g. Part117.23; unique among the current versions.';
comment on column rules.faa_rules.rule_category is 'Subject.';
comment on column rules.faa_rules.rule_title is 'Title for people.';
comment on column rules.faa_rules.rule_text is 'Text of the regulation.';
comment on column rules.faa_rules.effective_date is 'First day in force.';
comment on column rules.faa_rules.expiration_date is 'Day it stops applying (exclusive); null: open.';
comment on column rules.faa_rules.applies_to is 'Whom it covers.';
comment on column rules.faa_rules.recorded_at is 'When this version was entered.';
comment on column rules.faa_rules.superseded_at is 'When it was replaced by a correction; null: on record.';

create table rules.union_contract_terms (
  enterprise_id uuid not null references platform.enterprises (id),
  id uuid not null default gen_random_uuid(),
  term_code varchar(50) not null,
  term_category rules.term_category not null,
  term_title varchar(255) not null,
  term_text text not null,
  calculation_formula jsonb,
  effective_date date not null,
  expiration_date date,
  applies_to crew.crew_position[] not null,
  priority integer not null default 100,
  recorded_at timestamptz not null default now(),
  superseded_at timestamptz,
  constraint union_contract_terms_pkey primary key (enterprise_id, id),
  constraint union_contract_terms_expire_after_effect check (expiration_date > effective_date),
  constraint union_contract_terms_apply_to_someone check (cardinality(applies_to) > 0),
  constraint union_contract_terms_formula_is_an_object check (jsonb_typeof(calculation_formula) = 'object'),
  constraint union_contract_terms_one_version_at_a_time exclude using gist
    (enterprise_id with =, term_code with =, daterange(effective_date, expiration_date) with &&) where (superseded_at is null)
);
create unique index union_contract_terms_term_code_key
  on rules.union_contract_terms (enterprise_id, term_code) where superseded_at is null and expiration_date is null;
create index union_contract_terms_term_category_idx on rules.union_contract_terms (enterprise_id, term_category);
comment on table rules.union_contract_terms is 'Union contract terms: text plus a formula that the engine executes; one row per version.';
comment on column rules.union_contract_terms.enterprise_id is 'Tenant.';
comment on column rules.union_contract_terms.id is 'One version of a term.';
comment on column rules.union_contract_terms.term_code is 'Code of the clause, e.g. ALPA_Section_5.A; unique among the current versions.';
comment on column rules.union_contract_terms.term_category is 'Subject.';
comment on column rules.union_contract_terms.term_title is 'Title for people.';
comment on column rules.union_contract_terms.term_text is 'Contract language.';
comment on column rules.union_contract_terms.calculation_formula is 'Formula as data (kinds and presets of rules.formula_types); null: text only.';
comment on column rules.union_contract_terms.effective_date is 'First day in force.';
comment on column rules.union_contract_terms.expiration_date is 'Day it stops applying (exclusive); null: open.';
comment on column rules.union_contract_terms.applies_to is 'Crew positions it covers.';
comment on column rules.union_contract_terms.priority is 'Lower wins: equal candidates, and conflicts resolved by PRIORITY.';
comment on column rules.union_contract_terms.recorded_at is 'When this version was entered.';
comment on column rules.union_contract_terms.superseded_at is 'When it was replaced by a correction; null: on record.';

create table rules.rule_interpretations (
  enterprise_id uuid not null references platform.enterprises (id),
  id uuid not null default gen_random_uuid(),
  scenario_description text not null,
  applicable_faa_rule_ids uuid[] not null default '{}',
  applicable_contract_term_ids uuid[] not null default '{}',
  interpretation text not null,
  example_calculation jsonb,
  confidence_score integer not null,
  validated_by varchar(100),
  validated_at timestamptz,
  created_at timestamptz not null default now(),
  constraint rule_interpretations_pkey primary key (enterprise_id, id),
  constraint rule_interpretations_confidence_is_a_percentage check (confidence_score between 0 and 100)
);
comment on table rules.rule_interpretations is 'How rules and terms apply to a scenario, with an example that can be executed.';
comment on column rules.rule_interpretations.enterprise_id is 'Tenant.';
comment on column rules.rule_interpretations.id is 'Interpretation.';
comment on column rules.rule_interpretations.scenario_description is 'The situation.';
comment on column rules.rule_interpretations.applicable_faa_rule_ids is 'Regulations involved (mirrors interpretation_faa_rules).';
comment on column rules.rule_interpretations.applicable_contract_term_ids is 'Terms involved (mirrors interpretation_contract_terms).';
comment on column rules.rule_interpretations.interpretation is 'How they apply.';
comment on column rules.rule_interpretations.example_calculation is 'Executable example: facts in, amounts out.';
comment on column rules.rule_interpretations.confidence_score is 'Confidence, 0 to 100.';
comment on column rules.rule_interpretations.validated_by is 'Who validated it; null: not guidance yet.';
comment on column rules.rule_interpretations.validated_at is 'When it was validated.';
comment on column rules.rule_interpretations.created_at is 'When the row was made.';

create table rules.interpretation_faa_rules (
  enterprise_id uuid not null,
  interpretation_id uuid not null,
  faa_rule_id uuid not null references rules.faa_rules (id),
  constraint interpretation_faa_rules_pkey primary key (enterprise_id, interpretation_id, faa_rule_id),
  constraint interpretation_faa_rules_interpretation_fkey foreign key (enterprise_id, interpretation_id)
    references rules.rule_interpretations (enterprise_id, id) on delete cascade
);
create index interpretation_faa_rules_faa_rule_id_idx on rules.interpretation_faa_rules (faa_rule_id);
comment on table rules.interpretation_faa_rules is 'Which regulations an interpretation rests on.';
comment on column rules.interpretation_faa_rules.enterprise_id is 'Tenant.';
comment on column rules.interpretation_faa_rules.interpretation_id is 'Interpretation.';
comment on column rules.interpretation_faa_rules.faa_rule_id is 'Regulation.';

create table rules.interpretation_contract_terms (
  enterprise_id uuid not null,
  interpretation_id uuid not null,
  contract_term_id uuid not null,
  constraint interpretation_contract_terms_pkey primary key (enterprise_id, interpretation_id, contract_term_id),
  constraint interpretation_contract_terms_interpretation_fkey foreign key (enterprise_id, interpretation_id)
    references rules.rule_interpretations (enterprise_id, id) on delete cascade,
  constraint interpretation_contract_terms_term_fkey foreign key (enterprise_id, contract_term_id)
    references rules.union_contract_terms (enterprise_id, id)
);
create index interpretation_contract_terms_term_idx on rules.interpretation_contract_terms (enterprise_id, contract_term_id);
comment on table rules.interpretation_contract_terms is 'Which contract terms an interpretation rests on.';
comment on column rules.interpretation_contract_terms.enterprise_id is 'Tenant.';
comment on column rules.interpretation_contract_terms.interpretation_id is 'Interpretation.';
comment on column rules.interpretation_contract_terms.contract_term_id is 'Contract term.';

create table rules.facts (
  level text not null,
  name text not null,
  value_type text not null,
  unit text not null default 'none',
  nullable boolean not null default false,
  expression text not null,
  sums_upward boolean not null default false,
  description text not null,
  constraint facts_pkey primary key (level, name),
  constraint facts_level_is_known check (level in ('crew', 'leg', 'duty', 'day', 'trip', 'month')),
  constraint facts_value_type_is_known check (value_type in ('int', 'numeric', 'text', 'bool')),
  constraint facts_unit_is_known check (unit in ('min', 'money', 'none')),
  constraint facts_sums_are_of_legs check (not sums_upward or (level = 'leg' and value_type in ('int', 'numeric')))
);
comment on table rules.facts is 'Facts that formulas may read: named, typed values of a leg, duty, day, trip, month or crew member (global).';
comment on column rules.facts.level is 'Level the fact belongs to.';
comment on column rules.facts.name is 'Name used in formulas.';
comment on column rules.facts.value_type is 'int, numeric, text or bool. Times (…_at) are int minutes since 1970 UTC, …_local minutes of the day.';
comment on column rules.facts.unit is 'min (clock or credit minutes), money, or none.';
comment on column rules.facts.nullable is 'Whether it can be missing; a missing quantity is a finding, never a silent zero.';
comment on column rules.facts.expression is 'SQL over the columns of the leg source; at duty level over its legs with %w for the window.';
comment on column rules.facts.sums_upward is 'Whether duty, day, trip and month have it as the sum of their legs.';
comment on column rules.facts.description is 'What it means.';

create table rules.formula_types (
  name text primary key,
  kind text not null,
  template jsonb not null default '{}',
  parameters text[] not null,
  required text[] not null default '{}',
  description text not null,
  constraint formula_types_kind_is_known
    check (kind in ('settings', 'hourly_rate', 'measure', 'credit', 'pay', 'treatment', 'advance'))
);
comment on table rules.formula_types is 'The seven kinds of formula and the presets that expand to them (global).';
comment on column rules.formula_types.name is 'Type as written in a formula.';
comment on column rules.formula_types.kind is 'Kind it expands to; the engine knows only kinds.';
comment on column rules.formula_types.template is 'Defaults of the kind''s parameters.';
comment on column rules.formula_types.parameters is 'Parameters the type accepts; any other is refused.';
comment on column rules.formula_types.required is 'Parameters that must be given.';
comment on column rules.formula_types.description is 'What it does.';

create table rules.rulesets (
  enterprise_id uuid not null references platform.enterprises (id),
  id uuid not null default gen_random_uuid(),
  hash text not null,
  span daterange not null,
  positions crew.crew_position[] not null,
  graph_generation bigint not null,
  settings jsonb not null,
  created_at timestamptz not null default now(),
  constraint rulesets_pkey primary key (enterprise_id, id),
  constraint rulesets_hash_key unique (enterprise_id, hash)
);
comment on table rules.rulesets is 'The terms in force for a group of positions over a span plus the accepted rule-graph generation, identified by a hash.';
comment on column rules.rulesets.enterprise_id is 'Tenant.';
comment on column rules.rulesets.id is 'Ruleset.';
comment on column rules.rulesets.hash is 'SHA-256 over term versions, graph generation, catalogue and span; the same hash computes the same pay.';
comment on column rules.rulesets.span is 'Days for which it was compiled.';
comment on column rules.rulesets.positions is 'Positions it pays.';
comment on column rules.rulesets.graph_generation is 'Accepted generation of the rule graph.';
comment on column rules.rulesets.settings is 'Contract-wide choices in force.';
comment on column rules.rulesets.created_at is 'When it was compiled first.';

create table rules.ruleset_terms (
  enterprise_id uuid not null,
  ruleset_id uuid not null,
  term_no smallint not null,
  term_id uuid not null,
  kind text not null,
  level text not null,
  component pay.component,
  label text not null,
  expanded jsonb not null,
  price jsonb,
  constraint ruleset_terms_pkey primary key (enterprise_id, ruleset_id, term_no),
  constraint ruleset_terms_ruleset_fkey foreign key (enterprise_id, ruleset_id) references rules.rulesets (enterprise_id, id),
  constraint ruleset_terms_term_fkey foreign key (enterprise_id, term_id) references rules.union_contract_terms (enterprise_id, id)
);
create index ruleset_terms_term_id_idx on rules.ruleset_terms (enterprise_id, term_id);
comment on table rules.ruleset_terms is 'Terms of a ruleset as the engine runs them: numbered, expanded to kinds. Lines cite the number.';
comment on column rules.ruleset_terms.enterprise_id is 'Tenant.';
comment on column rules.ruleset_terms.ruleset_id is 'Ruleset.';
comment on column rules.ruleset_terms.term_no is 'Number within the ruleset.';
comment on column rules.ruleset_terms.term_id is 'The contract term version it comes from (a preset may expand to several).';
comment on column rules.ruleset_terms.kind is 'Kind of formula.';
comment on column rules.ruleset_terms.level is 'Level it is evaluated at.';
comment on column rules.ruleset_terms.component is 'Component its lines belong to; null where it pays nothing itself.';
comment on column rules.ruleset_terms.label is 'Short name of what the line pays.';
comment on column rules.ruleset_terms.expanded is 'The formula after expansion of its preset.';
comment on column rules.ruleset_terms.price is 'Constant price, where the price isn''t the hourly rate.';

create table rules.plans (
  enterprise_id uuid not null,
  ruleset_id uuid not null,
  step_no smallint not null,
  name text not null,
  statement text not null,
  constraint plans_pkey primary key (enterprise_id, ruleset_id, step_no),
  constraint plans_ruleset_fkey foreign key (enterprise_id, ruleset_id) references rules.rulesets (enterprise_id, id)
);
comment on table rules.plans is 'Compiled SQL of a ruleset: one SELECT per level, run in order.';
comment on column rules.plans.enterprise_id is 'Tenant.';
comment on column rules.plans.ruleset_id is 'Ruleset.';
comment on column rules.plans.step_no is 'Order.';
comment on column rules.plans.name is 'Stage: the name later stages read it by.';
comment on column rules.plans.statement is 'SELECT of the stage.';

create table graph.generations (
  enterprise_id uuid not null references platform.enterprises (id),
  generation bigint not null,
  accepted_at timestamptz,
  source text not null,
  constraint generations_pkey primary key (enterprise_id, generation),
  constraint generations_source_is_known check (source in ('seed', 'neo4j'))
);
create index generations_accepted_at_idx on graph.generations (enterprise_id, accepted_at);
comment on table graph.generations is 'Generations of the rule graph; the newest accepted one decides pay.';
comment on column graph.generations.enterprise_id is 'Tenant.';
comment on column graph.generations.generation is 'Number; 0 is the seed.';
comment on column graph.generations.accepted_at is 'When it was accepted; null: not in force.';
comment on column graph.generations.source is 'seed (made in Postgres) or neo4j.';

create table graph.scenarios (
  enterprise_id uuid not null,
  generation bigint not null,
  id text not null,
  name text not null,
  level rules.node_level not null,
  pattern jsonb not null,
  description text not null,
  constraint scenarios_pkey primary key (enterprise_id, generation, id),
  constraint scenarios_generation_fkey foreign key (enterprise_id, generation) references graph.generations (enterprise_id, generation)
);
comment on table graph.scenarios is 'Named patterns over facts.';
comment on column graph.scenarios.enterprise_id is 'Tenant.';
comment on column graph.scenarios.generation is 'Generation.';
comment on column graph.scenarios.id is 'Identifier, e.g. delayed_flight_controllable.';
comment on column graph.scenarios.name is 'Name for people.';
comment on column graph.scenarios.level is 'Level whose facts the pattern reads.';
comment on column graph.scenarios.pattern is 'JsonLogic over facts; the scenario matches where it is true.';
comment on column graph.scenarios.description is 'When it matches, in words.';

create table graph.pay_components (
  enterprise_id uuid not null,
  generation bigint not null,
  type pay.component not null,
  name text not null,
  calculation_order smallint not null,
  constraint pay_components_pkey primary key (enterprise_id, generation, type),
  constraint pay_components_generation_fkey foreign key (enterprise_id, generation) references graph.generations (enterprise_id, generation)
);
comment on table graph.pay_components is 'Pay components in the order in which they are computed.';
comment on column graph.pay_components.enterprise_id is 'Tenant.';
comment on column graph.pay_components.generation is 'Generation.';
comment on column graph.pay_components.type is 'Component.';
comment on column graph.pay_components.name is 'Name for people.';
comment on column graph.pay_components.calculation_order is 'Place in the order; DEPENDS_ON edges must agree.';

create table graph.edges (
  enterprise_id uuid not null,
  generation bigint not null,
  kind text not null,
  from_code text not null,
  to_code text not null,
  properties jsonb not null default '{}',
  constraint edges_pkey primary key (enterprise_id, generation, kind, from_code, to_code),
  constraint edges_generation_fkey foreign key (enterprise_id, generation) references graph.generations (enterprise_id, generation),
  constraint edges_kind_is_known check (kind in ('APPLIES_TO', 'CONFLICTS_WITH', 'DEPENDS_ON')),
  constraint edges_conflicts_name_their_method check (
    kind <> 'CONFLICTS_WITH'
    or properties ->> 'resolutionMethod' in ('GREATEST', 'PRIORITY', 'ADDITIVE', 'MOST_SPECIFIC', 'FAA_PREVAILS'))
);
create index edges_to_code_idx on graph.edges (enterprise_id, generation, to_code);
comment on table graph.edges is 'Edges: term APPLIES_TO scenario, term CONFLICTS_WITH term, component DEPENDS_ON component.';
comment on column graph.edges.enterprise_id is 'Tenant.';
comment on column graph.edges.generation is 'Generation.';
comment on column graph.edges.kind is 'APPLIES_TO, CONFLICTS_WITH or DEPENDS_ON.';
comment on column graph.edges.from_code is 'Term code, or component.';
comment on column graph.edges.to_code is 'Scenario id, term code, or component.';
comment on column graph.edges.properties is 'Properties: resolutionMethod and notes of a conflict, priority.';

do $$
declare
  v_table regclass;
begin
  foreach v_table in array array[
    'rules.faa_rules', 'rules.union_contract_terms', 'rules.rule_interpretations', 'rules.interpretation_faa_rules',
    'rules.interpretation_contract_terms', 'rules.facts', 'rules.formula_types', 'rules.rulesets', 'rules.ruleset_terms',
    'rules.plans', 'graph.generations', 'graph.scenarios', 'graph.pay_components', 'graph.edges']::regclass[]
  loop
    execute format('alter table %s enable row level security', v_table);
    execute format('alter table %s force row level security', v_table);
    execute format('create policy owner_all on %s to crewpay_owner using (true) with check (true)', v_table);
  end loop;
end $$;
