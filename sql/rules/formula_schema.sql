-- The form of a formula, made from the catalogue as JSON Schema. It is what docs/formula.schema.json publishes and what an insert is
-- held to: one truth. What a schema can't say (facts, units, what is offered) the compiler does.

create or replace function rules.formula_definitions()
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  with operands as (
    select '{
      "any": {"oneOf": [{"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/expression"}}, {"type": ["number", "string", "boolean", "object"], "$ref": "#/$defs/expression"}]},
      "one": {"oneOf": [{"type": "array", "minItems": 1, "maxItems": 1, "items": {"$ref": "#/$defs/expression"}}, {"type": ["number", "string", "boolean", "object"], "$ref": "#/$defs/expression"}]},
      "two": {"type": "array", "minItems": 2, "maxItems": 2, "items": {"$ref": "#/$defs/expression"}},
      "one_or_two": {"oneOf": [{"type": "array", "minItems": 1, "maxItems": 2, "items": {"$ref": "#/$defs/expression"}}, {"type": ["number", "string", "boolean", "object"], "$ref": "#/$defs/expression"}]},
      "two_or_three": {"type": "array", "minItems": 2, "maxItems": 3, "items": {"$ref": "#/$defs/expression"}},
      "name": {"oneOf": [{"type": "string"}, {"type": "array", "minItems": 1, "maxItems": 2, "prefixItems": [{"type": "string"}, {"$ref": "#/$defs/expression"}]}]},
      "in": {"type": "array", "minItems": 2, "maxItems": 2, "prefixItems": [{"$ref": "#/$defs/expression"},
        {"oneOf": [{"type": "array", "items": {"$ref": "#/$defs/expression"}}, {"type": ["number", "string", "boolean", "object"], "$ref": "#/$defs/expression"}]}]},
      "names": {"oneOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}]},
      "round": {"type": "array", "minItems": 2, "maxItems": 3, "prefixItems": [{"$ref": "#/$defs/expression"}, {"type": "number", "exclusiveMinimum": 0}, {"enum": ["half_up", "up", "down"]}]}
    }'::jsonb as forms
  ),
  operators (name, form) as (
    values ('var', 'name'), ('==', 'two'), ('===', 'two'), ('!=', 'two'), ('!==', 'two'),
      ('<', 'two_or_three'), ('<=', 'two_or_three'), ('>', 'two_or_three'), ('>=', 'two_or_three'),
      ('and', 'any'), ('or', 'any'), ('!', 'one'), ('!!', 'one'), ('if', 'any'), ('in', 'in'),
      ('+', 'any'), ('-', 'one_or_two'), ('*', 'any'), ('/', 'two'), ('%', 'two'), ('min', 'any'), ('max', 'any'),
      ('cat', 'any'), ('missing', 'names'), ('round', 'round')
  )
  select jsonb_build_object(
    'expression', '{"x-code": "CP204", "title": "a constant, or an object of one JsonLogic operator",
      "oneOf": [{"type": ["number", "string", "boolean"]}, {"type": "object", "$ref": "#/$defs/operation"}]}'::jsonb,
    'operation', jsonb_build_object('x-code', 'CP204', 'type', 'object', 'minProperties', 1, 'maxProperties', 1, 'additionalProperties', false,
      'properties', (select jsonb_object_agg(o.name, operands.forms -> o.form) from operators as o cross join operands)),
    'number', '{"x-code": "CP204", "title": "a number, or an expression",
      "oneOf": [{"type": "number"}, {"type": "object", "$ref": "#/$defs/operation"}]}'::jsonb,
    'divisor', '{"x-code": "CP204", "title": "a number above zero, or an expression",
      "oneOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "object", "$ref": "#/$defs/operation"}]}'::jsonb,
    'duration', '{"x-code": "CP204", "title": "hours as a number, \"h:mm\", or an expression",
      "oneOf": [{"type": "number"}, {"type": "string", "pattern": "^[0-9]{1,4}:[0-5][0-9]$"}, {"type": "object", "$ref": "#/$defs/operation"}]}'::jsonb,
    'step', '{"x-code": "CP204", "title": "a step above zero, in hours or \"h:mm\"",
      "oneOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": "^[0-9]{1,4}:[0-5][0-9]$"}]}'::jsonb,
    'rounding', '{"x-code": "CP204", "type": "object", "required": ["to"], "additionalProperties": false,
      "properties": {"to": {"$ref": "#/$defs/step"}, "mode": {"enum": ["half_up", "up", "down"]}}}'::jsonb,
    'window', '{"x-code": "CP204", "type": "object", "minProperties": 1, "additionalProperties": false,
      "properties": {"from": {"$ref": "#/$defs/clock_time"}, "to": {"$ref": "#/$defs/clock_time"},
        "dates": {"type": "array", "items": {"type": "string", "format": "date"}}, "clock": {"enum": ["base", "departure", "arrival", "utc"]}}}'::jsonb,
    'clock_time', '{"title": "a time as \"hh:mm\"", "type": "string", "pattern": "^([01][0-9]|2[0-4]):[0-5][0-9]$"}'::jsonb,
    'rate_step', jsonb_build_object('type', 'object', 'required', '["position", "rate"]'::jsonb, 'additionalProperties', false, 'properties',
      '{"position": {"$ref": "#/$defs/position"}, "year": {"type": "integer", "minimum": 1, "maximum": 99}, "from": {"type": "string", "format": "date"},
        "aircraft_type": {"type": "string"}, "rate": {"type": "number", "minimum": 0}}'::jsonb),
    'level', '{"enum": ["leg", "duty", "day", "trip", "period", "month", "quarter", "year"]}'::jsonb,
    'component', jsonb_build_object('enum', array_remove(enum_range(null::pay.component)::text[], 'adjustment')),
    'position', jsonb_build_object('enum', enum_range(null::crew.crew_position)::text[]))
