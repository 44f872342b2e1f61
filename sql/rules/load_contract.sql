-- Loading a contract as data: terms as versions, the rule graph as a generation. A contract that doesn't compile is refused whole.

create or replace function rules.load_terms(p_enterprise uuid, p_terms jsonb, out added integer, out changed integer, out unchanged integer)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_term jsonb;
  v_new rules.union_contract_terms;
  v_old rules.union_contract_terms;
begin
  added := 0;
  changed := 0;
  unchanged := 0;
  for v_term in select value from jsonb_array_elements(coalesce(p_terms, '[]')) loop
    v_new := jsonb_populate_record(null::rules.union_contract_terms, jsonb_build_object(
      'term_code', v_term -> 'code', 'term_category', v_term -> 'category', 'term_title', v_term -> 'title', 'term_text', v_term -> 'text',
      'calculation_formula', v_term -> 'formula', 'effective_date', v_term -> 'effective', 'expiration_date', v_term -> 'expires',
      'applies_to', v_term -> 'applies_to', 'priority', coalesce(v_term -> 'priority', '100'::jsonb)));
    if num_nulls(v_new.term_code, v_new.term_category, v_new.term_title, v_new.term_text, v_new.effective_date, v_new.applies_to) > 0 then
      perform rules.refuse('CP202', coalesce(v_new.term_code, '(without code)'), 'code, category, title, text, effective and applies_to are required',
        'Complete the term.');
    end if;

    select * into v_old
    from rules.union_contract_terms as t
    where t.enterprise_id = p_enterprise and t.term_code = v_new.term_code and t.effective_date = v_new.effective_date and t.superseded_at is null;
    if found and (v_old.term_category, v_old.term_title, v_old.term_text, v_old.calculation_formula, v_old.applies_to, v_old.priority)
        is not distinct from (v_new.term_category, v_new.term_title, v_new.term_text, v_new.calculation_formula, v_new.applies_to, v_new.priority)
      and (v_new.expiration_date is null or v_new.expiration_date = v_old.expiration_date) then
      unchanged := unchanged + 1;
      continue;
    elsif found then
      update rules.union_contract_terms as t
      set superseded_at = clock_timestamp()
      where t.enterprise_id = p_enterprise and t.id = v_old.id;
      v_new.expiration_date := coalesce(v_new.expiration_date, v_old.expiration_date);
      changed := changed + 1;
    else
      -- An open version of the code ends where the new one begins.
      update rules.union_contract_terms as t
      set expiration_date = v_new.effective_date
      where t.enterprise_id = p_enterprise and t.term_code = v_new.term_code and t.superseded_at is null
        and t.expiration_date is null and t.effective_date < v_new.effective_date;
      added := added + 1;
    end if;
    insert into rules.union_contract_terms (
      enterprise_id, term_code, term_category, term_title, term_text, calculation_formula, effective_date, expiration_date, applies_to, priority)
    values (p_enterprise, v_new.term_code, v_new.term_category, v_new.term_title, v_new.term_text, v_new.calculation_formula,
      v_new.effective_date, v_new.expiration_date, v_new.applies_to, v_new.priority);
  end loop;
end
$$;
comment on function rules.load_terms(uuid, jsonb) is
'Terms of a contract document as versions: new ones are added, changed ones supersede, equal ones stay.
p_enterprise: tenant; p_terms: [{"code","category","title","text","applies_to","effective","expires","priority","formula"}]. Raises CP202.';

create or replace function rules.load_graph(p_enterprise uuid, p_contract jsonb)
returns bigint
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_current bigint := rules.accepted_generation(p_enterprise);
  v_next bigint := coalesce(v_current + 1, 0);
  v_changed boolean;
