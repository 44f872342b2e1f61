-- What a term must not say: before anything of it is compiled.

-- What a term must not ask for yet, by name, before anything is compiled.
create or replace function rules.refuse_unsupported(p_where text, p_part jsonb)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_part ->> 'kind' not in ('settings', 'hourly_rate')
    and coalesce(p_part ->> 'level' not in ('leg', 'duty', 'day', 'trip', 'period', 'month', 'quarter', 'year'), true) then
    perform rules.refuse('CP205', p_where || ' $.level', format('level %s is not offered', coalesce(p_part ->> 'level', '(none)')),
      'leg, duty, day, trip, period, month, quarter or year.');
  elsif p_part ->> 'kind' = 'treatment' and p_part ->> 'level' = any (rules.span_levels()) then
    perform rules.refuse('CP205', p_where || ' $.level', format('a treatment of a %s is not offered', p_part ->> 'level'),
      'leg, duty, day or trip; a term''s own toward_guarantee and toward_threshold hold for all of it.');
  elsif p_part ->> 'kind' = 'hourly_rate' and (jsonb_typeof(p_part -> 'steps') <> 'array' or jsonb_path_exists(p_part, '$.steps[*] ? (@.type() != "object")')) then
    perform rules.refuse('CP202', p_where || ' $.steps', 'the steps of a rate table are a list of rows', 'Write [{"position": "CAPTAIN", "year": 1, "rate": 72.40}].');
  end if;
end
$$;
comment on function rules.refuse_unsupported(text, jsonb) is
'Refuses by name what the catalogue defines and the engine doesn''t offer.
Raises CP205.';

create or replace function rules.is_date(p_text text)
returns boolean
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_text !~ '^\d{4}-\d\d-\d\d$' then
    return false;
  end if;
  return make_date(left(p_text, 4)::integer, substr(p_text, 6, 2)::integer, right(p_text, 2)::integer) is not null;
exception when datetime_field_overflow then
  return false;
end
$$;
comment on function rules.is_date(text) is 'Whether a text is a day as YYYY-MM-DD; null for null.';

-- What a term says in words must be words that mean something: a misspelt choice would pay nothing, silently.
create or replace function rules.refuse_malformed(p_where text, p_part jsonb)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_kind text := p_part ->> 'kind';
  v_joins text := p_part ->> 'joins';
  v_bad record;
