-- The terms that the compiler reads: those on record, unless this transaction has laid others over them. An overlay belongs to its
-- transaction by number: nobody can forge one, nobody else sees it, and it is removed before anything is committed.

create or replace function rules.laid_terms(p_enterprise uuid)
returns setof rules.union_contract_terms
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
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
      and o.transaction = pg_current_xact_id_if_assigned();
end
$$;
comment on function rules.laid_terms(uuid) is
'The current versions on record, or those that this transaction has laid over them.
p_enterprise: tenant.';

create or replace function rules.known_until(p_enterprise uuid)
returns table (crew_position crew.crew_position, until date)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select covered.crew_position, max(t.expiration_date)
    from rules.laid_terms(p_enterprise) as t
    cross join lateral unnest(t.applies_to) as covered (crew_position)
    where t.calculation_formula is not null
    group by covered.crew_position
    having bool_and(t.expiration_date is not null);
end
$$;
comment on function rules.known_until(uuid) is
'Positions for which every term on record ends, with the first day for which there is none.
p_enterprise: tenant.';

-- A contract that has run out without a successor goes on as it stood (45 USC 156: no carrier alters rates, rules or working
-- conditions until there is a new agreement). A run that pays by it says so (CP220).
create or replace function rules.terms_in_force(p_enterprise uuid)
returns setof rules.union_contract_terms
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    with ends as materialized (
      select k.crew_position, k.until from rules.known_until(p_enterprise) as k
    ),
    terms as (
      select t as term, array(select e.crew_position from ends as e where e.crew_position = any (t.applies_to) and e.until = t.expiration_date) as going_on
      from rules.laid_terms(p_enterprise) as t
    )
    select (t.term).*
    from terms as t
    where t.going_on = '{}'
    union all
    select r.*
    from terms as t
    cross join lateral (
      select jsonb_build_object('expiration_date', null, 'applies_to', t.going_on)
      union all
      -- Positions that have other terms leave this one.
      select jsonb_build_object('applies_to', rest.positions)
      from (select array(select p from unnest((t.term).applies_to) as p where p <> all (t.going_on))) as rest (positions)
      where rest.positions <> '{}'
    ) as changes (changed)
    cross join lateral jsonb_populate_record(t.term, changes.changed) as r
    where t.going_on <> '{}';
end
$$;
comment on function rules.terms_in_force(uuid) is
'The terms to compile: the current versions on record, or those that this transaction has laid over them. Where all terms of a position
have ended, those that were in force last go on.
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
