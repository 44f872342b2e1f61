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
begin
  if rules.level_rank(v_level) is null or rules.level_rank(v_level) < rules.level_rank(p_level) then
    perform rules.refuse('CP203', p_where, format('%s can''t be read at level %s', p_name, p_level),
      'A formula reads facts and measures of its own level and of the levels above; below only sums, by their plain name.');
  end if;

  if v_name in ('base', 'credit') and v_level in ('leg', 'duty', 'day', 'trip') then
    -- Of a level above only pay reads it (rules.refuse_computed()); a node without a trip has none.
    return (v_level || '_' || v_name, 'numeric', 'min', v_level <> p_level, array[v_level || '.' || v_name])::rules.sql_expression;
  end if;

  select * into v_fact from rules.known_facts where level = v_level and name = v_name;
  if v_level = any (rules.span_levels()) and v_level <> p_level and coalesce(v_fact.expression !~ '^(s\.|@|rules\.attribute)', true)
    and not (p_level = 'period' and v_fact.name = 'projected_credit') then
    perform rules.refuse('CP203', p_where, format('%s can''t be read at level %s', p_name, p_level),
      'What a span has come to is read at its own level: measure it there, or read days, line_type, award_credit and the like.');
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

create or replace function rules.compile_expression(p_logic jsonb, p_level text, p_measures jsonb, p_where text)
returns rules.sql_expression
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_operator text;
  v_argument jsonb;
  v_path text;
  v_part rules.sql_expression;
  v_parts rules.sql_expression[] := array[]::rules.sql_expression[];
  v_needs text[];
  v_nullable boolean;
  v_sql text;
  v_type text;
  v_unit text;
  v_count integer;
