-- Versions of contract terms: when each applies (effective and expiration date) and when it was known (recorded and superseded).

create or replace function rules.terms_as_of(p_at timestamptz)
returns setof rules.union_contract_terms
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select t.*
  from rules.union_contract_terms as t
  where t.recorded_at <= p_at
    and (t.superseded_at is null or t.superseded_at > p_at)
$$;
grant execute on function rules.terms_as_of(timestamptz) to crewpay_admin, crewpay_payroll, crewpay_service, crewpay_crew;
comment on function rules.terms_as_of(timestamptz) is
'Versions of contract terms that were on record at a moment, of the enterprises the caller may read.
p_at: the moment, e.g. pay_runs.as_of.';

-- A term as a contract document has it; what is the default is left out.
create or replace function rules.term_document(p_term rules.union_contract_terms)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select jsonb_strip_nulls(jsonb_build_object(
      'code', p_term.term_code, 'category', p_term.term_category, 'title', p_term.term_title, 'text', p_term.term_text,
      'applies_to', p_term.applies_to, 'effective', p_term.effective_date, 'expires', p_term.expiration_date,
      'priority', nullif(p_term.priority, 100)))
    || case when p_term.calculation_formula is null then '{}'::jsonb else jsonb_build_object('formula', p_term.calculation_formula) end
$$;
comment on function rules.term_document(rules.union_contract_terms) is
'A version of a term as a contract document writes it: code, category, title, text, applies_to, effective, expires, priority, formula.
p_term: the version.';

-- Supersedes a version and, where it goes on until another day, records it anew with that day.
create or replace function rules.supersede_term(p_enterprise uuid, p_term uuid, p_until date default null)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  update rules.union_contract_terms as t
  set superseded_at = now()
  where t.enterprise_id = p_enterprise and t.id = p_term;

  insert into rules.union_contract_terms (
    enterprise_id, term_code, term_category, term_title, term_text, calculation_formula, effective_date, expiration_date, applies_to, priority)
  select t.enterprise_id, t.term_code, t.term_category, t.term_title, t.term_text, t.calculation_formula, t.effective_date, p_until, t.applies_to, t.priority
  from rules.union_contract_terms as t
  where t.enterprise_id = p_enterprise and t.id = p_term and p_until is not null;
$$;
comment on function rules.supersede_term(uuid, uuid, date) is
'Supersedes a version of a term; it stays on record as what was known until now.
p_enterprise: tenant; p_term: the version; p_until: the day on which it stops applying, recorded as a new version; null: it is replaced altogether.';