begin
  -- The document's rows over those in force; a generation is only made when they differ.
  insert into graph.generations (enterprise_id, generation, source) values (p_enterprise, v_next, 'seed');

  insert into graph.scenarios (enterprise_id, generation, id, name, level, pattern, description)
  select p_enterprise, v_next, s ->> 'id', s ->> 'name', (s ->> 'level')::rules.node_level, s -> 'pattern', s ->> 'description'
  from jsonb_array_elements(coalesce(p_contract -> 'scenarios', '[]')) as s;
  insert into graph.scenarios (enterprise_id, generation, id, name, level, pattern, description)
  select p_enterprise, v_next, id, name, level, pattern, description
  from graph.scenarios
  where enterprise_id = p_enterprise and generation = v_current
  on conflict do nothing;

  insert into graph.pay_components (enterprise_id, generation, type, name, calculation_order)
  select p_enterprise, v_next, (c ->> 'type')::pay.component, c ->> 'name', (c ->> 'order')::smallint
  from jsonb_array_elements(coalesce(p_contract -> 'components', '[]')) as c;
  insert into graph.pay_components (enterprise_id, generation, type, name, calculation_order)
  select p_enterprise, v_next, type, name, calculation_order
  from graph.pay_components
  where enterprise_id = p_enterprise and generation = v_current
  on conflict do nothing;

  insert into graph.edges (enterprise_id, generation, kind, from_code, to_code, properties)
  select p_enterprise, v_next, e ->> 'kind', e ->> 'from', e ->> 'to', coalesce(e -> 'properties', '{}')
  from jsonb_array_elements(coalesce(p_contract -> 'edges', '[]')) as e;
  insert into graph.edges (enterprise_id, generation, kind, from_code, to_code, properties)
  select p_enterprise, v_next, kind, from_code, to_code, properties
  from graph.edges
  where enterprise_id = p_enterprise and generation = v_current
  on conflict do nothing;

  select exists (
      (select id, name, level::text, pattern::text, description from graph.scenarios where enterprise_id = p_enterprise and generation = v_next
        except
        select id, name, level::text, pattern::text, description from graph.scenarios where enterprise_id = p_enterprise and generation = v_current)
      union all
      (select kind, from_code, to_code, properties::text, null from graph.edges where enterprise_id = p_enterprise and generation = v_next
        except
        select kind, from_code, to_code, properties::text, null from graph.edges where enterprise_id = p_enterprise and generation = v_current)
      union all
      (select type::text, name, calculation_order::text, null, null from graph.pay_components where enterprise_id = p_enterprise and generation = v_next
        except
        select type::text, name, calculation_order::text, null, null from graph.pay_components where enterprise_id = p_enterprise and generation = v_current))
  into v_changed;
  if v_current is not null and not v_changed then
    delete from graph.edges where enterprise_id = p_enterprise and generation = v_next;
    delete from graph.pay_components where enterprise_id = p_enterprise and generation = v_next;
    delete from graph.scenarios where enterprise_id = p_enterprise and generation = v_next;
    delete from graph.generations where enterprise_id = p_enterprise and generation = v_next;
    return v_current;
  end if;

  perform rules.check_dependencies(p_enterprise, v_next);
  update graph.generations set accepted_at = clock_timestamp() where enterprise_id = p_enterprise and generation = v_next;
  return v_next;
end
$$;
comment on function rules.load_graph(uuid, jsonb) is
'Scenarios, components and edges of a contract document, laid over those in force, as a new accepted generation if anything differs.
p_enterprise: tenant; p_contract: {"scenarios","components","edges"}. Returns the generation in force. Raises CP206.';

create or replace function rules.load_contract(p_contract jsonb)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_enterprise uuid := auth.enterprise_id();
  v_loaded record;
  v_generation bigint;
  v_first date;
  v_group record;
begin
  perform auth.require_role('admin');
  select * into v_loaded from rules.load_terms(v_enterprise, p_contract -> 'terms');
  v_generation := rules.load_graph(v_enterprise, p_contract);

  -- Whatever is in force at the start of a version must compile, before anybody is paid by it.
  for v_first in
    select distinct greatest(date_trunc('month', (t ->> 'effective')::date), date_trunc('month', now()) - interval '20 years')::date
    from jsonb_array_elements(coalesce(p_contract -> 'terms', '[]')) as t
    union
    select date_trunc('month', now())::date
  loop
    for v_group in
      select g.positions
      from rules.position_groups(v_enterprise, daterange(v_first - 31, (v_first + interval '1 month')::date + 1)) as g
    loop
      perform rules.assemble_plan(
        array(select t from rules.compile_terms(v_enterprise, v_group.positions, daterange(v_first - 31, (v_first + interval '1 month')::date + 1), v_generation) as t),
        v_group.positions);
    end loop;
  end loop;
  return jsonb_build_object('added', v_loaded.added, 'changed', v_loaded.changed, 'unchanged', v_loaded.unchanged, 'generation', v_generation);
end
$$;
alter function rules.load_contract(jsonb) owner to crewpay_definer;
grant execute on function rules.load_contract(jsonb) to crewpay_admin;
comment on function rules.load_contract(jsonb) is
'Loads a contract document into the caller''s enterprise; all or nothing. For administrators.
p_contract: {"terms": […], "scenarios": […], "components": […], "edges": […]}, see docs/contracts.md.
Returns {"added","changed","unchanged","generation"}. Raises CP201 to CP206 with the term''s code and the JSON path, 42501.';