begin
  case jsonb_typeof(p_logic)
    when 'number' then
      return (p_logic #>> '{}', case when p_logic #>> '{}' ~ '^-?\d{1,9}$' then 'int' else 'numeric' end, 'none', false, '{}')::rules.sql_expression;
    when 'string' then
      return (rules.text_sql(p_logic #>> '{}'), 'text', 'none', false, '{}')::rules.sql_expression;
    when 'boolean' then
      return (p_logic #>> '{}', 'bool', 'none', false, '{}')::rules.sql_expression;
    when 'object' then
      null;
    else
      perform rules.refuse('CP204', p_where, format('a %s is not an expression', jsonb_typeof(p_logic)), 'Use a constant or one JsonLogic operator.');
  end case;

  if (select count(*) from jsonb_object_keys(p_logic)) <> 1 then
    perform rules.refuse('CP204', p_where, 'an expression has exactly one operator', 'Write {"operator": [arguments]}.');
  end if;
  select key, value into v_operator, v_argument from jsonb_each(p_logic);
  v_path := p_where || '.' || v_operator;

  if v_operator = 'var' then
    if jsonb_typeof(v_argument) = 'string' then
      return rules.compile_variable(v_argument #>> '{}', p_level, p_measures, p_where);
    elsif jsonb_typeof(v_argument) = 'array' and jsonb_array_length(v_argument) = 2 then
      v_part := rules.compile_variable(v_argument ->> 0, p_level, p_measures, p_where);
      v_parts := array[rules.compile_expression(v_argument -> 1, p_level, p_measures, v_path)];
      if (v_parts[1].value_type in ('int', 'numeric')) <> (v_part.value_type in ('int', 'numeric')) then
        perform rules.refuse('CP204', p_where, format('default of %s has another type', v_argument ->> 0), 'Give a default of the fact''s type.');
      end if;
      return (format('coalesce(%s, %s)', v_part.sql, v_parts[1].sql), v_part.value_type, v_part.unit, v_parts[1].nullable, v_part.needs)::rules.sql_expression;
    end if;
    perform rules.refuse('CP204', p_where, 'var takes a name, or a name and a default', 'Write {"var": "block"} or {"var": ["delay_code", ""]}.');
  end if;

  if v_operator = 'in' and jsonb_typeof(v_argument) = 'array' and jsonb_typeof(v_argument -> 1) = 'array' then
    v_part := rules.compile_expression(v_argument -> 0, p_level, p_measures, v_path || '[0]');
    select string_agg(case when v_part.value_type = 'text' then rules.text_sql(element #>> '{}') else (element #>> '{}')::numeric::text end, ', ')
    into v_sql
    from jsonb_array_elements(v_argument -> 1) as element
    where jsonb_typeof(element) = case when v_part.value_type = 'text' then 'string' else 'number' end;
    if (select count(*) from jsonb_array_elements(v_argument -> 1) as element
        where jsonb_typeof(element) <> case when v_part.value_type = 'text' then 'string' else 'number' end) > 0 then
      perform rules.refuse('CP204', v_path, 'the list of in must hold constants of the same type', 'List texts for a text, numbers for a number.');
    end if;
    return (case when v_sql is null then 'false' else format('((%s) in (%s)) is true', v_part.sql, v_sql) end, 'bool', 'none', false, v_part.needs)::rules.sql_expression;
  end if;

  if jsonb_typeof(v_argument) <> 'array' then
    v_argument := jsonb_build_array(v_argument);
  end if;
  for v_argument_no in 0 .. jsonb_array_length(v_argument) - 1 loop
    v_parts := v_parts || rules.compile_expression(v_argument -> v_argument_no, p_level, p_measures, format('%s[%s]', v_path, v_argument_no));
  end loop;
  v_count := cardinality(v_parts);
  v_needs := (select coalesce(array_agg(distinct need), '{}') from unnest(v_parts) as part cross join lateral unnest(part.needs) as need);
  v_nullable := (select coalesce(bool_or(part.nullable), false) from unnest(v_parts) as part);

  case
    when v_operator in ('==', '===', '!=', '!==') and v_count = 2 then
      if (v_parts[1].value_type in ('int', 'numeric')) <> (v_parts[2].value_type in ('int', 'numeric'))
        or (v_parts[1].value_type = 'text') <> (v_parts[2].value_type = 'text') then
        perform rules.refuse('CP204', v_path, 'compares values of two types', 'Compare text with text and numbers with numbers.');
      end if;
      return (format('((%s) is %sdistinct from (%s))', v_parts[1].sql,
          case when v_operator in ('==', '===') then 'not ' else '' end, v_parts[2].sql),
        'bool', 'none', false, v_needs)::rules.sql_expression;

    when v_operator in ('<', '<=', '>', '>=') and v_count in (2, 3) then
      if exists (select from unnest(v_parts) as part where part.value_type not in ('int', 'numeric')) then
        perform rules.refuse('CP204', v_path, format('%s compares numbers', v_operator), 'Texts can be compared with == and in.');
      end if;
      v_sql := format('((%s) %s (%s))', v_parts[1].sql, v_operator, v_parts[2].sql);
      if v_count = 3 then
        v_sql := format('(%s and ((%s) %s (%s)))', v_sql, v_parts[2].sql, v_operator, v_parts[3].sql);
      end if;
      return (case when v_nullable then v_sql || ' is true' else v_sql end, 'bool', 'none', false, v_needs)::rules.sql_expression;

    when v_operator in ('and', 'or') and v_count >= 1 then
      if exists (select from unnest(v_parts) as part where part.value_type <> 'bool') then
        perform rules.refuse('CP204', v_path, format('%s joins conditions', v_operator), 'Use comparisons or boolean facts.');
      end if;
      v_sql := (select '(' || string_agg('(' || part.sql || ')', format(' %s ', v_operator) order by part_no) || ')'
        from unnest(v_parts) with ordinality as parts (sql, value_type, unit, nullable, needs, part_no)
        cross join lateral (select parts.sql) as part);
      return (v_sql, 'bool', 'none', false, v_needs)::rules.sql_expression;

    when v_operator in ('!', '!!') and v_count = 1 then
      v_sql := case v_parts[1].value_type
        when 'bool' then format('(%s) is true', v_parts[1].sql)
        when 'text' then format('(%s) <> ''''', v_parts[1].sql)
        else format('(%s) <> 0', v_parts[1].sql) end;
      return (case when v_operator = '!' then format('((%s) is not true)', v_sql) else format('((%s) is true)', v_sql) end,
        'bool', 'none', false, v_needs)::rules.sql_expression;

    when v_operator = 'if' and v_count >= 2 then
      v_sql := '';
      for v_argument_no in 1 .. v_count loop
        if v_argument_no % 2 = 1 and v_argument_no < v_count then
          if v_parts[v_argument_no].value_type <> 'bool' then
            perform rules.refuse('CP204', v_path, 'if needs a condition', 'Use a comparison or a boolean fact.');
          end if;
          v_sql := v_sql || format(' when (%s)', v_parts[v_argument_no].sql);
        else
          v_part := v_parts[v_argument_no];
          if v_type is not null and (v_type in ('int', 'numeric')) <> (v_part.value_type in ('int', 'numeric')) then
            perform rules.refuse('CP204', v_path, 'branches of if have different types', 'Give every branch the same type.');
          end if;
          v_type := case when v_type is null or v_type = v_part.value_type then v_part.value_type else 'numeric' end;
          v_unit := case when v_unit is null or v_unit = 'none' then v_part.unit else v_unit end;
          v_sql := v_sql || format(case when v_argument_no = v_count and v_argument_no % 2 = 1 then ' else (%s)' else ' then (%s)' end, v_part.sql);
        end if;
      end loop;
      return (format('(case%s end)', v_sql), v_type, v_unit, v_nullable or v_count % 2 = 0, v_needs)::rules.sql_expression;

    when v_operator in ('+', '-', '*', '/', '%', 'min', 'max') and v_count >= 1 then
      if exists (select from unnest(v_parts) as part where part.value_type not in ('int', 'numeric')) then
        perform rules.refuse('CP204', v_path, format('%s is arithmetic', v_operator), 'Use numbers, facts that are numbers, and measures.');
      end if;
      v_type := case when exists (select from unnest(v_parts) as part where part.value_type = 'numeric') then 'numeric' else 'int' end;
      v_unit := case
        when exists (select from unnest(v_parts) as part where part.unit = 'money') then 'money'
        when exists (select from unnest(v_parts) as part where part.unit = 'min') then 'min'
        else 'none' end;
      case v_operator
        when 'min' then
          v_sql := (select 'least(' || string_agg(part.sql, ', ') || ')' from unnest(v_parts) as part);
        when 'max' then
          v_sql := (select 'greatest(' || string_agg(part.sql, ', ') || ')' from unnest(v_parts) as part);
        when '+' then
          v_sql := (select '(' || string_agg('(' || part.sql || ')', ' + ') || ')' from unnest(v_parts) as part);
        when '*' then
          v_sql := (select '(' || string_agg('(' || part.sql || ')', ' * ') || ')' from unnest(v_parts) as part);
        when '-' then
          v_sql := case when v_count = 1 then format('(-(%s))', v_parts[1].sql) else format('((%s) - (%s))', v_parts[1].sql, v_parts[2].sql) end;
        when '/' then
          v_sql := format('((%s)::numeric / nullif((%s)::numeric, 0))', v_parts[1].sql, v_parts[2].sql);
          v_type := 'numeric';
          v_nullable := v_nullable or v_parts[2].sql !~ '^-?[0-9.]*[1-9][0-9.]*$';
          if v_count = 2 and v_parts[1].unit = v_parts[2].unit then
            v_unit := 'none';
          end if;
        else
          v_sql := format('mod((%s)::numeric, nullif((%s)::numeric, 0))', v_parts[1].sql, v_parts[2].sql);
          v_type := 'numeric';
          v_nullable := v_nullable or v_parts[2].sql !~ '^-?[0-9.]*[1-9][0-9.]*$';
      end case;
      if v_operator in ('min', 'max') and v_nullable then
        -- least() and greatest() ignore null; what is missing must stay missing to be found.
        v_sql := (select format('(case when num_nulls(%s) = 0 then %s end)', string_agg(part.sql, ', '), v_sql) from unnest(v_parts) as part);
      end if;
      if v_operator in ('-', '/', '%') and v_count > 2 or v_operator in ('/', '%') and v_count = 1 then
        perform rules.refuse('CP204', v_path, format('%s takes two arguments', v_operator), 'Nest expressions for more.');
      end if;
      return (v_sql, v_type, v_unit, v_nullable, v_needs)::rules.sql_expression;

    when v_operator = 'round' and v_count in (2, 3) then
      if v_argument ->> 2 not in ('half_up', 'up', 'down') then
        perform rules.refuse('CP204', v_path, format('unknown rounding mode %s', v_argument ->> 2), 'half_up, up or down.');
      end if;
      perform rules.require_number(v_parts[1], v_path || '[0]', false);
      perform rules.require_number(v_parts[2], v_path || '[1]', true);
      if cardinality(v_parts[2].needs) > 0 then
        perform rules.refuse('CP204', v_path || '[1]', 'the step of a rounding is a constant', 'Give a number above zero.');
      end if;
      -- A quotient is never exact: six decimals decide ties.
      v_sql := format('(%s(round((%s)::numeric, 6) / (%s)) * (%s))',
        case coalesce(v_argument ->> 2, 'half_up') when 'half_up' then 'round' when 'up' then 'ceil' else 'floor' end,
        v_parts[1].sql, v_parts[2].sql, v_parts[2].sql);
      return (v_sql, 'numeric', v_parts[1].unit, v_parts[1].nullable, v_needs)::rules.sql_expression;

    else
      perform rules.refuse('CP204', p_where, format('unknown operator %s, or a wrong number of arguments', v_operator),
        'Operators: var == === != !== < <= > >= and or ! !! if in + - * / % min max round.');
  end case;
  return null;
end
$$;
comment on function rules.compile_expression(jsonb, text, jsonb, text) is
'JsonLogic to a typed SQL expression.
p_logic: expression; p_level: level whose facts it reads; p_measures: the contract''s measures; p_where: term code, a space, JSON path.
Raises CP203 (unknown name), CP204 (operator or type), CP205 (not offered).';

-- A duration as JsonLogic in minutes: what has no unit is hours, branch by branch of an if.
create or replace function rules.duration_logic(p_value jsonb, p_level text, p_measures jsonb, p_where text)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_text text := p_value #>> '{}';
begin
  case jsonb_typeof(p_value)
    when 'number' then
      return to_jsonb(trim_scale(v_text::numeric * 60));
    when 'string' then
      if v_text !~ '^\d{1,4}:[0-5]\d$' then
        perform rules.refuse('CP204', p_where, format('%s is not a duration', v_text), 'Write hours as 5 or 3.82, or "4:20".');
      end if;
      return to_jsonb(split_part(v_text, ':', 1)::integer * 60 + split_part(v_text, ':', 2)::integer);
    when 'object' then
      if jsonb_typeof(p_value -> 'if') = 'array' then
        return jsonb_build_object('if', (
          select jsonb_agg(
            case
              when branch_no % 2 = 0 or branch_no = jsonb_array_length(p_value -> 'if')
                then rules.duration_logic(branch, p_level, p_measures, format('%s.if[%s]', p_where, branch_no - 1))
              else branch end
            order by branch_no)
          from jsonb_array_elements(p_value -> 'if') with ordinality as branches (branch, branch_no)));
      elsif (rules.compile_expression(p_value, p_level, p_measures, p_where)).unit = 'none' then
        return jsonb_build_object('*', jsonb_build_array(60, p_value));
      end if;
      return p_value;
    else
      perform rules.refuse('CP204', p_where, 'a duration is a number of hours, "h:mm" or an expression', 'Write 5, 3.82 or "4:20".');
  end case;
  return null;
end
$$;
comment on function rules.duration_logic(jsonb, text, jsonb, text) is
'A duration parameter as JsonLogic in minutes.
p_value: hours as a number, "h:mm", or an expression whose branches without unit are hours. Raises CP203, CP204.';

create or replace function rules.compile_duration(p_value jsonb, p_level text, p_measures jsonb, p_where text)
returns rules.sql_expression
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_part rules.sql_expression := rules.compile_expression(
    rules.duration_logic(p_value, p_level, p_measures, p_where), p_level, p_measures, p_where);
begin
  perform rules.require_number(v_part, p_where, false);
  v_part.unit := 'min';
  return v_part;
end
$$;
comment on function rules.compile_duration(jsonb, text, jsonb, text) is
'A duration parameter (hours, beyond, cap, thresholds) as SQL in minutes.
Raises CP203, CP204 as rules.compile_expression.';
