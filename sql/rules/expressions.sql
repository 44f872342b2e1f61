-- JsonLogic to SQL. Only catalogued facts, measures and operators get through; constants are quoted; types and units are checked.
-- Comparisons with null are false, == and != are null-safe (a leg without delay code must not lose its pay silently).

create or replace function rules.level_rank(p_level text)
returns integer
language sql
immutable
parallel safe
return array_position(array['leg', 'duty', 'day', 'trip', 'period', 'month', 'quarter', 'year', 'crew'], p_level);
comment on function rules.level_rank(text) is 'Place of a level in the order leg, duty, day, trip, period, month, quarter, year, crew.';

-- A fault in a formula: code, term and JSON path in one form.
create or replace function rules.refuse(p_code text, p_where text, p_message text, p_hint text)
returns void
language plpgsql
stable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using
    errcode = p_code,
    message = format('term %s: %s', split_part(p_where, ' ', 1), p_message),
    detail = 'at ' || coalesce(nullif(split_part(p_where, ' ', 2), ''), '$'),
    hint = p_hint;
end
$$;
comment on function rules.refuse(text, text, text, text) is
'Raises the error of a formula.
p_code: CPnnn; p_where: term code, a space, JSON path; p_message, p_hint: what is wrong, what to do.';

-- Resolves a name as it is read at a level: own level first, then by qualifier; lower levels only as sums.
create or replace function rules.compile_variable(p_name text, p_level text, p_measures jsonb, p_where text)
returns rules.sql_expression
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_level text := case when position('.' in p_name) > 0 then split_part(p_name, '.', 1) else p_level end;
  v_name text := case when position('.' in p_name) > 0 then split_part(p_name, '.', 2) else p_name end;
  v_fact rules.known_facts;
  v_measure jsonb := p_measures -> v_name;
  v_type text;
  v_unit text;
  v_nullable boolean;
  v_home text;
  v_to_date boolean;
begin
  if v_name = 'credit' and v_level = any (rules.span_levels()) then
    v_name := 'paid_credit';
  end if;
  if rules.level_rank(v_level) is null or rules.level_rank(v_level) < rules.level_rank(p_level) then
    perform rules.refuse('CP203', p_where, format('%s can''t be read at level %s', p_name, p_level),
      'A formula reads facts and measures of its own level and of the levels above; below only sums, by their plain name.');
  end if;

  if v_name in ('base', 'credit') and v_level in ('leg', 'duty', 'day', 'trip') then
    -- Of a level above only pay reads it (rules.refuse_computed()); a node without a trip has none.
    return (v_level || '_' || v_name, 'numeric', 'min', v_level <> p_level, array[v_level || '.' || v_name])::rules.sql_expression;
  end if;

  select * into v_fact from rules.known_facts where level = v_level and name = v_name;
  v_to_date := v_level = any (rules.span_levels()) and v_level <> p_level and coalesce(v_fact.expression !~ '^(s\.|@|rules\.attribute)', true)
    and not (p_level = 'period' and v_fact.name = 'projected_credit');
  if v_to_date and (v_level not in ('period', 'month') or p_level = any (rules.span_levels())) then
    perform rules.refuse('CP203', p_where, format('%s can''t be read at level %s', p_name, p_level),
      'What a span has come to is read at its own level, that of the period and the month also by pay of legs, duties, days and trips.');
  end if;
  if v_measure -> 'rolling' = 'true' and v_measure ->> 'level' <> all (array[v_level, p_level]) or
    v_measure -> 'rolling' = 'true' and v_level <> p_level then
    perform rules.refuse('CP205', p_where, format('the rolling measure %s is read at level %s', p_name, p_level),
      format('It has a value at each %s, read there.', v_measure ->> 'level'));
  end if;
  if v_fact.name is not null then
    v_type := v_fact.value_type;
    v_unit := v_fact.unit;
    v_nullable := v_fact.nullable;
  else
    v_home := rules.home_level(v_level, v_name, p_measures);
    if v_home is null then
      perform rules.refuse('CP203', p_where, format('unknown name %s', p_name),
        'Names are those of rules.facts and of the contract''s own measures.');
    end if;
    select * into v_fact from rules.known_facts where level = v_home and name = v_name;
    v_type := coalesce(v_measure ->> 'type', v_fact.value_type);
    v_unit := coalesce(v_measure ->> 'unit', v_fact.unit);
    -- A leg or duty without a trip has no sum of one.
    v_nullable := v_level = 'trip' and p_level <> 'trip';
  end if;
  if v_level = 'trip' and p_level <> 'trip' and v_home = 'day' then
    perform rules.refuse('CP205', p_where, format('%s is made after the level %s', p_name, p_level), 'What days add up is read at the trip.');
  end if;
  if v_to_date then
    -- Once all credit is made: only pay reads it (rules.refuse_reads()).
    return ('to_date_' || v_level || '_' || v_name, v_type, v_unit, v_nullable, array['to_date.' || v_level || '_' || v_name])::rules.sql_expression;
  end if;
  return (v_level || '_' || v_name, v_type, v_unit, v_nullable, array[v_level || '.' || v_name])::rules.sql_expression;