$$;
grant execute on function rules.formula_definitions() to crewpay_admin, crewpay_payroll, crewpay_service;
comment on function rules.formula_definitions() is
'Definitions that the schemas of parameters refer to (#/$defs/…): expressions, durations, windows, rates. x-code is the code of a refusal.';

-- Choices that a preset's template makes by a parameter's value.
create or replace function rules.template_choices(p_template jsonb)
returns table (name text, schema jsonb)
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select node ->> '$case',
    case when bool_and(key in ('true', 'false')) then '{"type": "boolean"}'::jsonb
      else jsonb_build_object('enum', jsonb_agg(distinct key)) end
  from jsonb_path_query(p_template, 'strict $.** ? (exists (@."$case"))') as node
  cross join lateral jsonb_object_keys(node) as key
  where key not in ('$case', 'default')
  group by 1
$$;
grant execute on function rules.template_choices(jsonb) to crewpay_admin, crewpay_payroll, crewpay_service;
comment on function rules.template_choices(jsonb) is
'Parameters by whose value a template chooses, each with the JSON Schema of its choices.
p_template: rules.formula_types.template.';

create or replace function rules.formula_schema(p_type text default null)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  with types as (
    select t.name, jsonb_build_object('title', t.name, 'description', t.description, 'type', 'object',
      'properties', jsonb_build_object('type', jsonb_build_object('const', t.name), 'note', '{"type": "string"}'::jsonb) || (
        select coalesce(jsonb_object_agg(parameter_name, coalesce(
            own.schema,
            choices.schema,
            shared.schema || jsonb_build_object('description', shared.description),
            'true'::jsonb)), '{}')
        from unnest(t.parameters) as parameter_name
        left join rules.formula_parameters as own on own.name = t.name || '.' || parameter_name
        left join rules.template_choices(t.template) as choices on choices.name = parameter_name
        left join rules.formula_parameters as shared on shared.name = parameter_name),
      'required', array['type'] || t.required,
      'additionalProperties', false,
      'x-code', 'CP202') as schema
    from rules.formula_types as t
    where p_type is null or t.name = p_type
  )
  select jsonb_build_object(
    '$schema', 'https://json-schema.org/draft/2020-12/schema',
    'title', 'calculation_formula of a CrewPay contract term',
    'description', 'Made from rules.formula_types and rules.formula_parameters; x-code is the code of a refusal, CP202 where there is none.',
    'type', 'object',
    'x-code', 'CP201',
    'required', '["type"]'::jsonb,
    'properties', jsonb_build_object('type', jsonb_build_object('enum', (select jsonb_agg(known.name order by known.name) from rules.formula_types as known))),
    'allOf', coalesce(jsonb_agg(jsonb_build_object(
      'if', jsonb_build_object('required', '["type"]'::jsonb, 'properties', jsonb_build_object('type', jsonb_build_object('const', t.name))),
      'then', jsonb_build_object('$ref', '#/$defs/type_' || t.name)) order by t.name), '[]'),
    '$defs', rules.formula_definitions() || coalesce(jsonb_object_agg('type_' || t.name, t.schema) filter (where t.name is not null), '{}'))
  from types as t
$$;
grant execute on function rules.formula_schema(text) to crewpay_admin, crewpay_payroll, crewpay_service;
comment on function rules.formula_schema(text) is
'JSON Schema (draft 2020-12) of formulas, made from the catalogue; published as docs/formula.schema.json and enforced on contract terms.
p_type: only this type, null for all.';

