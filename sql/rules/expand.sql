-- From a formula as written in a contract to terms of the seven kinds.

-- Factor of a leg's position as JsonLogic: deadhead counts whole and reserve nothing unless the contract says otherwise.
-- Positions that count as operating does need no branch.
create or replace function rules.position_factor(p_factors jsonb)
returns jsonb
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select case when count(branch) = 0 then merged.factors -> 'OPERATING'
      else jsonb_build_object('if', jsonb_agg(branch order by branch_no) filter (where branch is not null) || (merged.factors -> 'OPERATING')) end
    from (select '{"OPERATING": 1, "DEADHEAD": 1, "RESERVE": 0, "STANDBY": 0}'::jsonb || coalesce(p_factors, '{}')) as merged (factors)
    left join lateral unnest(array['DEADHEAD', 'RESERVE', 'STANDBY']) with ordinality as positions (position_name, position_no)
      on merged.factors -> position_name <> merged.factors -> 'OPERATING'
    left join lateral (values
      (position_no * 2, jsonb_build_object('==', jsonb_build_array(jsonb_build_object('var', 'leg.position'), position_name))),
      (position_no * 2 + 1, merged.factors -> position_name)) as branches (branch_no, branch) on position_name is not null
    group by merged.factors);
end
$$;
comment on function rules.position_factor(jsonb) is
'JsonLogic expression for the factor of a leg''s position.
p_factors: {"DEADHEAD": 0.5, …}; defaults OPERATING 1, DEADHEAD 1, RESERVE 0, STANDBY 0.';