end
$$;
comment on function rules.compile_variable(text, text, jsonb, text) is
'SQL for a name in a formula.
p_name: name or level.name; p_level: level of the term; p_measures: {"name": {"level","type","unit"}}; p_where: for messages.
Raises CP203 (unknown name), CP205 (not offered).';

-- A text constant. The tokens of a plan stand in @…@, so an @ of a constant is never written as such.
create or replace function rules.text_sql(p_text text)
returns text
language sql
immutable
parallel safe
return case
  when position('@' in p_text) = 0 then quote_literal(p_text) || '::text'
  else (select '(' || string_agg(quote_literal(piece) || '::text', ' || chr(64) || ' order by piece_no) || ')'
    from unnest(string_to_array(p_text, '@')) with ordinality as pieces (piece, piece_no))
end;
comment on function rules.text_sql(text) is 'SQL for a text constant.';

-- Arithmetic needs numbers; what doesn't say so is found when the contract is loaded, not when people are paid.
create or replace function rules.require_number(p_expression rules.sql_expression, p_where text, p_positive boolean)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_expression.value_type not in ('int', 'numeric') then
    perform rules.refuse('CP204', p_where, format('a %s where a number is needed', p_expression.value_type), 'Give a number, or an expression that is one.');
  elsif p_positive and p_expression.needs = '{}' and p_expression.sql ~ '^-|^[0.]*$' then
    perform rules.refuse('CP204', p_where, 'it must be more than zero', 'Give a number above zero.');
  end if;
end
$$;
comment on function rules.require_number(rules.sql_expression, text, boolean) is
'Refuses an expression that is no number, or a constant that is not above zero.
p_expression: compiled; p_where: for messages; p_positive: whether zero is refused too. Raises CP204.';

-- Facts and measures that expressions read together.
create or replace function rules.needs_of(p_parts rules.sql_expression[])
returns text[]
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select coalesce(array_agg(distinct need), '{}')
    from unnest(p_parts) as part
    cross join lateral unnest(part.needs) as need);
end
$$;
comment on function rules.needs_of(rules.sql_expression[]) is 'What expressions read, as level.name.';

-- A constant. What is longer than any contract's number is a slip of the hand.
create or replace function rules.compile_constant(p_value jsonb, p_where text)
returns rules.sql_expression
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_text text := p_value #>> '{}';
begin
  case jsonb_typeof(p_value)
    when 'number' then
      if abs(v_text::numeric) >= 1e15 or scale(v_text::numeric) > 15 then
        perform rules.refuse('CP204', p_where, format('%s is no number of a contract', left(v_text, 40)), 'Numbers have at most 15 digits before the point and 15 after it.');
      end if;
      -- Whole numbers that can be added up without leaving an integer.
      return (v_text, case when v_text ~ '^-?\d{1,6}$' then 'int' else 'numeric' end, 'none', false, '{}')::rules.sql_expression;
    when 'string' then
      return (rules.text_sql(v_text), 'text', 'none', false, '{}')::rules.sql_expression;
    when 'boolean' then
      return (v_text, 'bool', 'none', false, '{}')::rules.sql_expression;
    else
      perform rules.refuse('CP204', p_where, format('a %s is not an expression', jsonb_typeof(p_value)), 'Use a constant or one JsonLogic operator.');
  end case;
  return null;
