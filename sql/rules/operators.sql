-- The operators of JsonLogic over typed SQL. Each takes its compiled operands; what mixes types in a way that no contract can mean is refused.
-- Where JsonLogic looks at truth (if, and, or, !, !!), 0, the empty text and what is missing are false.

-- SQL that is true where JsonLogic calls a value true; false or null where not.
create or replace function rules.truth_sql(p_part rules.sql_expression)
returns text
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  return case p_part.value_type
    when 'text' then format('((%s) <> '''')', p_part.sql)
    when 'int' then format('((%s) <> 0)', p_part.sql)
    when 'numeric' then format('((%s) <> 0)', p_part.sql)
    else format('(%s)', p_part.sql) end;
end
$$;
comment on function rules.truth_sql(rules.sql_expression) is 'SQL condition: an expression is true as JsonLogic has it. Null means false.';

-- Numbers of both kinds are one type here.
create or replace function rules.family_of(p_type text)
returns text
language sql
immutable
parallel safe
return case p_type when 'int' then 'number' when 'numeric' then 'number' else p_type end;
comment on function rules.family_of(text) is 'number, text, bool, or list (what missing gives).';

create or replace function rules.compile_var(p_arguments jsonb, p_level text, p_measures jsonb, p_where text)
returns rules.sql_expression
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_name jsonb := case jsonb_typeof(p_arguments) when 'array' then p_arguments -> 0 else p_arguments end;
  v_value rules.sql_expression;
  v_default rules.sql_expression;
begin
  if coalesce(jsonb_typeof(v_name) <> 'string', true) or jsonb_typeof(p_arguments) = 'array' and jsonb_array_length(p_arguments) > 2 then
    perform rules.refuse('CP204', p_where, 'var takes a name, or a name and a default', 'Write {"var": "block"} or {"var": ["delay_code", ""]}.');
  end if;
  v_value := rules.compile_variable(v_name #>> '{}', p_level, p_measures, p_where);
  if jsonb_typeof(p_arguments) <> 'array' or jsonb_array_length(p_arguments) = 1 then
    return v_value;
  end if;
  v_default := rules.compile_expression(p_arguments -> 1, p_level, p_measures, p_where || '.var[1]');
  if rules.family_of(v_default.value_type) <> rules.family_of(v_value.value_type) then
    perform rules.refuse('CP204', p_where, format('default of %s has another type', v_name #>> '{}'), 'Give a default of the fact''s type.');
  end if;
  return (format('coalesce(%s, %s)', v_value.sql, v_default.sql),
    case when v_default.value_type = 'numeric' then 'numeric' else v_value.value_type end,
    v_value.unit, v_default.nullable, rules.needs_of(array[v_value, v_default]))::rules.sql_expression;
end
$$;
comment on function rules.compile_var(jsonb, text, jsonb, text) is
'SQL of {"var": name} or {"var": [name, default]}; the default stands for what is missing.
p_arguments: of var; p_level, p_measures, p_where: as rules.compile_expression(). Raises CP203, CP204, CP205.';

-- JsonLogic gives a list of what is missing; here only whether it is empty can be asked.
create or replace function rules.compile_missing(p_arguments jsonb, p_level text, p_measures jsonb, p_path text)
returns rules.sql_expression
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_names jsonb := case jsonb_typeof(p_arguments) when 'array' then p_arguments else jsonb_build_array(p_arguments) end;
  v_parts rules.sql_expression[] := array[]::rules.sql_expression[];
begin
  if exists (select from jsonb_array_elements(v_names) as name where jsonb_typeof(name) <> 'string') then
    perform rules.refuse('CP204', p_path, 'missing takes names', 'Write {"missing": ["delay_code"]}.');
  end if;
  for v_no in 0 .. jsonb_array_length(v_names) - 1 loop
    v_parts := v_parts || rules.compile_variable(v_names ->> v_no, p_level, p_measures, format('%s[%s]', p_path, v_no));
  end loop;
  return (
    coalesce((select '(' || string_agg(case part.value_type when 'text' then format('coalesce(%s, '''') = ''''', part.sql) else format('(%s) is null', part.sql) end, ' or ') || ')'
      from unnest(v_parts) as part), 'false'),
    'list', 'none', false, rules.needs_of(v_parts))::rules.sql_expression;
end
$$;
comment on function rules.compile_missing(jsonb, text, jsonb, text) is
'SQL of {"missing": [names]}: whether any is missing (an empty text is too).
p_arguments: names; p_level, p_measures: as rules.compile_expression(); p_path: for messages. Raises CP203, CP204.';

create or replace function rules.compile_equality(p_operator text, p_parts rules.sql_expression[], p_path text)
returns rules.sql_expression
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if rules.family_of(p_parts[1].value_type) <> rules.family_of(p_parts[2].value_type) or p_parts[1].value_type = 'list' then
    perform rules.refuse('CP204', p_path, 'compares values of two types', 'Compare text with text and numbers with numbers.');
  end if;
  return (format('((%s) is %sdistinct from (%s))', p_parts[1].sql, case when p_operator in ('==', '===') then 'not ' else '' end, p_parts[2].sql),
    'bool', 'none', false, rules.needs_of(p_parts))::rules.sql_expression;
end
$$;
comment on function rules.compile_equality(text, rules.sql_expression[], text) is
'SQL of == === != !==; what is missing equals nothing but what is missing.
p_operator: operator; p_parts: two operands; p_path: for messages. Raises CP204.';

create or replace function rules.compile_order(p_operator text, p_parts rules.sql_expression[], p_path text)
returns rules.sql_expression
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_sql text := format('((%s) %s (%s))', p_parts[1].sql, p_operator, p_parts[2].sql);
begin
  if exists (select from unnest(p_parts) as part where rules.family_of(part.value_type) <> 'number') then
    perform rules.refuse('CP204', p_path, format('%s compares numbers', p_operator), 'Texts can be compared with == and in.');
  elsif cardinality(p_parts) = 3 then
    v_sql := format('(%s and ((%s) %s (%s)))', v_sql, p_parts[2].sql, p_operator, p_parts[3].sql);
  end if;
  return (case when (select bool_or(part.nullable) from unnest(p_parts) as part) then format('(%s is true)', v_sql) else v_sql end,
    'bool', 'none', false, rules.needs_of(p_parts))::rules.sql_expression;
end
$$;
comment on function rules.compile_order(text, rules.sql_expression[], text) is
'SQL of < <= > >=, with three operands as between; false where one is missing.
p_operator: operator; p_parts: operands; p_path: for messages. Raises CP204.';

-- Of one type, and and or give the operand that decided, as JsonLogic has it; conditions stay conditions; of mixed types the truth.
create or replace function rules.compile_junction(p_operator text, p_parts rules.sql_expression[])
returns rules.sql_expression
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_families text[] := array(select distinct rules.family_of(part.value_type) from unnest(p_parts) as part);
  v_needs text[] := rules.needs_of(p_parts);
  v_last rules.sql_expression := p_parts[cardinality(p_parts)];
  v_sql text;
begin
  if v_families not in ('{number}', '{text}') then
    return ((select '(' || string_agg(rules.truth_sql(part), format(' %s ', p_operator) order by part_no) || ')'
        from unnest(p_parts) with ordinality as p (sql, value_type, unit, nullable, needs, part_no)
        cross join lateral (select (p.sql, p.value_type, p.unit, p.nullable, p.needs)::rules.sql_expression) as whole (part)),
      'bool', 'none', false, v_needs)::rules.sql_expression;
  end if;
  v_sql := format('(%s)', v_last.sql);
  for v_no in reverse cardinality(p_parts) - 1 .. 1 loop
    v_sql := case
      when p_operator = 'and' then format('(case when %s then %s else (%s) end)', rules.truth_sql(p_parts[v_no]), v_sql, p_parts[v_no].sql)
      else format('coalesce(nullif(%s, %s), %s)', p_parts[v_no].sql, case v_families[1] when 'text' then '''''::text' else '0' end, v_sql) end;
  end loop;
  return (v_sql,
    case when v_families = '{text}' then 'text' when 'numeric' in (select part.value_type from unnest(p_parts) as part) then 'numeric' else 'int' end,
    rules.unit_of(p_parts),
    case p_operator when 'or' then v_last.nullable else (select bool_or(part.nullable) from unnest(p_parts) as part) end,
    v_needs)::rules.sql_expression;
end
$$;
comment on function rules.compile_junction(text, rules.sql_expression[]) is
'SQL of and, or.
p_operator: operator; p_parts: operands.';

create or replace function rules.compile_truth(p_operator text, p_part rules.sql_expression)
returns rules.sql_expression
language sql
immutable
set search_path = pg_catalog, pg_temp
return (format('(%s is %strue)', rules.truth_sql(p_part), case p_operator when '!' then 'not ' else '' end), 'bool', 'none', false, (p_part).needs)::rules.sql_expression;
comment on function rules.compile_truth(text, rules.sql_expression) is 'SQL of ! and !!.
p_operator: operator; p_part: operand.';

create or replace function rules.unit_of(p_parts rules.sql_expression[])
returns text
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select case when bool_or(part.unit = 'money') then 'money' when bool_or(part.unit = 'min') then 'min' else 'none' end
    from unnest(p_parts) as part);
