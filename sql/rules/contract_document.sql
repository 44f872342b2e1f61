-- A contract as a document again: what is on record, and how a document differs from it.

create or replace function rules.graph_document(p_enterprise uuid, p_generation bigint)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select jsonb_build_object(
    'scenarios', (
      select coalesce(jsonb_agg(jsonb_build_object(
          'id', s.id, 'name', s.name, 'level', s.level, 'pattern', s.pattern, 'description', s.description) order by s.id), '[]')
      from graph.scenarios as s
      where s.enterprise_id = p_enterprise and s.generation = p_generation),
    'components', (
      select coalesce(jsonb_agg(jsonb_build_object('type', c.type, 'name', c.name, 'order', c.calculation_order) order by c.calculation_order, c.type), '[]')
      from graph.pay_components as c
      where c.enterprise_id = p_enterprise and c.generation = p_generation),
    'edges', (
      select coalesce(jsonb_agg(jsonb_build_object('kind', e.kind, 'from', e.from_code, 'to', e.to_code)
          || case when e.properties = '{}' then '{}'::jsonb else jsonb_build_object('properties', e.properties) end order by e.kind, e.from_code, e.to_code), '[]')
      from graph.edges as e
      where e.enterprise_id = p_enterprise and e.generation = p_generation))
$$;
comment on function rules.graph_document(uuid, bigint) is
'A generation of the rule graph as a contract document has it: {"scenarios","components","edges"}.
p_enterprise: tenant; p_generation: generation.';

-- What a document may leave out, and lists in the order in which the record has them.
create or replace function rules.complete_interpretation(p_interpretation jsonb)
returns jsonb
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select '{"confidence": 50}' || p_interpretation || jsonb_strip_nulls(jsonb_build_object(
    'terms', (select jsonb_agg(t order by t) from jsonb_array_elements_text(p_interpretation -> 'terms') as t),
    'faa_rules', (select jsonb_agg(r order by r) from jsonb_array_elements_text(p_interpretation -> 'faa_rules') as r)))
$$;
comment on function rules.complete_interpretation(jsonb) is
'An interpretation of a contract document as the record writes it.
p_interpretation: {"code","scenario","interpretation", …}.';

create or replace function rules.interpretation_documents(p_enterprise uuid)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('code', i.interpretation_code, 'scenario', i.scenario_description,
      'faa_rules', (select jsonb_agg(r.rule_code order by r.rule_code) from rules.faa_rules as r where r.id = any (i.applicable_faa_rule_ids)),
      'terms', (
        select jsonb_agg(distinct t.term_code)
        from rules.union_contract_terms as t
        where t.enterprise_id = p_enterprise and t.id = any (i.applicable_contract_term_ids)),
      'interpretation', i.interpretation, 'confidence', i.confidence_score))
    || case when i.example_calculation is null then '{}'::jsonb else jsonb_build_object('example', i.example_calculation) end
    order by i.interpretation_code), '[]')
  from rules.rule_interpretations as i
  where i.enterprise_id = p_enterprise and i.interpretation_code is not null
$$;
comment on function rules.interpretation_documents(uuid) is
'Interpretations with a code, as a contract document has them.
p_enterprise: tenant.';

create or replace function rules.export_contract(p_on date default null, p_at timestamptz default null)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_enterprise uuid := auth.enterprise_id();
begin
  perform auth.require_role('admin', 'payroll', 'service_role');
  return jsonb_build_object('terms', (
      select coalesce(jsonb_agg(rules.term_document(t) order by t.applies_to, t.term_code, t.effective_date), '[]')
      from rules.terms_as_of(coalesce(p_at, clock_timestamp())) as t
      where t.enterprise_id = v_enterprise
        and (p_on is null or daterange(t.effective_date, t.expiration_date) @> p_on)))
    || rules.graph_document(v_enterprise, (
      select max(g.generation)
      from graph.generations as g
      where g.enterprise_id = v_enterprise and g.accepted_at <= coalesce(p_at, clock_timestamp())))
    || (select case when i.listed = '[]' then '{}' else jsonb_build_object('interpretations', i.listed) end
      from rules.interpretation_documents(v_enterprise) as i (listed));