end
$$;
comment on function rules.compile_constant(jsonb, text) is 'SQL of a constant, quoted.
p_value: number, text or true/false; p_where: for messages. Raises CP204.';

create or replace function rules.compile_expression(p_logic jsonb, p_level text, p_measures jsonb, p_where text)
returns rules.sql_expression
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_operator text;
  v_arguments jsonb;
  v_path text;
  v_parts rules.sql_expression[] := array[]::rules.sql_expression[];
  v_result rules.sql_expression;
begin
  if jsonb_typeof(p_logic) <> 'object' then
    return rules.compile_constant(p_logic, p_where);
  elsif (select count(*) from jsonb_object_keys(p_logic)) <> 1 then
    perform rules.refuse('CP204', p_where, 'an expression has exactly one operator', 'Write {"operator": [arguments]}.');
  end if;
  select key, value into v_operator, v_arguments from jsonb_each(p_logic);
  v_path := p_where || '.' || v_operator;

  case
    when v_operator = 'var' then
      return rules.compile_var(v_arguments, p_level, p_measures, p_where);
    when v_operator = 'missing' then
      return rules.compile_missing(v_arguments, p_level, p_measures, v_path);
    when v_operator = 'in' and jsonb_typeof(v_arguments -> 1) = 'array' then
      -- A list stands only here: the value sought comes first, then its members.
      v_arguments := jsonb_build_array(v_arguments -> 0) || (v_arguments -> 1);
      v_operator := 'in a list';
    when jsonb_typeof(v_arguments) <> 'array' then
      v_arguments := jsonb_build_array(v_arguments);
    else
      null;
  end case;
  for v_no in 0 .. jsonb_array_length(v_arguments) - 1 loop
    v_parts := v_parts || rules.compile_expression(v_arguments -> v_no, p_level, p_measures, format('%s[%s]', v_path, v_no));
  end loop;

  v_result := case
    when v_operator in ('==', '===', '!=', '!==') and cardinality(v_parts) = 2 then rules.compile_equality(v_operator, v_parts, v_path)
    when v_operator in ('<', '<=', '>', '>=') and cardinality(v_parts) in (2, 3) then rules.compile_order(v_operator, v_parts, v_path)
    when v_operator in ('and', 'or') and cardinality(v_parts) >= 1 then rules.compile_junction(v_operator, v_parts)
    when v_operator in ('!', '!!') and cardinality(v_parts) = 1 then rules.compile_truth(v_operator, v_parts[1])
    when v_operator = 'if' and cardinality(v_parts) >= 1 then rules.compile_choice(v_parts, v_path)
    when v_operator = 'in a list' and cardinality(v_parts) >= 1 then rules.compile_list(v_parts, v_path)
    when v_operator = 'in' and cardinality(v_parts) = 2 then rules.compile_substring(v_parts, v_path)
    when v_operator = 'cat' and cardinality(v_parts) >= 1 then rules.compile_text(v_parts, v_path)
    when v_operator in ('+', '*', 'min', 'max') and cardinality(v_parts) >= 1
      or v_operator = '-' and cardinality(v_parts) in (1, 2)
      or v_operator in ('/', '%') and cardinality(v_parts) = 2 then rules.compile_arithmetic(v_operator, v_parts, v_path)
    when v_operator = 'round' and cardinality(v_parts) in (2, 3) then rules.compile_rounding(v_parts, v_arguments ->> 2, v_path)
  end;
  if v_result is null then
    perform rules.refuse('CP204', p_where, format('unknown operator %s, or a wrong number of arguments', v_operator),
      'Operators: var == === != !== < <= > >= and or ! !! if in + - * / % min max cat missing round.');
  elsif length(v_result.sql) > 100000 then
    perform rules.refuse('CP204', p_where, 'the expression is too large', 'Name parts of it as measures.');
  end if;
  return v_result;
end
$$;
comment on function rules.compile_expression(jsonb, text, jsonb, text) is
'JsonLogic to a typed SQL expression.
p_logic: expression; p_level: level whose facts it reads; p_measures: the contract''s measures; p_where: term code, a space, JSON path.
Raises CP203 (unknown name), CP204 (operator or type), CP205 (not offered).';