end
$$;
comment on function rules.unit_of(rules.sql_expression[]) is 'Unit of what is added up or chosen among: what has none is read in the unit of the others.';

create or replace function rules.compile_choice(p_parts rules.sql_expression[], p_path text)
returns rules.sql_expression
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_count integer := cardinality(p_parts);
  v_branches rules.sql_expression[] := array(
    select part from unnest(p_parts) with ordinality as p (sql, value_type, unit, nullable, needs, part_no)
    cross join lateral (select (p.sql, p.value_type, p.unit, p.nullable, p.needs)::rules.sql_expression) as whole (part)
    where p.part_no % 2 = 0 or p.part_no = v_count
    order by p.part_no);
  v_sql text := '';
begin
  if v_count = 1 then
    return p_parts[1];
  elsif (select count(distinct rules.family_of(branch.value_type)) from unnest(v_branches) as branch) > 1 or v_branches[1].value_type = 'list' then
    perform rules.refuse('CP204', p_path, 'branches of if have different types', 'Give every branch the same type.');
  end if;
  for v_no in 1 .. v_count / 2 loop
    v_sql := v_sql || format(' when %s then (%s)', rules.truth_sql(p_parts[v_no * 2 - 1]), p_parts[v_no * 2].sql);
  end loop;
  return (format('(case%s%s end)', v_sql, case when v_count % 2 = 1 then format(' else (%s)', p_parts[v_count].sql) else '' end),
    case when rules.family_of(v_branches[1].value_type) <> 'number' then v_branches[1].value_type
      when 'numeric' in (select branch.value_type from unnest(v_branches) as branch) then 'numeric' else 'int' end,
    rules.unit_of(v_branches),
    v_count % 2 = 0 or (select bool_or(part.nullable) from unnest(v_branches) as part),
    rules.needs_of(p_parts))::rules.sql_expression;