end
$$;
alter function rules.export_contract(date, timestamptz) owner to crewpay_definer;
grant execute on function rules.export_contract(date, timestamptz) to crewpay_admin, crewpay_payroll, crewpay_service;
comment on function rules.export_contract(date, timestamptz) is
'The contract of the caller''s enterprise as a document that rules.load_contract() takes; loading it again changes nothing.
p_on: only versions in force on this day, null for all on record; p_at: as it was on record at this moment, null for now. Raises 42501.';

-- Fields of two rows of a document, side by side where they differ.
create or replace function rules.field_changes(p_old jsonb, p_new jsonb)
returns table (field text, old_value jsonb, new_value jsonb)
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(o.key, n.key), o.value, n.value
  from jsonb_each(p_old) as o
  full join jsonb_each(p_new) as n on n.key = o.key
  where o.value is distinct from n.value
    -- A formula is compared parameter by parameter.
    and not (coalesce(o.key, n.key) = 'formula' and jsonb_typeof(o.value) = 'object' and jsonb_typeof(n.value) = 'object')
  union all
  select 'formula.' || coalesce(o.key, n.key), o.value, n.value
  from jsonb_each(case when jsonb_typeof(p_new -> 'formula') = 'object' then p_old -> 'formula' end) as o
  full join jsonb_each(case when jsonb_typeof(p_old -> 'formula') = 'object' then p_new -> 'formula' end) as n on n.key = o.key
  where o.value is distinct from n.value
  order by 1
$$;
comment on function rules.field_changes(jsonb, jsonb) is
'Fields in which two objects differ, a formula parameter by parameter.
p_old, p_new: the objects.';

-- Terms of a document beside those on record. A version is its code and effective date; a code with a new date is compared with the
-- version that it follows. What the document leaves out is removed only as far as it speaks of the positions.
create or replace function rules.diff_terms(p_enterprise uuid, p_terms jsonb)
returns table (change text, code text, effective date, field text, old_value jsonb, new_value jsonb)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  with written as (
    select t ->> 'code' as code, (t ->> 'effective')::date as effective, t - 'note' as document
    from jsonb_array_elements(p_terms) as t
  ),
  recorded as (
    select t.term_code::text as code, t.effective_date as effective, t.expiration_date, t.applies_to, rules.term_document(t) as document
    from rules.union_contract_terms as t
    where t.enterprise_id = p_enterprise and t.superseded_at is null
  ),
  compared as (
    -- A term that only ends says nothing of the rest.
    select w.code, coalesce(w.effective, r.effective) as effective, r.document as old_document,
      case when w.effective is null then r.document || w.document else w.document end as new_document
    from written as w
    left join lateral (
      select r.effective,
        -- An end that the document doesn't give, and a default that it does, are no difference.
        case when r.effective = w.effective and not w.document ? 'expires' then r.document - 'expires' else r.document end
          || case when w.document -> 'priority' = '100' and not r.document ? 'priority' then '{"priority": 100}'::jsonb else '{}' end as document
      from recorded as r
      where r.code = w.code and (w.effective is null or r.effective <= w.effective)
      order by r.effective desc
      limit 1
    ) as r on true
  )
  select case when c.old_document is null then 'added' else 'changed' end, c.code, c.effective, f.field, f.old_value, f.new_value
  from compared as c
  cross join lateral (
    select null::text as field, null::jsonb as old_value, c.new_document as new_value
    where c.old_document is null
    union all
    select f.field, f.old_value, f.new_value
    from rules.field_changes(c.old_document, c.new_document) as f
    where c.old_document is not null
  ) as f
  union all
  select 'removed', r.code, r.effective, null, r.document, null
  from recorded as r
  where r.code not in (select w.code from written as w)
    and coalesce(r.expiration_date > current_date, true)
    and exists (
      select
      from jsonb_array_elements(p_terms) as t
      cross join lateral jsonb_array_elements_text(t -> 'applies_to') as position_name
      where position_name = any (r.applies_to::text[]))