begin
  select c.* into v_bad
  from (values
    ('combine', array['greatest', 'add']),
    ('books', array['start', 'end', 'split']),
    ('joins', array['leg', 'duty', 'day', 'trip', 'period', 'month', 'quarter', 'year']),
    ('component', array_remove(enum_range(null::pay.component)::text[], 'adjustment')),
    ('toward_guarantee', array['true', 'false']),
    ('toward_threshold', array['true', 'false']),
    ('paid', array['true', 'false']),
    ('stacking', array['add', 'highest', 'multiply']),
    ('unit', array['hour', 'TFP', 'PCH']),
    ('leg_month_clock', array['base', 'departure']),
    ('version_on', array['trip_start', 'duty_start'])) as c (parameter, choices)
  where p_part ->> c.parameter <> all (c.choices)
  limit 1;
  if found then
    perform rules.refuse('CP202', p_where || ' $.' || v_bad.parameter, format('%s is no value of %s', p_part ->> v_bad.parameter, v_bad.parameter),
      'Known values: ' || array_to_string(v_bad.choices, ', ') || '.');
  end if;

  case v_kind
    when 'measure' then
      if p_part ->> 'name' !~ '^[a-z0-9_]{1,55}$' or p_part ->> 'name' in ('no', 'base', 'credit', 'end_at', 'start_at')
        or p_part ->> 'name' ~ '^joins_' or exists (select from rules.known_facts as f where f.name = p_part ->> 'name') then
        perform rules.refuse('CP202', p_where || ' $.name', format('%s can''t be the name of a measure', p_part ->> 'name'),
          'Use lower-case letters, digits and underscores, and no name of rules.facts.');
      end if;
    when 'settings' then
      select key into v_bad
      from jsonb_each(p_part)
      where key in ('report_before', 'release_after') and not (jsonb_typeof(value) = 'number' and value #>> '{}' ~ '^\d{1,3}$')
      limit 1;
      if found then
        perform rules.refuse('CP202', p_where || ' $.' || v_bad.key, 'it is a number of minutes', 'Give whole minutes, 0 to 999.');
      elsif coalesce(p_part ->> 'day_clock', 'base') <> 'base' then
        perform rules.refuse('CP205', p_where, 'the day of a duty is that of its base', 'Leave day_clock at base.');
      end if;
    when 'hourly_rate' then
      select step_no into v_bad
      from jsonb_array_elements(p_part -> 'steps') with ordinality as steps (step, step_no)
      where coalesce(step ->> 'position' <> all (enum_range(null::crew.crew_position)::text[]), true)
        or coalesce(jsonb_typeof(step -> 'rate') <> 'number' or step ->> 'rate' ~ '^-', true)
        or step ? 'aircraft_type' and jsonb_typeof(step -> 'aircraft_type') <> 'string'
        or step ? 'year' and not (jsonb_typeof(step -> 'year') = 'number' and step ->> 'year' ~ '^[1-9]\d?$')
        or step ? 'from' and not coalesce(rules.is_date(step ->> 'from'), false)
        or exists (select from jsonb_object_keys(step) as key where key not in ('position', 'aircraft_type', 'year', 'from', 'rate'))
      order by step_no
      limit 1;
      if found then
        perform rules.refuse('CP202', format('%s $.steps[%s]', p_where, v_bad.step_no - 1), 'a step has position, rate, and year of service and from if it needs them',
          'Write {"position": "CAPTAIN", "year": 1, "from": "2026-01-01", "rate": 72.40}.');
      end if;
    else
      if v_kind = 'treatment' and not p_part ?| array['toward_guarantee', 'toward_threshold', 'paid'] then
        perform rules.refuse('CP202', p_where, 'a treatment says toward_guarantee, toward_threshold or paid', 'Add what it changes.');
      elsif v_kind = 'credit' and p_part ?| array['multiplier', 'per_hour', 'per_unit', 'amount', 'group', 'stacking'] then
        perform rules.refuse('CP202', p_where || ' $.into', 'credit is paid at the hourly rate and has no price or group', 'Leave it out, or say {"into": "pay"}.');
      elsif v_kind = 'pay' and p_part ?| array['combine', 'joins'] then
        perform rules.refuse('CP202', p_where || ' $.into', 'pay is of its own level and is always added', 'Leave combine and joins out.');
      elsif v_kind = 'pay' and (p_part -> 'toward_guarantee' = 'true' or p_part -> 'toward_threshold' = 'true') then
        perform rules.refuse('CP205', p_where || ' $.toward_guarantee', 'pay that counts toward a guarantee or threshold', 'Pay comes after both: credit it, at a factor.');
      elsif v_joins is not null and rules.level_rank(v_joins) < rules.level_rank(p_part ->> 'level') then
        perform rules.refuse('CP202', p_where || ' $.joins', 'a term joins its own level or one above', 'Leave joins out, or name a higher level.');
      end if;
  end case;
end
$$;
comment on function rules.refuse_malformed(text, jsonb) is
'Refuses values that a term doesn''t know: choices, names of measures, settings, rate steps.
p_where: term code; p_part: expanded term. Raises CP202, CP205.';

-- Premiums of one group share level and stacking; what multiplies shares its quantity too.
create or replace function rules.refuse_groups(p_terms jsonb)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_group record;
begin
  for v_group in
    select t -> 'part' ->> 'group' as name, min(t ->> 'code') as code,
      count(distinct t -> 'part' ->> 'level') as levels, bool_or(t -> 'part' ->> 'level' = any (rules.span_levels())) as of_span,
      array_agg(distinct coalesce(t -> 'part' ->> 'stacking', 'add')) as stackings,
      bool_or(t -> 'part' ->> 'books' = 'split') as split,
      bool_and(t -> 'part' ? 'multiplier') as multiplied,
      count(distinct (select jsonb_object_agg(key, value) from jsonb_each(t -> 'part')
        where key in ('basis', 'value', 'window', 'beyond', 'cap', 'ratio', 'round', 'hours', 'books'))) as quantities
    from jsonb_array_elements(p_terms) as t
    where t -> 'part' ->> 'kind' = 'pay' and (t -> 'part' ? 'group' or t -> 'part' ? 'stacking')
    group by 1
    order by 1
  loop
    if v_group.name is null then
      perform rules.refuse('CP202', v_group.code || ' $.stacking', 'stacking without a group', 'Name the group that it stacks in.');
    elsif v_group.levels > 1 or cardinality(v_group.stackings) > 1 then
      perform rules.refuse('CP202', v_group.code || ' $.group', format('premiums of the group %s have different levels, or stack differently', v_group.name), 'Give all of a group one level and one stacking.');
    elsif v_group.stackings <> '{add}' and v_group.of_span then
      perform rules.refuse('CP205', v_group.code || ' $.group', 'a group of a span', 'Groups of which the highest is paid, or that multiply, are of legs, duties, days or trips.');
    elsif v_group.stackings <> '{add}' and v_group.split then
      perform rules.refuse('CP205', v_group.code || ' $.books', 'premiums of a group split by minutes', 'start or end.');
    elsif v_group.stackings = '{multiply}' and (not v_group.multiplied or v_group.quantities > 1) then
      perform rules.refuse('CP202', v_group.code || ' $.group', format('premiums of the group %s multiply, but not one quantity by multipliers', v_group.name), 'Give all of them the same basis and window, and a multiplier each.');
    end if;
  end loop;
end
$$;
comment on function rules.refuse_groups(jsonb) is
'Refuses groups of premiums that can''t be stacked.
p_terms: expanded terms. Raises CP202, CP205.';

-- One word for each contract-wide choice at a time.
create or replace function rules.refuse_settings(p_terms jsonb)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_twice record;
begin
  select a ->> 'code' as first_code, b ->> 'code' as second_code, key as parameter into v_twice
  from jsonb_array_elements(p_terms) as a
  join jsonb_array_elements(p_terms) as b on a ->> 'code' < b ->> 'code'
  cross join lateral jsonb_object_keys((a -> 'part') - array['kind', 'note', 'label']) as key
  where a -> 'part' ->> 'kind' = 'settings'
    and b -> 'part' ->> 'kind' = 'settings'
    and b -> 'part' ? key
    and daterange((a ->> 'from')::date, (a ->> 'to')::date) && daterange((b ->> 'from')::date, (b ->> 'to')::date)
  order by 1, 2, 3
  limit 1;
  if found then
    perform rules.refuse('CP207', v_twice.second_code || ' $.' || v_twice.parameter, format('%s is set by %s as well', v_twice.parameter, v_twice.first_code),
      'One clause at a time says it: end one before the other begins.');
  end if;
end
$$;
comment on function rules.refuse_settings(jsonb) is
'Refuses two settings that say the same thing at once.
p_terms: expanded terms. Raises CP207.';