end
$$;
comment on function rules.compile_choice(rules.sql_expression[], text) is
'SQL of if: condition, value, condition, value, …, and the value otherwise; without it what fits nowhere is missing.
p_parts: operands; p_path: for messages. Raises CP204.';

create or replace function rules.compile_list(p_parts rules.sql_expression[], p_path text)
returns rules.sql_expression
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (select from unnest(p_parts) as part where rules.family_of(part.value_type) <> rules.family_of(p_parts[1].value_type) or part.value_type in ('bool', 'list')) then
    perform rules.refuse('CP204', p_path, 'the list of in must hold values of the same type', 'List texts for a text, numbers for a number.');
  end if;
  return (case when cardinality(p_parts) = 1 then 'false'
      else format('(((%s) in (%s)) is true)', p_parts[1].sql, (select string_agg(format('(%s)', part.sql), ', ') from unnest(p_parts[2:]) as part)) end,
    'bool', 'none', false, rules.needs_of(p_parts))::rules.sql_expression;
end
$$;
comment on function rules.compile_list(rules.sql_expression[], text) is
'SQL of in over a list; false for what is missing.
p_parts: the value sought, then the members; p_path: for messages. Raises CP204.';

create or replace function rules.compile_substring(p_parts rules.sql_expression[], p_path text)
returns rules.sql_expression
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_parts[1].value_type <> 'text' or p_parts[2].value_type <> 'text' then
    perform rules.refuse('CP204', p_path, 'in takes a list, or looks for a text in a text', 'Write {"in": [{"var": "delay_code"}, ["MX", "OPS"]]}.');
  end if;
  return (format('(position((%s) in (%s)) > 0 is true)', p_parts[1].sql, p_parts[2].sql), 'bool', 'none', false, rules.needs_of(p_parts))::rules.sql_expression;
end
$$;
comment on function rules.compile_substring(rules.sql_expression[], text) is
'SQL of in over a text; false where one is missing.
p_parts: the text sought, and the text; p_path: for messages. Raises CP204.';

