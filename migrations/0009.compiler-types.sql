-- What the term compiler passes around while it builds SQL: text last, types and needs first.

create type rules.sql_expression as (
  sql text,
  value_type text,
  unit text,
  nullable boolean,
  needs text[]
);
comment on type rules.sql_expression is 'A compiled expression: SQL text, value type (int, numeric, text, bool), unit (min, money, none), whether it can be null, and the facts and measures it reads as level.name.';

create type rules.compiled_term as (
  term_no smallint,
  term_id uuid,
  term_code text,
  kind text,
  level text,
  combine text,
  joins text,
  books text,
  component text,
  label text,
  name text,
  priority integer,
  gate rules.sql_expression,
  quantity rules.sql_expression,
  price rules.sql_expression,
  price_kind text,
  toward_guarantee boolean,
  toward_threshold boolean,
  is_guarantee boolean,
  depth integer,
  expanded jsonb
);
comment on type rules.compiled_term is 'A term ready for assembly: gate (when it applies), quantity and price as compiled expressions, and how its amount combines, books and counts.';
