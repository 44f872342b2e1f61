-- The form of an example, as a part of the JSON Schema of contracts.

create or replace function rules.example_schema()
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  with forms as (
    select '([01]?[0-9]|2[0-3]):[0-5][0-9]' as clock, '[0-9]{4}-[0-9]{2}-[0-9]{2}[ T]([01][0-9]|2[0-3]):[0-5][0-9]Z?' as dated
  )
  select jsonb_build_object(
    'example_moment', jsonb_build_object('type', 'string', 'title', 'a day and a time, "2026-01-05 08:00"', 'pattern', format('^%s$', f.dated)),
    'example_time', jsonb_build_object('type', 'string', 'title', 'a time, "08:00" or "2026-01-05 08:00"', 'pattern', format('^(%s|%s)$', f.clock, f.dated)),
    'example_span', jsonb_build_object('type', 'string', 'title', 'two times, "07:00-09:30" or "2026-01-05 07:00 to 2026-01-05 09:30"',
      'pattern', format('^(%1$s-%1$s|(%1$s|%2$s) to (%1$s|%2$s))$', f.clock, f.dated)),
    'example_leg', jsonb_build_object('type', 'object', 'additionalProperties', false, 'required', '["leg", "scheduled"]'::jsonb,
      'properties', '{"leg": {"type": "string", "pattern": "^[A-Z]{3}-[A-Z]{3}$", "title": "two airports, JFK-ORD"},
          "scheduled": {"$ref": "#/$defs/example_span"}, "actual": {"$ref": "#/$defs/example_span"}, "delay": {"type": "integer", "minimum": 0},
          "code": {"type": "string"}, "aircraft": {"type": "string"}, "published": {"type": "number"}}'::jsonb
        || jsonb_build_object('as', jsonb_build_object('enum', enum_range(null::crew.assignment_position)::text[]),
          'status', jsonb_build_object('enum', enum_range(null::crew.flight_status)::text[]))),
    'example_duty', jsonb_build_object('type', 'object', 'additionalProperties', false, 'required', '["report"]'::jsonb,
      'properties', '{"report": {"$ref": "#/$defs/example_moment"}, "release": {"$ref": "#/$defs/example_time"}, "published": {"type": "number"},
          "legs": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/example_leg"}}}'::jsonb
        || jsonb_build_object('as', jsonb_build_object('enum', enum_range(null::crew.assignment_position)::text[]),
          'activity', jsonb_build_object('enum', enum_range(null::crew.activity)::text[]))),
    'example_trip', jsonb_build_object('type', 'object', 'additionalProperties', false, 'required', '["duties"]'::jsonb,
      'properties', '{"awarded": {"type": "number"}, "from_reserve": {"type": "boolean"}, "scheduled_start": {"$ref": "#/$defs/example_moment"},
          "scheduled_end": {"$ref": "#/$defs/example_time"}, "duties": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/example_duty"}}}'::jsonb
        || jsonb_build_object('pickup', jsonb_build_object('enum', enum_range(null::crew.pickup)::text[]))),
    'example', jsonb_build_object('type', 'object', 'additionalProperties', false, 'required', '["position", "lines"]'::jsonb,
      'properties', '{"position": {"$ref": "#/$defs/position"}, "base": {"type": "string", "pattern": "^[A-Z]{3}$", "title": "an airport, JFK"},
          "hourly_rate": {"type": "number", "minimum": 0}, "month": {"type": "string", "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])$", "title": "a month, 2026-01"},
          "hired": {"type": "string", "format": "date"}, "unpaid_days": {"type": "integer", "minimum": 0}, "work_days": {"type": "integer", "minimum": 0},
          "award": {"type": "number"}, "total": {"type": "number"},
          "trips": {"type": "array", "items": {"$ref": "#/$defs/example_trip"}}, "duties": {"type": "array", "items": {"$ref": "#/$defs/example_duty"}},
          "lines": {"type": "array", "items": {"type": "object", "additionalProperties": false, "required": ["term", "quantity", "amount"],
            "properties": {"term": {"type": "string"}, "quantity": {"type": "number", "title": "minutes, or a count"}, "amount": {"type": "number"}}}}}'::jsonb
        || jsonb_build_object('line', jsonb_build_object('enum', enum_range(null::crew.line_type)::text[]))))
  from forms as f
$$;
grant execute on function rules.example_schema() to crewpay_admin, crewpay_payroll, crewpay_service;
comment on function rules.example_schema() is
'The definitions with which the JSON Schema of contracts says what an example is: {"example", "example_trip", "example_duty", "example_leg", …}.';