-- Fills a preset's template with the parameters of a formula; SQL null where the piece disappears.
create or replace function rules.fill_template(p_template jsonb, p_parameters jsonb)
returns jsonb
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_value jsonb;
begin
  if strpos(p_template::text, '"$') = 0 then
    return p_template;
  end if;
  case jsonb_typeof(p_template)
    when 'array' then
      return (
        select coalesce(jsonb_agg(filled order by position_no) filter (where filled is not null), '[]')
        from jsonb_array_elements(p_template) with ordinality as elements (element, position_no)
        cross join lateral (select rules.fill_template(element, p_parameters)) as pieces (filled));
    when 'object' then
      if p_template ? '$' then
        v_value := coalesce(p_parameters #> string_to_array(p_template ->> '$', '.'), p_template -> 'default');
        return case when jsonb_typeof(v_value) = 'object' and p_template ? 'without' then v_value - (p_template ->> 'without') else v_value end;
      elsif p_template ? '$case' then
        return rules.fill_template(
          p_template -> coalesce(p_parameters ->> (p_template ->> '$case'), p_template ->> 'default'), p_parameters);
      elsif p_template ? '$given' then
        return rules.fill_template(
          p_template -> case when p_parameters ? (p_template ->> '$given') then 'then' else 'else' end, p_parameters);
      elsif p_template ? '$factors' then
        return rules.position_factor(p_parameters -> (p_template ->> '$factors'));
      end if;
      return (
        select coalesce(jsonb_object_agg(key, filled) filter (where filled is not null), '{}')
        from jsonb_each(p_template)
        cross join lateral (select rules.fill_template(value, p_parameters)) as pieces (filled));
    else
      return p_template;
  end case;
end
$$;
comment on function rules.fill_template(jsonb, jsonb) is
'A preset''s template with the parameters of a formula filled in.
p_template: see rules.formula_types.template; p_parameters: the formula. Null where a piece disappears.';

-- A formula becomes one or more terms of the seven kinds. Parameters that the preset doesn't place pass through.
create or replace function rules.expand_formula(p_term_code text, p_formula jsonb)
returns setof jsonb
language plpgsql
stable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_type rules.formula_types;
  v_bad text;
  v_filled jsonb;
  v_own_when jsonb;
  v_pass jsonb;
begin
  select * into v_type from rules.formula_types where name = p_formula ->> 'type';
  if not found then
    raise exception using
      errcode = 'CP201',
      message = format('term %s: unknown formula type %s', p_term_code, coalesce(p_formula ->> 'type', '(none)')),
      detail = 'at $.type',
      hint = 'Known types: ' || (select string_agg(name, ', ' order by name) from rules.formula_types) || '.';
  end if;

  select key into v_bad
  from jsonb_object_keys(p_formula) as key
  where key <> all (v_type.parameters || array['type', 'note'])
  order by key
  limit 1;
  if found then
    raise exception using
      errcode = 'CP202',
      message = format('term %s: %s has no parameter %s', p_term_code, v_type.name, v_bad),
      detail = format('at $.%s', v_bad),
      hint = 'Parameters: ' || array_to_string(v_type.parameters, ', ') || '.';
  end if;

  select parameter into v_bad
  from unnest(v_type.required) as parameter
  where not p_formula ? parameter
  limit 1;
  if found then
    raise exception using
      errcode = 'CP202',
      message = format('term %s: %s needs the parameter %s', p_term_code, v_type.name, v_bad),
      detail = format('at $.%s', v_bad),
      hint = 'Add it to calculation_formula.';
  end if;

  -- A choice that the preset doesn't know would leave a piece out and pay something else.
  select c.name into v_bad
  from (
    select node ->> '$case' as name, array_agg(key) filter (where key not in ('$case', 'default')) as choices
    from jsonb_path_query(v_type.template, 'strict $.** ? (exists (@."$case"))') as node
    cross join lateral jsonb_object_keys(node) as key
    group by 1
  ) as c
  where p_formula ? c.name
    and jsonb_typeof(p_formula -> c.name) <> 'boolean'
    and p_formula ->> c.name <> all (c.choices)
  limit 1;
  if found then
    raise exception using
      errcode = 'CP202',
      message = format('term %s: %s of %s has a value that isn''t offered', p_term_code, v_bad, v_type.name),
      detail = format('at $.%s', v_bad),
      hint = 'See rules.formula_types for what the preset offers.';
  end if;

  if v_type.template = '{}' then
    return next p_formula - 'type' - 'note' || jsonb_build_object('kind', v_type.kind);
    return;
  end if;

  -- Names of helper measures carry the term's code, so that two terms of one preset don't meet.
  v_filled := rules.fill_template(replace(v_type.template::text, '$self_', rules.helper_name('of', p_term_code) || '_')::jsonb, p_formula);
  if v_filled is null or v_filled = '{}' then
    raise exception using
      errcode = 'CP202',
      message = format('term %s: a parameter of %s has a value that isn''t offered', p_term_code, v_type.name),
      detail = 'at $',
      hint = 'See rules.formula_types for what the preset offers.';
  end if;
  v_own_when := p_formula -> 'when';

  for v_filled in
    select element
    from jsonb_array_elements(case jsonb_typeof(v_filled) when 'array' then v_filled else jsonb_build_array(v_filled) end) as element
  loop
    -- What the template placed under another name must not come through a second time.
    select coalesce(jsonb_object_agg(key, value), '{}') into v_pass
    from jsonb_each(p_formula)
    where key <> all (array['type', 'note', 'when'])
      and not v_filled ? key
      and position(format('"$": "%s"', key) in v_type.template::text) = 0
      and position(format('"$case": "%s"', key) in v_type.template::text) = 0
      and position(format('"$factors": "%s"', key) in v_type.template::text) = 0
      and position(format('"$given": "%s"', key) in v_type.template::text) = 0;
    v_filled := v_pass || v_filled;
    if v_filled -> 'kind' = '"measure"' then
      v_filled := v_filled - array['toward_guarantee', 'toward_threshold', 'paid', 'component', 'beyond', 'cap', 'round', 'combine', 'joins', 'books'];
    end if;
    if v_own_when is not null then
      v_filled := v_filled || jsonb_build_object('own_when', v_own_when);
    end if;
    return next v_filled;
  end loop;
end
$$;
comment on function rules.expand_formula(text, jsonb) is
'A formula as terms of the seven kinds.
p_term_code: for messages; p_formula: calculation_formula. The preset''s own condition stays in `when`; the term''s goes to `own_when`.
Raises CP201 (unknown type), CP202 (unknown or missing parameter).';

-- A parameter beside a choice that leaves it out would be read by nobody. Asked when a contract is loaded, not with every compilation.
create or replace function rules.refuse_ineffective(p_term_code text, p_formula jsonb)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_template jsonb := (select template from rules.formula_types where name = p_formula ->> 'type');
  v_filled jsonb;
  v_key text;
begin
  if v_template::text !~ '"\$(given|case)": ' then
    return;
  end if;
  v_filled := rules.fill_template(v_template, p_formula);
  for v_key in
    select key
    from jsonb_object_keys(p_formula) as key
    where position(format('"$": "%s"', key) in v_template::text) + position(format('"$case": "%s"', key) in v_template::text) > 0
    order by key
  loop
    if rules.fill_template(v_template, p_formula || jsonb_build_object(v_key, '?')) = v_filled then
      perform rules.refuse('CP202', p_term_code || ' $.' || v_key, format('%s has no meaning beside the other parameters', v_key),
        'Leave it out; see rules.formula_types for what goes together.');
    end if;
  end loop;
end
$$;
comment on function rules.refuse_ineffective(text, jsonb) is
'Refuses a formula with a parameter that its preset doesn''t read beside the others.
p_term_code: for messages; p_formula: calculation_formula of a known type. Raises CP202.';
