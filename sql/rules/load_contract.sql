-- Loading a contract as data: terms as versions, the rule graph as a generation. A contract that doesn't compile is refused whole.

-- A term of nothing but its code and an end says that the version in force ends.
create or replace function rules.is_ending(p_term jsonb)
returns boolean
language sql
immutable
parallel safe
return coalesce(p_term - 'code' - 'expires' - 'note' = '{}' and p_term ? 'code' and jsonb_typeof(p_term -> 'expires') = 'string', false);
comment on function rules.is_ending(jsonb) is 'Whether a term of a contract document only ends what is in force: {"code", "expires"}.';

-- Everything that is wrong with the form of a document, with the clause it is in. Places in a formula count from the formula.
create or replace function rules.document_errors(p_contract jsonb)
returns table (clause text, json_path text, code text, problem text, hint text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  with errors as (
    select e.*, regexp_match(e.json_path, '^\$\.(terms|scenarios|components|edges|interpretations)\[(\d+)\](?:\.formula(?=[.\[]))?(.*)$') as place
    from rules.contract_schema() as s (schema)
    cross join lateral rules.schema_errors(s.schema, p_contract) as e
  )
  select
    case
      when e.place is null then '(contract)'
      when e.place[1] = 'terms' then coalesce(p_contract -> 'terms' -> e.place[2]::integer ->> 'code', format('terms[%s]', e.place[2]))
      else format('(%s[%s])', e.place[1], e.place[2])
    end,
    coalesce('$' || e.place[3], e.json_path), e.code, e.problem, e.hint
  from errors as e
  union all
  select t ->> 'code', '$.expires', 'CP202', 'it would stop applying before it begins', 'expires is the first day on which it no longer holds.'
  from jsonb_array_elements(p_contract -> 'terms') as t
  where rules.is_date(t ->> 'expires') and rules.is_date(t ->> 'effective') and t ->> 'expires' <= t ->> 'effective'
    and not exists (select from errors)
  union all
  select t ->> 'code', '$.effective', 'CP202', 'the version stands in the document twice', 'Keep one of the two.'
  from jsonb_array_elements(p_contract -> 'terms') as t
  where t ? 'effective' and not exists (select from errors)
  group by t ->> 'code', t ->> 'effective'
  having count(*) > 1
  union all
  select format('(%s[%s])', r.part, r.no - 1), '$', 'CP202', format('%s stands in the document twice', r.key), 'Keep one of the two.'
  from (
    select p.part, listed.no, listed.key, row_number() over (partition by p.part, listed.key order by listed.no) as nth
    from (values ('scenarios', 'id'), ('components', 'type'), ('interpretations', 'code'), ('edges', null)) as p (part, key)
    cross join lateral (
      select no, coalesce(row_document ->> p.key, concat_ws(' ', row_document ->> 'from', row_document ->> 'kind', row_document ->> 'to'))
      from jsonb_array_elements(p_contract -> p.part) with ordinality as rows (row_document, no)
    ) as listed (no, key)
    where not exists (select from errors)
  ) as r
  where r.nth > 1
$$;
comment on function rules.document_errors(jsonb) is
'Everything that is wrong with the form of a contract document: clause, place within it, code, problem, what to do.
p_contract: the document.';

-- Raises the first of some faults, and names the others in the detail.
create or replace function rules.refuse_all(p_clauses text[], p_paths text[], p_codes text[], p_problems text[], p_hints text[])
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using
    errcode = p_codes[1],
    message = case when p_clauses[1] ~ '^\(' then btrim(p_clauses[1], '()') else 'term ' || p_clauses[1] end || ': ' || p_problems[1],
    detail = 'at ' || p_paths[1] || (
      select coalesce(E'\n' || string_agg(format('%s: %s: %s, at %s', code, btrim(clause, '()'), problem, path), E'\n' order by no), '')
      from unnest(p_clauses, p_paths, p_codes, p_problems) with ordinality as others (clause, path, code, problem, no)
      where no > 1),
    hint = p_hints[1];
end
$$;
comment on function rules.refuse_all(text[], text[], text[], text[], text[]) is
'Raises the error of a formula or document that has several faults: the first, with the others in the detail.
p_clauses, p_paths, p_codes, p_problems, p_hints: the faults, side by side.';

create or replace function rules.check_document(p_contract jsonb)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_faults record;
begin
  select array_agg(e.clause) as clauses, array_agg(e.json_path) as paths, array_agg(e.code) as codes,
    array_agg(e.problem) as problems, array_agg(e.hint) as hints
  into v_faults
  from rules.document_errors(p_contract) as e;
  if v_faults.clauses is not null then
    perform rules.refuse_all(v_faults.clauses, v_faults.paths, v_faults.codes, v_faults.problems, v_faults.hints);
  end if;
end
$$;
comment on function rules.check_document(jsonb) is
'Refuses a contract document whose form is wrong, before anything is read from it: every fault with its clause and place.
p_contract: the document. Raises CP201, CP202, CP204, CP206.';

-- A version of a code begins where the one before ends, and ends where the next one begins. Nothing is edited: what changes is superseded.
create or replace function rules.place_version(p_enterprise uuid, p_code text, p_effective date, p_expires date)
returns date
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_before rules.union_contract_terms;
  v_next date;
begin
  select min(t.effective_date) into v_next
  from rules.union_contract_terms as t
  where t.enterprise_id = p_enterprise and t.term_code = p_code and t.superseded_at is null and t.effective_date > p_effective;
  select t.* into v_before
  from rules.union_contract_terms as t
  where t.enterprise_id = p_enterprise and t.term_code = p_code and t.superseded_at is null
    and t.effective_date < p_effective and (t.expiration_date is null or t.expiration_date > p_effective);
  if p_expires > v_next or v_before.expiration_date is distinct from v_next and v_before.expiration_date is not null then
    perform rules.refuse('CP207', p_code || case when p_expires > v_next then ' $.expires' else ' $.effective' end,
      format('the version of %s and the one of %s would be in force at once', p_effective,
        case when p_expires > v_next then v_next else v_before.effective_date end),
      'End the one where the other begins (expires is the first day on which a version no longer holds).');
  end if;
  if v_before.id is not null then
    perform rules.supersede_term(p_enterprise, v_before.id, p_effective);
  end if;
  return coalesce(p_expires, v_next);
end
$$;
comment on function rules.place_version(uuid, text, date, date) is
'Makes room for a new version of a term: the one before ends where it begins. Returns the day on which the new one stops applying, null if it is open.
p_enterprise: tenant; p_code: term code; p_effective, p_expires: of the new version. Raises CP207 where two would be in force at once.';

create or replace function rules.end_term(p_enterprise uuid, p_code text, p_expires date)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_newest rules.union_contract_terms;
begin
  select * into v_newest
  from rules.union_contract_terms as t
  where t.enterprise_id = p_enterprise and t.term_code = p_code and t.superseded_at is null
  order by t.effective_date desc
  limit 1;
  if v_newest.id is null then
    perform rules.refuse('CP202', p_code || ' $.expires', 'there is no such term to end', 'Check the code: crewpay contract export.');
  elsif p_expires <= v_newest.effective_date then
    perform rules.refuse('CP202', p_code || ' $.expires', format('its version in force begins on %s', v_newest.effective_date), 'expires is the first day on which it no longer holds.');
  end if;
  if v_newest.expiration_date = p_expires then
    return false;
  end if;
  perform rules.supersede_term(p_enterprise, v_newest.id, p_expires);
  return true;
end
$$;
comment on function rules.end_term(uuid, text, date) is
'Ends the newest version of a term; false where it ends on that day already.
p_enterprise: tenant; p_code: term code; p_expires: first day on which it no longer holds. Raises CP202.';

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
    if rules.is_ending(v_term) then
      if rules.end_term(p_enterprise, v_term ->> 'code', (v_term ->> 'expires')::date) then
        changed := changed + 1;
      else
        unchanged := unchanged + 1;
      end if;
      continue;
    end if;
    v_new := jsonb_populate_record(null::rules.union_contract_terms, jsonb_build_object(
      'term_code', v_term -> 'code', 'term_category', v_term -> 'category', 'term_title', v_term -> 'title', 'term_text', v_term -> 'text',
      'calculation_formula', v_term -> 'formula', 'effective_date', v_term -> 'effective', 'expiration_date', v_term -> 'expires',
      'applies_to', v_term -> 'applies_to', 'priority', coalesce(v_term -> 'priority', '100'::jsonb)));

    select * into v_old
    from rules.union_contract_terms as t
    where t.enterprise_id = p_enterprise and t.term_code = v_new.term_code and t.effective_date = v_new.effective_date and t.superseded_at is null;
    if found and (v_old.term_category, v_old.term_title, v_old.term_text, v_old.calculation_formula, v_old.applies_to, v_old.priority)
        is not distinct from (v_new.term_category, v_new.term_title, v_new.term_text, v_new.calculation_formula, v_new.applies_to, v_new.priority)
      and (v_new.expiration_date is null or v_new.expiration_date = v_old.expiration_date) then
      unchanged := unchanged + 1;
      continue;
    elsif found then
      perform rules.supersede_term(p_enterprise, v_old.id);
      v_new.expiration_date := coalesce(v_new.expiration_date, v_old.expiration_date);
      changed := changed + 1;
    else
      added := added + 1;
    end if;
    v_new.expiration_date := rules.place_version(p_enterprise, v_new.term_code, v_new.effective_date, v_new.expiration_date);
    insert into rules.union_contract_terms (
      enterprise_id, term_code, term_category, term_title, term_text, calculation_formula, effective_date, expiration_date, applies_to, priority)
    values (p_enterprise, v_new.term_code, v_new.term_category, v_new.term_title, v_new.term_text, v_new.calculation_formula,
      v_new.effective_date, v_new.expiration_date, v_new.applies_to, v_new.priority);
  end loop;
end
$$;
comment on function rules.load_terms(uuid, jsonb) is
'Terms of a contract document as versions: new ones are added, changed ones supersede, equal ones stay.
p_enterprise: tenant; p_terms: [{"code","category","title","text","applies_to","effective","expires","priority","formula"}]. Raises CP202, CP207.';

-- The document's rows over those of a generation, as another one.
create or replace function rules.lay_graph(p_enterprise uuid, p_contract jsonb, p_current bigint, p_next bigint)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into graph.generations (enterprise_id, generation, source) values (p_enterprise, p_next, 'seed');

  insert into graph.scenarios (enterprise_id, generation, id, name, level, pattern, description)
  select p_enterprise, p_next, s ->> 'id', s ->> 'name', (s ->> 'level')::rules.node_level, s -> 'pattern',
    coalesce(s ->> 'description', s ->> 'name')
  from jsonb_array_elements(coalesce(p_contract -> 'scenarios', '[]')) as s;
  insert into graph.scenarios (enterprise_id, generation, id, name, level, pattern, description)
  select p_enterprise, p_next, id, name, level, pattern, description
  from graph.scenarios
  where enterprise_id = p_enterprise and generation = p_current
  on conflict do nothing;

  insert into graph.pay_components (enterprise_id, generation, type, name, calculation_order)
  select p_enterprise, p_next, (c ->> 'type')::pay.component, c ->> 'name', (c ->> 'order')::smallint
  from jsonb_array_elements(coalesce(p_contract -> 'components', '[]')) as c;
  insert into graph.pay_components (enterprise_id, generation, type, name, calculation_order)
  select p_enterprise, p_next, type, name, calculation_order
  from graph.pay_components
  where enterprise_id = p_enterprise and generation = p_current
  on conflict do nothing;

  insert into graph.edges (enterprise_id, generation, kind, from_code, to_code, properties)
  select p_enterprise, p_next, e ->> 'kind', e ->> 'from', e ->> 'to', coalesce(e -> 'properties', '{}')
  from jsonb_array_elements(coalesce(p_contract -> 'edges', '[]')) as e;
  insert into graph.edges (enterprise_id, generation, kind, from_code, to_code, properties)
  select p_enterprise, p_next, kind, from_code, to_code, properties
  from graph.edges
  where enterprise_id = p_enterprise and generation = p_current
  on conflict do nothing;
  perform rules.check_edges(p_enterprise, p_contract, p_next);
  perform rules.check_scenarios(p_enterprise, p_next);
end
$$;
comment on function rules.lay_graph(uuid, jsonb, bigint, bigint) is
'Lays scenarios, components and edges of a contract document over a generation; the result is another generation, not accepted.
p_enterprise: tenant; p_contract: {"scenarios","components","edges"}; p_current: generation, or null; p_next: number of the new one.
Raises CP203, CP206 where an edge leads nowhere, CP203 to CP205 where a pattern doesn''t compile.';

create or replace function rules.drop_graph(p_enterprise uuid, p_generation bigint)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  delete from graph.edges where enterprise_id = p_enterprise and generation = p_generation;
  delete from graph.pay_components where enterprise_id = p_enterprise and generation = p_generation;
  delete from graph.scenarios where enterprise_id = p_enterprise and generation = p_generation;
  delete from graph.generations where enterprise_id = p_enterprise and generation = p_generation;
$$;
comment on function rules.drop_graph(uuid, bigint) is
'Removes a generation that was never accepted.
p_enterprise: tenant; p_generation: generation.';

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
  -- Runs that pay by the generation in force finish first.
  perform from graph.generations where enterprise_id = p_enterprise and generation = v_current for update;
  -- A generation is only made when the rows differ.
  perform rules.lay_graph(p_enterprise, p_contract, v_current, v_next);

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
    perform rules.drop_graph(p_enterprise, v_next);
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

create or replace function rules.check_compiles(p_enterprise uuid, p_generation bigint, p_months date[])
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_first date;
  v_span daterange;
  v_group record;
begin
  perform rules.check_dependencies(p_enterprise, p_generation);
  foreach v_first in array p_months loop
    v_span := rules.month_span(p_enterprise, v_first);
    for v_group in select g.positions from rules.position_groups(p_enterprise, v_span) as g loop
      perform rules.assemble_plan(
        array(select t from rules.compile_terms(p_enterprise, v_group.positions, v_span, p_generation) as t), v_group.positions);
    end loop;
  end loop;
end
$$;
comment on function rules.check_compiles(uuid, bigint, date[]) is
'Refuses a rule graph or contract that could not be paid by: everything in force in the months must compile.
p_enterprise: tenant; p_generation: rule graph; p_months: first days of months. Raises CP201 to CP206.';

-- What a contract says and probably doesn't mean.
create or replace function rules.contract_warnings(p_contract jsonb)
returns jsonb
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(jsonb_agg(format('term %s at $.window.to: the window ends before %s, not after it: write %s', t ->> 'code', w ->> 'to',
      to_char(time '00:00' + make_interval(mins => rules.minute_of_day(w ->> 'to') + 1), 'HH24:MI')) order by t ->> 'code'), '[]')
  from jsonb_array_elements(p_contract -> 'terms') as t
  cross join lateral (select t -> 'formula' -> 'window') as f (w)
  where w ->> 'to' ~ '^\d\d:59$'
$$;
comment on function rules.contract_warnings(jsonb) is
'Texts about what a contract says and probably doesn''t mean: windows that end a minute early.
p_contract: as rules.load_contract() takes it, checked.';

create or replace function rules.apply_contract(p_contract jsonb)
returns jsonb
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_enterprise uuid := auth.enterprise_id();
  v_graph_before bigint := rules.accepted_generation(v_enterprise);
  v_loaded record;
  v_result jsonb;
  v_generation bigint;
begin
  perform rules.check_document(p_contract);
  perform rules.refuse_ineffective(t ->> 'code', t -> 'formula') from jsonb_array_elements(p_contract -> 'terms') as t where t ? 'formula';
  select * into v_loaded from rules.load_terms(v_enterprise, p_contract -> 'terms');
  v_generation := rules.load_graph(v_enterprise, p_contract);
  if v_generation is distinct from v_graph_before and pay.is_live(v_enterprise) and not pay.applies_contract(v_enterprise) then
    perform pay.refuse_single_person('the rule graph', format('generation %s', v_generation),
      'Ask for it: select rules.request_contract(…); another person applies it: select pay.approve_rate_change(…).');
  end if;

  -- Whatever is in force at the start of a version must compile, before anybody is paid by it.
  perform rules.check_compiles(v_enterprise, v_generation, array(
    select distinct greatest(date_trunc('month', (t ->> 'effective')::date), date_trunc('month', now()) - interval '20 years')::date
    from jsonb_array_elements(coalesce(p_contract -> 'terms', '[]')) as t
    union
    select date_trunc('month', now())::date));
  v_result := jsonb_build_object('added', v_loaded.added, 'changed', v_loaded.changed, 'unchanged', v_loaded.unchanged, 'generation', v_generation);
  if rules.contract_warnings(p_contract) <> '[]' then
    v_result := v_result || jsonb_build_object('warnings', rules.contract_warnings(p_contract));
  end if;
  -- Interpretations say how to read the contract; they pay nothing, and wait for who validates them.
  if p_contract ? 'interpretations' then
    select v_result || jsonb_build_object('interpretations', i.added + i.changed) into v_result
    from rules.load_interpretations(v_enterprise, p_contract -> 'interpretations') as i;
  end if;
  return v_result;
end
$$;
comment on function rules.apply_contract(jsonb) is
'Loads a contract document into the caller''s enterprise; all or nothing.
p_contract: as rules.load_contract() takes it. Returns {"added","changed","unchanged","generation"}; where there are any also "interpretations" (added or changed) and "warnings" (texts).
Raises CP201 to CP207 with the term''s code and the JSON path, CP320 (a second person is needed).';

create or replace function rules.load_contract(p_contract jsonb)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform auth.require_role('admin');
  return rules.apply_contract(p_contract);
end
$$;
alter function rules.load_contract(jsonb) owner to crewpay_definer;
grant execute on function rules.load_contract(jsonb) to crewpay_admin;
comment on function rules.load_contract(jsonb) is
'Loads a contract document into the caller''s enterprise; all or nothing. For administrators.
p_contract: {"terms": […], "scenarios": […], "components": […], "edges": […]}, see docs/contracts.md.
Returns {"added","changed","unchanged","generation"}, and "warnings" (texts) where there are any. Raises CP201 to CP207 with the term''s code and the JSON path, 42501, and CP320
once the airline pays by its contract: then it is asked for by rules.request_contract().';