-- The whole document: terms with what stands around their formulas, and the rows of the rule graph.
create or replace function rules.contract_schema()
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  with parts as (
    select jsonb_build_object(
      'interpretation', '{"type": "object", "additionalProperties": false, "required": ["code", "scenario", "interpretation"],
        "properties": {"code": {"type": "string", "minLength": 1, "maxLength": 50}, "scenario": {"type": "string"}, "interpretation": {"type": "string"},
          "confidence": {"type": "integer", "minimum": 0, "maximum": 100}, "terms": {"type": "array", "items": {"type": "string"}},
          "faa_rules": {"type": "array", "items": {"type": "string"}}, "example": {"$ref": "#/$defs/example"}}}'::jsonb,
      'term', jsonb_build_object('type', 'object', 'additionalProperties', false, 'x-code', 'CP202',
        'properties', '{"code": {"type": "string", "minLength": 1, "maxLength": 50}, "title": {"type": "string", "minLength": 1, "maxLength": 255},
            "text": {"type": "string"}, "effective": {"type": "string", "format": "date"}, "expires": {"type": "string", "format": "date"},
            "priority": {"type": "integer"}, "note": {"type": "string"}, "formula": {"type": "object", "$ref": "#/$defs/formula"}}'::jsonb
          || jsonb_build_object('category', jsonb_build_object('enum', enum_range(null::rules.term_category)::text[]),
            'applies_to', '{"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/position"}}'::jsonb),
        -- Code and expires alone end what is in force.
        'if', '{"required": ["code", "expires"], "additionalProperties": false, "properties": {"code": true, "expires": true, "note": true}}'::jsonb,
        'else', '{"required": ["code", "category", "title", "text", "applies_to", "effective"]}'::jsonb),
      'scenario', jsonb_build_object('type', 'object', 'additionalProperties', false, 'required', '["id", "name", "level", "pattern"]'::jsonb,
        'properties', '{"id": {"type": "string", "minLength": 1}, "name": {"type": "string"}, "pattern": {"$ref": "#/$defs/expression"}, "description": {"type": "string"}}'::jsonb
          || jsonb_build_object('level', jsonb_build_object('enum', enum_range(null::rules.node_level)::text[]))),
      'pay_component', jsonb_build_object('type', 'object', 'additionalProperties', false, 'required', '["type", "name", "order"]'::jsonb,
        'properties', '{"name": {"type": "string"}, "order": {"type": "integer", "minimum": 0, "maximum": 999}}'::jsonb
          || jsonb_build_object('type', jsonb_build_object('enum', enum_range(null::pay.component)::text[]))),
      'edge', '{"type": "object", "additionalProperties": false, "required": ["kind", "from", "to"],
        "properties": {"kind": {"enum": ["APPLIES_TO", "CONFLICTS_WITH", "DEPENDS_ON"]}, "from": {"type": "string"}, "to": {"type": "string"}, "properties": {"type": "object"}},
        "if": {"required": ["kind"], "properties": {"kind": {"const": "CONFLICTS_WITH"}}},
        "then": {"required": ["properties"], "x-code": "CP206", "properties": {"properties": {"required": ["resolutionMethod"],
          "properties": {"resolutionMethod": {"enum": ["GREATEST", "PRIORITY", "ADDITIVE", "MOST_SPECIFIC", "FAA_PREVAILS"]}}}}}}'::jsonb) as defs
  )
  select '{"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "contract of CrewPay", "type": "object", "minProperties": 1, "additionalProperties": false}'::jsonb
    || jsonb_build_object(
      'description', 'A contract document, as crewpay contract load takes it; x-code is the code of a refusal, CP202 where there is none.',
      'properties', '{"terms": {"type": "array", "items": {"$ref": "#/$defs/term"}}, "scenarios": {"type": "array", "items": {"$ref": "#/$defs/scenario"}},
        "components": {"type": "array", "items": {"$ref": "#/$defs/pay_component"}}, "edges": {"type": "array", "items": {"$ref": "#/$defs/edge"}},
        "interpretations": {"type": "array", "items": {"$ref": "#/$defs/interpretation"}}}'::jsonb,
      '$defs', p.defs || rules.example_schema() || (f.schema -> '$defs') || jsonb_build_object('formula', f.schema - '$defs' - '$schema'))
  from parts as p
  cross join lateral (select rules.formula_schema()) as f (schema)
$$;
grant execute on function rules.contract_schema() to crewpay_admin, crewpay_payroll, crewpay_service;
comment on function rules.contract_schema() is
'JSON Schema (draft 2020-12) of contract documents; published as docs/contract.schema.json and enforced by rules.load_contract().';
