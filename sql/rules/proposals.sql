-- A proposed contract: the document that says what would be different, beside the terms on record.

-- A proposal holds for the whole of every period, whenever it is to begin: of several versions of a code the last counts, of several
-- dated steps of a rate as well.
create or replace function rules.timeless_formula(p_formula jsonb)
returns jsonb
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select case when p_formula ->> 'type' = 'hourly_rate' and jsonb_typeof(p_formula -> 'steps') = 'array'
    then p_formula || jsonb_build_object('steps', (
      select jsonb_agg(last.step - 'from' order by last.step_no)
      from (
        select distinct on (s.step ->> 'position', s.step ->> 'year', s.step ->> 'aircraft_type') s.step, s.step_no
        from jsonb_array_elements(p_formula -> 'steps') with ordinality as s (step, step_no)
        order by s.step ->> 'position', s.step ->> 'year', s.step ->> 'aircraft_type', s.step ->> 'from' desc nulls last
      ) as last))
    else p_formula end
$$;
comment on function rules.timeless_formula(jsonb) is
'A formula without dates: of a rate table only the last step of each position and year.
p_formula: formula of a contract document.';

-- What a proposal leaves out of a term that is on record stays as it is there.
create or replace function rules.completed_terms(p_enterprise uuid, p_terms jsonb)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(jsonb_agg(
    case when rules.is_ending(w.term) then w.term
      else coalesce(r.document - 'effective' - 'expires', '{}') || '{"effective": "1900-01-01"}' || w.term end order by w.no), '[]')
  from jsonb_array_elements(p_terms) with ordinality as w (term, no)
  left join lateral (
    select rules.term_document(t) as document
    from rules.union_contract_terms as t
    where t.enterprise_id = p_enterprise and t.superseded_at is null and t.term_code = w.term ->> 'code'
    order by t.effective_date desc
    limit 1
  ) as r on true
$$;
comment on function rules.completed_terms(uuid, jsonb) is
'Terms of a proposal with what they leave out taken from the last version on record.
p_enterprise: tenant; p_terms: terms of a contract document; code and formula are enough.';

create or replace function rules.proposed_terms(p_enterprise uuid, p_terms jsonb)
returns table (term_code text, change text, term jsonb)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  with written as (
    select distinct on (t ->> 'code') t ->> 'code' as code, t as document, rules.is_ending(t) as is_ended
    from jsonb_array_elements(p_terms) as t
    order by t ->> 'code', t ->> 'effective' desc
  ),
  different as (
    select distinct d.code
    from rules.diff_terms(p_enterprise, (select jsonb_agg(t) from jsonb_array_elements(p_terms) as t where not rules.is_ending(t))) as d
    where d.change in ('added', 'changed')
  ),
  changed as (
    select w.*, exists (
      select from rules.union_contract_terms as t
      where t.enterprise_id = p_enterprise and t.superseded_at is null and t.term_code = w.code) as is_known
    from written as w
    where w.is_ended or w.code in (select d.code from different as d)
  )
  select t.term_code::text, 'unchanged', to_jsonb(t)
  from rules.union_contract_terms as t
  where t.enterprise_id = p_enterprise and t.superseded_at is null and t.term_code not in (select c.code from changed as c)
  union all
  select c.code, case when c.is_ended then 'removed' when c.is_known then 'changed' else 'added' end,
    case when not c.is_ended then to_jsonb(jsonb_populate_record(null::rules.union_contract_terms, jsonb_build_object(
      'enterprise_id', p_enterprise, 'id', gen_random_uuid(), 'term_code', c.code, 'term_category', c.document -> 'category',
      'term_title', c.document -> 'title', 'term_text', c.document -> 'text', 'calculation_formula', rules.timeless_formula(c.document -> 'formula'),
      'effective_date', '1900-01-01', 'applies_to', c.document -> 'applies_to', 'priority', coalesce(c.document -> 'priority', '100'), 'recorded_at', now()))) end
  from changed as c
$$;
comment on function rules.proposed_terms(uuid, jsonb) is
'The terms that would be in force under a proposal: those on record, with the document''s in place of their codes. change: unchanged, changed,
added or removed; term: row of rules.union_contract_terms, null for a removed one.
p_enterprise: tenant; p_terms: complete terms of a contract document; {"code", "expires"} removes a term.';
