-- A value held against a JSON Schema: the keywords that the schemas of contracts use. A test compares it with a reference implementation.
-- Faults are collected as one jsonb array, since a set for every member of a formula would cost more than the rest of a load.

create or replace function rules.has_json_type(p_value jsonb, p_types jsonb)
returns boolean
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_kind text := jsonb_typeof(p_value);
begin
  -- A text that stands alone is contained in itself like a member of a list.
  if p_types ? v_kind then
    return true;
  end if;
  return v_kind = 'number' and p_types ? 'integer' and trunc((p_value #>> '{}')::numeric) = (p_value #>> '{}')::numeric;
end
$$;
comment on function rules.has_json_type(jsonb, jsonb) is 'Whether a value is of a JSON Schema type, or of one of a list of types.';

-- Keys of an object as a list for people.
create or replace function rules.keys_text(p_object jsonb)
returns text
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select string_agg(key, ', ' order by key) from jsonb_object_keys(p_object) as key
$$;
comment on function rules.keys_text(jsonb) is 'Keys of an object as a list for people.';

-- What a schema's own keywords say of a value, its members aside: the problem and what would be right; nulls where all is well.
create or replace function rules.keyword_fault(p_schema jsonb, p_value jsonb, out problem text, out hint text)
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_kind text := jsonb_typeof(p_value);
  v_text text := p_value #>> '{}';
  v_shown text := left(p_value::text, 60);
  v_title text := coalesce(p_schema ->> 'title', p_schema ->> 'description');
  v_count integer;
begin
  if p_schema ? 'type' and not rules.has_json_type(p_value, p_schema -> 'type') then
    problem := format('%s is no %s', v_shown, translate(p_schema ->> 'type', '[]"', ''));
    hint := coalesce('Give ' || v_title || '.', 'Give a value of that type.');
  elsif p_schema ? 'enum' and not p_schema -> 'enum' @> jsonb_build_array(p_value) then
    problem := format('%s is not offered', v_shown);
    hint := 'One of ' || array_to_string(array(select jsonb_array_elements_text(p_schema -> 'enum')), ', ') || '.';
  elsif p_schema ? 'const' and p_schema -> 'const' <> p_value then
    problem := format('%s is not %s', v_shown, p_schema ->> 'const');
    hint := format('Write %s.', p_schema ->> 'const');
  elsif v_kind = 'string' then
    if v_text !~ (p_schema ->> 'pattern') then
      problem := format('%s has not the form that is asked for', v_shown);
      hint := coalesce('Give ' || v_title || '.', format('It matches %s.', p_schema ->> 'pattern'));
    elsif length(v_text) < (p_schema ->> 'minLength')::integer or length(v_text) > (p_schema ->> 'maxLength')::integer then
      problem := format('%s characters', length(v_text));
      hint := format('Give %s to %s characters.', coalesce(p_schema ->> 'minLength', '0'), coalesce(p_schema ->> 'maxLength', 'many'));
    elsif p_schema ->> 'format' = 'date' and not rules.is_date(v_text) then
      problem := format('%s is no day', v_shown);
      hint := 'Write 2026-01-01.';
    end if;
  elsif v_kind = 'number' then
    if v_text::numeric < (p_schema ->> 'minimum')::numeric or v_text::numeric > (p_schema ->> 'maximum')::numeric
      or v_text::numeric <= (p_schema ->> 'exclusiveMinimum')::numeric then
      problem := format('%s is out of range', v_shown);
      hint := coalesce('Give ' || v_title || '.', 'Give a number of its range.');
    end if;
  elsif v_kind = 'array' then
    v_count := jsonb_array_length(p_value);
    if v_count < (p_schema ->> 'minItems')::integer or v_count > (p_schema ->> 'maxItems')::integer then
      problem := format('it has %s members', v_count);
      hint := format('Give %s to %s.', coalesce(p_schema ->> 'minItems', '0'), coalesce(p_schema ->> 'maxItems', 'many'));
    end if;
  elsif v_kind = 'object' and (p_schema ? 'minProperties' or p_schema ? 'maxProperties') then
    select count(*) into v_count from jsonb_object_keys(p_value) as key;
    if v_count < (p_schema ->> 'minProperties')::integer or v_count > (p_schema ->> 'maxProperties')::integer then
      problem := format('it has %s members', v_count);
      hint := format('Give %s to %s of: %s.', coalesce(p_schema ->> 'minProperties', '0'), coalesce(p_schema ->> 'maxProperties', 'many'),
        rules.keys_text(p_schema -> 'properties'));
    end if;
  end if;
end
$$;
comment on function rules.keyword_fault(jsonb, jsonb) is
'What a JSON Schema''s own keywords (type, enum, const, pattern, lengths, format date, ranges, counts) say against a value: the first fault, or nulls.
p_schema: schema; p_value: value.';

create or replace function rules.schema_faults(p_schema jsonb, p_value jsonb, p_root jsonb, p_path text, p_code text)
returns jsonb
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_code text := coalesce(p_schema ->> 'x-code', p_code);
  v_faults jsonb := '[]'::jsonb;
  v_problem text;
  v_hint text;
  v_part jsonb;
  v_member jsonb;
  v_key text;
begin
  -- No contract is that deep, and what is gone into member by member must end before the stack does.
  if length(p_path) - length(translate(p_path, '.[', '')) > 100 then
    return jsonb_build_array(jsonb_build_array(p_path, 'CP204', 'nested more than 100 deep', 'Name parts of it as measures.'));
  elsif jsonb_typeof(p_schema) = 'boolean' then
    return case when p_schema = 'true' then '[]'::jsonb
      else jsonb_build_array(jsonb_build_array(p_path, v_code, 'nothing may stand here', 'Leave it out.')) end;
  end if;
  select f.problem, f.hint into v_problem, v_hint from rules.keyword_fault(p_schema, p_value) as f;
  if v_problem is not null then
    -- A value of the wrong kind says nothing more.
    return jsonb_build_array(jsonb_build_array(p_path, v_code, v_problem, v_hint));
  end if;

  if jsonb_typeof(p_value) = 'object' and p_schema ?| array['properties', 'additionalProperties', 'required'] then
    for v_key, v_member in select key, value from jsonb_each(p_value) loop
      v_part := p_schema -> 'properties' -> v_key;
      if v_part is not null then
        v_faults := v_faults || rules.schema_faults(v_part, v_member, p_root, p_path || '.' || v_key, v_code);
      elsif p_schema -> 'additionalProperties' = 'false' then
        v_faults := v_faults || jsonb_build_array(jsonb_build_array(p_path || '.' || v_key, v_code, format('there is no %s here', v_key),
          format('Known: %s.', rules.keys_text(p_schema -> 'properties'))));
      end if;
    end loop;
    if p_schema ? 'required' then
      for v_key in select needed from jsonb_array_elements_text(p_schema -> 'required') as needed where not p_value ? needed loop
        v_faults := v_faults || jsonb_build_array(jsonb_build_array(p_path || '.' || v_key, v_code, format('%s is missing', v_key), 'Add it.'));
      end loop;
    end if;
  elsif jsonb_typeof(p_value) = 'array' and p_schema ?| array['items', 'prefixItems'] then
    for v_no in 0 .. jsonb_array_length(p_value) - 1 loop
      v_part := coalesce(p_schema -> 'prefixItems' -> v_no, p_schema -> 'items');
      if v_part is not null then
        v_faults := v_faults || rules.schema_faults(v_part, p_value -> v_no, p_root, format('%s[%s]', p_path, v_no), v_code);
      end if;
    end loop;
  end if;
  if p_schema ? '$ref' then
    v_faults := v_faults || rules.schema_faults(p_root #> string_to_array(substr(p_schema ->> '$ref', 3), '/'), p_value, p_root, p_path, v_code);
  end if;
  if p_schema ? 'oneOf' then
    -- Branches differ by type: the one of the value's type says what is wrong.
    select branch into v_part
    from jsonb_array_elements(p_schema -> 'oneOf') as branch
    where rules.has_json_type(p_value, branch -> 'type');
    v_faults := v_faults || case
      when v_part is null then jsonb_build_array(jsonb_build_array(p_path, v_code, format('%s does not belong here', left(p_value::text, 60)),
        format('Give %s.', coalesce(p_schema ->> 'title', 'a value of another type'))))
      -- What the branch means is said by the schema around it.
      else rules.schema_faults(case when v_part ? 'title' or not p_schema ? 'title' then v_part else v_part || jsonb_build_object('title', p_schema -> 'title') end,
        p_value, p_root, p_path, v_code) end;
  end if;
  if p_schema ? 'if' then
    v_part := p_schema -> case when rules.schema_faults(p_schema -> 'if', p_value, p_root, p_path, v_code) = '[]' then 'then' else 'else' end;
    if v_part is not null then
      v_faults := v_faults || rules.schema_faults(v_part, p_value, p_root, p_path, v_code);
    end if;
  end if;
  if p_schema ? 'allOf' then
    for v_part in select part from jsonb_array_elements(p_schema -> 'allOf') as part loop
      v_faults := v_faults || rules.schema_faults(v_part, p_value, p_root, p_path, v_code);
    end loop;
  end if;
  return v_faults;
end
$$;
comment on function rules.schema_faults(jsonb, jsonb, jsonb, text, text) is
'What a JSON Schema says against a value, as [[place, code, problem, what to do], …]. Of oneOf the branch of the value''s type speaks.
p_schema: schema or part of one; p_value: value; p_root: whole schema, for $ref; p_path: place of the value; p_code: code of a refusal unless x-code names one.';

create or replace function rules.schema_errors(p_schema jsonb, p_value jsonb)
returns table (json_path text, code text, problem text, hint text)
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select fault ->> 0, fault ->> 1, fault ->> 2, fault ->> 3
  from jsonb_array_elements(rules.schema_faults(p_schema, p_value, p_schema, '$', 'CP202')) as fault
$$;
comment on function rules.schema_errors(jsonb, jsonb) is
'What a JSON Schema says against a value: place, code (x-code of the schema around it, else CP202), problem, what to do.
p_schema: schema; p_value: value.';