$$;
comment on function rules.diff_terms(uuid, jsonb) is
'How the terms of a document differ from those on record: added, changed (a row per field), removed.
p_enterprise: tenant; p_terms: terms of a contract document.';

-- Rows of the rule graph by their keys.
create or replace function rules.diff_graph(p_enterprise uuid, p_contract jsonb)
returns table (change text, part text, code text, field text, old_value jsonb, new_value jsonb)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  with recorded as (
    select rules.graph_document(p_enterprise, rules.accepted_generation(p_enterprise))
      || jsonb_build_object('interpretations', rules.interpretation_documents(p_enterprise)) as document
  ),
  listed as (
    select d.side, p.part, row_document,
      case p.part when 'scenarios' then row_document ->> 'id' when 'components' then row_document ->> 'type' when 'interpretations' then row_document ->> 'code'
        else concat_ws(' ', row_document ->> 'from', row_document ->> 'kind', row_document ->> 'to') end as code
    from (
      select 'new' as side, p_contract as document
      union all
      select 'old', r.document from recorded as r
    ) as d
    cross join unnest(array['scenarios', 'components', 'edges', 'interpretations']) as p (part)
    cross join lateral jsonb_array_elements(coalesce(d.document -> p.part, '[]')) as listed_rows (listed_row)
    cross join lateral (
      -- A scenario without description is described by its name.
      select case when p.part = 'scenarios' and not listed_row ? 'description'
        then listed_row || jsonb_build_object('description', listed_row -> 'name')
        when p.part = 'interpretations' then rules.complete_interpretation(listed_row) else listed_row end) as described (row_document)
    where p_contract ? p.part
  ),
  compared as (
    select coalesce(n.part, o.part) as part, coalesce(n.code, o.code) as code, o.row_document as old_document, n.row_document as new_document
    from (select * from listed where side = 'new') as n
    full join (select * from listed where side = 'old') as o on o.part = n.part and o.code = n.code
  )
  select case when c.old_document is null then 'added' when c.new_document is null then 'removed' else 'changed' end,
    c.part, c.code, f.field, f.old_value, f.new_value
  from compared as c
  cross join lateral (
    select null::text as field, c.old_document as old_value, c.new_document as new_value
    where c.old_document is null or c.new_document is null
    union all
    select f.field, f.old_value, f.new_value
    from rules.field_changes(c.old_document, c.new_document) as f
    where c.old_document is not null and c.new_document is not null
  ) as f
$$;
comment on function rules.diff_graph(uuid, jsonb) is
'How scenarios, components, edges and interpretations of a document differ from what is on record; parts that the document hasn''t are left alone.
p_enterprise: tenant; p_contract: contract document.';

create or replace function rules.diff_contract(p_contract jsonb)
returns table (change text, part text, code text, effective date, field text, old_value jsonb, new_value jsonb)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform auth.require_role('admin', 'payroll', 'service_role');
  perform rules.check_document(p_contract);
  return query
    select d.change, 'terms', d.code, d.effective, d.field, d.old_value, d.new_value
    from rules.diff_terms(auth.enterprise_id(), coalesce(p_contract -> 'terms', '[]')) as d
    union all
    select d.change, d.part, d.code, null, d.field, d.old_value, d.new_value
    from rules.diff_graph(auth.enterprise_id(), p_contract) as d
    order by 2 desc, 3, 4, 5 nulls first;
end
$$;
alter function rules.diff_contract(jsonb) owner to crewpay_definer;
grant execute on function rules.diff_contract(jsonb) to crewpay_admin, crewpay_payroll, crewpay_service;
comment on function rules.diff_contract(jsonb) is
'How a contract document differs from what is on record: a row per field changed, per row added, and per row that only the record has (removed; loading leaves it).
p_contract: as rules.load_contract(). Raises CP202 with the term''s code and the JSON path, 42501.';
