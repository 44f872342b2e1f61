-- The terms that the compiler reads: those on record, unless this transaction has laid others over them. An overlay belongs to its
-- transaction by number: nobody can forge one, nobody else sees it, and it is removed before anything is committed.

-- No SET, so that filters reach the tables beneath.
create or replace function rules.terms_in_force(p_enterprise uuid)
returns setof rules.union_contract_terms
language sql
stable
as $$
  select t.*
  from rules.union_contract_terms as t
  where t.enterprise_id = p_enterprise
    and t.superseded_at is null
    and not exists (
      select
      from rules.term_overlays as o
      where o.enterprise_id = p_enterprise and o.transaction = pg_current_xact_id_if_assigned())
  union all
  select t.*
  from rules.term_overlays as o
  cross join lateral jsonb_populate_record(null::rules.union_contract_terms, o.term) as t
  where o.enterprise_id = p_enterprise
    and o.transaction = pg_current_xact_id_if_assigned()
$$;
comment on function rules.terms_in_force(uuid) is
'The terms to compile: the current versions on record, or those that this transaction has laid over them.
p_enterprise: tenant.';

create or replace function rules.lay_terms(p_enterprise uuid, p_terms jsonb)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into rules.term_overlays (enterprise_id, term)
  select p_enterprise, value
  from jsonb_array_elements(p_terms);
  -- Nothing laid over the record would be the record.
  if not found then
    raise exception using
      errcode = 'CP213',
      message = 'no term is left to pay by',
      hint = 'A contract has at least one term.';
  end if;
end
$$;
comment on function rules.lay_terms(uuid, jsonb) is
'Lays terms over those on record, for this transaction until rules.lift_terms().
p_enterprise: tenant; p_terms: rows of rules.union_contract_terms. Raises CP213 (none).';

create or replace function rules.lift_terms(p_enterprise uuid)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  delete from rules.term_overlays as o
  where o.enterprise_id = p_enterprise and o.transaction = pg_current_xact_id_if_assigned()
$$;
comment on function rules.lift_terms(uuid) is
'Removes what rules.lay_terms() laid over the terms on record.
p_enterprise: tenant.';
