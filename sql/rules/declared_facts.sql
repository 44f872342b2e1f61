-- Facts that an airline declares itself: values among the attributes of its flights, legs, trips, months and crew members.

create or replace function rules.declare_fact(p_fact jsonb)
returns rules.declared_facts
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_where text := coalesce(regexp_replace(p_fact ->> 'name', '\s', '_', 'g'), '(without name)');
  v_path text[] := string_to_array(p_fact ->> 'path', '.');
  v_source text;
  v_declared rules.declared_facts;
  v_bad text;
begin
  perform auth.require_role('admin');
  select key into v_bad
  from jsonb_object_keys(p_fact) as key
  where key not in ('name', 'level', 'type', 'unit', 'path', 'description')
  limit 1;
  if found then
    perform rules.refuse('CP202', v_where || ' $.' || v_bad, format('a fact has no %s', v_bad), 'name, level, type, path; optional: unit, description.');
  elsif coalesce(p_fact ->> 'name' !~ '^[a-z][a-z0-9_]{0,39}$', true) or p_fact ->> 'name' ~ '^(joins|treat)_' or p_fact ->> 'name' in ('base', 'credit', 'no')
    or exists (select from rules.facts as f where f.name = p_fact ->> 'name') then
    perform rules.refuse('CP202', v_where || ' $.name', 'it can''t be the name of a fact',
      'Use lower-case letters, digits and underscores, and no name of rules.facts.');
  elsif coalesce(p_fact ->> 'type' <> all (array['int', 'numeric', 'text', 'bool']), true) then
    perform rules.refuse('CP202', v_where || ' $.type', 'unknown type', 'int, numeric, text or bool.');
  elsif coalesce(p_fact ->> 'unit', 'none') <> all (array['none', 'min', 'money'])
    or coalesce(p_fact ->> 'unit', 'none') <> 'none' and p_fact ->> 'type' <> all (array['int', 'numeric']) then
    perform rules.refuse('CP202', v_where || ' $.unit', 'unknown unit, or a unit of what is no number', 'none, or min or money for numbers.');
  end if;

  v_source := case p_fact ->> 'level' when 'trip' then 'trips' when 'month' then 'crew_months' when 'crew' then 'crew_members'
    when 'leg' then case v_path[1] when 'flight' then 'flights' when 'assignment' then 'crew_assignments' end end;
  if v_source is null then
    perform rules.refuse('CP202', v_where || ' $.level', 'a fact is of a leg, trip, month or crew member; the path of a leg''s begins with flight or assignment',
      'Write {"level": "leg", "path": "flight.hold_minutes"} or {"level": "trip", "path": "critical_day"}.');
  end if;
  if p_fact ->> 'level' = 'leg' then
    v_path := v_path[2:];
  end if;
  if coalesce(cardinality(v_path), 0) = 0 or exists (select from unnest(v_path) as key where key !~ '^[A-Za-z0-9_ -]+$') then
    perform rules.refuse('CP202', v_where || ' $.path', 'a path is keys of letters, digits, spaces, _ and -, joined by dots', 'Write "flight.hold_minutes".');
  end if;

  insert into rules.declared_facts (enterprise_id, level, name, value_type, unit, source, path, description)
  values (auth.enterprise_id(), p_fact ->> 'level', p_fact ->> 'name', p_fact ->> 'type', coalesce(p_fact ->> 'unit', 'none'), v_source, v_path,
    coalesce(p_fact ->> 'description', p_fact ->> 'name'))
  on conflict (enterprise_id, level, name) do update set
    value_type = excluded.value_type, unit = excluded.unit, source = excluded.source, path = excluded.path,
    description = excluded.description, recorded_at = now()
  returning * into v_declared;
  return v_declared;
end
$$;
alter function rules.declare_fact(jsonb) owner to crewpay_definer;
revoke all on function rules.declare_fact(jsonb) from public;
grant execute on function rules.declare_fact(jsonb) to crewpay_admin;
comment on function rules.declare_fact(jsonb) is
'Declares a fact of the caller''s enterprise, or changes it; formulas can read it from then on. For administrators.
p_fact: {"name", "level" (leg, trip, month, crew), "type" (int, numeric, text, bool), "unit" (none, min, money), "path", "description"};
path: keys joined by dots into the attributes of the trip, crew month or crew member; a leg''s begins with flight or assignment.
Raises CP202 with the fact and the place, 42501.';