create or replace function rules.compile_text(p_parts rules.sql_expression[], p_path text)
returns rules.sql_expression
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (select from unnest(p_parts) as part where part.value_type = 'list') then
    perform rules.refuse('CP204', p_path, 'a list in cat', 'Ask with if or ! whether something is missing.');
  end if;
  return ((select '(' || string_agg(format('coalesce(%s, '''')', case part.value_type
        when 'text' then part.sql when 'numeric' then format('trim_scale(%s)::text', part.sql) else format('(%s)::text', part.sql) end), ' || ') || ')'
      from unnest(p_parts) as part),
    'text', 'none', false, rules.needs_of(p_parts))::rules.sql_expression;
end
$$;
comment on function rules.compile_text(rules.sql_expression[], text) is
'SQL of cat: values written one after the other, what is missing as nothing.
p_parts: operands; p_path: for messages. Raises CP204.';

-- A text constant that is a number counts as one, as JsonLogic has it for +.
create or replace function rules.as_number(p_part rules.sql_expression)
returns rules.sql_expression
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
return case when p_part.value_type = 'text' and p_part.sql ~ '^''-?\d{1,15}(\.\d{1,15})?''::text$'
  then (split_part(p_part.sql, '''', 2), 'numeric', 'none', false, '{}')::rules.sql_expression else p_part end;
comment on function rules.as_number(rules.sql_expression) is 'A text constant such as "3.14" as the number it shows; anything else as it is.';

create or replace function rules.compile_arithmetic(p_operator text, p_parts rules.sql_expression[], p_path text)
returns rules.sql_expression
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_parts rules.sql_expression[] := case p_operator when '+' then array(select rules.as_number(part) from unnest(p_parts) as part) else p_parts end;
  v_first text := v_parts[1].sql;
  v_second text := v_parts[2].sql;
  v_type text;
  v_unit text := rules.unit_of(v_parts);
  v_nullable boolean := (select bool_or(part.nullable) from unnest(v_parts) as part);
  v_listed text := (select string_agg(part.sql, ', ') from unnest(v_parts) as part);
  v_sql text;
begin
  if exists (select from unnest(v_parts) as part where rules.family_of(part.value_type) <> 'number') then
    perform rules.refuse('CP204', p_path, format('%s is arithmetic', p_operator), 'Use numbers, facts that are numbers, and measures.');
  end if;
  v_type := case when exists (select from unnest(v_parts) as part where part.value_type = 'numeric') then 'numeric' else 'int' end;
  case p_operator
    when 'min' then
      v_sql := format('least(%s)', v_listed);
    when 'max' then
      v_sql := format('greatest(%s)', v_listed);
    when '+' then
      v_sql := (select '(' || string_agg('(' || part.sql || ')', ' + ') || ')' from unnest(v_parts) as part);
    when '*' then
      -- A product of whole numbers can leave what an integer holds.
      v_sql := (select '(' || string_agg('(' || part.sql || case when v_type = 'int' and cardinality(v_parts) > 1 then ')::numeric' else ')' end, ' * ') || ')' from unnest(v_parts) as part);
      v_type := case when cardinality(v_parts) > 1 then 'numeric' else v_type end;
    when '-' then
      v_sql := case when cardinality(v_parts) = 1 then format('(-(%s))', v_first) else format('((%s) - (%s))', v_first, v_second) end;
    else
      v_sql := format(case p_operator when '/' then '((%s)::numeric / nullif((%s)::numeric, 0))' else 'mod((%s)::numeric, nullif((%s)::numeric, 0))' end, v_first, v_second);
      v_type := 'numeric';
      v_nullable := v_nullable or v_second !~ '^-?[0-9.]*[1-9][0-9.]*$';
      v_unit := case when p_operator = '/' and v_parts[1].unit = v_parts[2].unit then 'none' else v_unit end;
  end case;
  if p_operator in ('min', 'max') and v_nullable then
    -- least() and greatest() ignore null; what is missing must stay missing to be found.
    v_sql := format('(case when num_nulls(%s) = 0 then %s end)', v_listed, v_sql);
  end if;
  return (v_sql, v_type, v_unit, v_nullable, rules.needs_of(v_parts))::rules.sql_expression;
end
$$;
comment on function rules.compile_arithmetic(text, rules.sql_expression[], text) is
'SQL of + - * / % min max; what is missing makes the result missing, and so does a division by zero.
p_operator: operator; p_parts: operands; p_path: for messages. Raises CP204.';

create or replace function rules.compile_rounding(p_parts rules.sql_expression[], p_mode text, p_path text)
returns rules.sql_expression
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_mode not in ('half_up', 'up', 'down') then
    perform rules.refuse('CP204', p_path, format('unknown rounding mode %s', p_mode), 'half_up, up or down.');
  end if;
  perform rules.require_number(p_parts[1], p_path || '[0]', false);
  perform rules.require_number(p_parts[2], p_path || '[1]', true);
  if cardinality(p_parts[2].needs) > 0 or p_parts[2].sql !~ '^[0-9.]+$' then
    perform rules.refuse('CP204', p_path || '[1]', 'the step of a rounding is a constant', 'Give a number above zero.');
  end if;
  -- A quotient is never exact: six decimals decide ties.
  return (format('(%s(round((%s)::numeric, 6) / (%s)) * (%s))',
      case coalesce(p_mode, 'half_up') when 'half_up' then 'round' when 'up' then 'ceil' else 'floor' end, p_parts[1].sql, p_parts[2].sql, p_parts[2].sql),
    'numeric', p_parts[1].unit, p_parts[1].nullable, p_parts[1].needs)::rules.sql_expression;
end
$$;
comment on function rules.compile_rounding(rules.sql_expression[], text, text) is
'SQL of {"round": [x, step, mode]}, the operator added to JsonLogic.
p_parts: x and step; p_mode: half_up, up or down; p_path: for messages. Raises CP204.';
