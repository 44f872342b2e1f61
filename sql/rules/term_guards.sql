-- What a row of union_contract_terms must be, however it is written: a formula of the form that the catalogue describes, one version
-- of a code at a time, and never another text under a version that pay was computed by.

create or replace function rules.tg_check_term()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_schema jsonb;
  v_faults record;
  v_other date;
begin
  if new.calculation_formula is not null and (tg_op = 'INSERT' or new.calculation_formula is distinct from old.calculation_formula) then
    v_schema := rules.formula_schema(new.calculation_formula ->> 'type');
    select array_agg(new.term_code::text) as clauses, array_agg(e.json_path) as paths, array_agg(e.code) as codes,
      array_agg(e.problem) as problems, array_agg(e.hint) as hints
    into v_faults
    from rules.schema_errors(v_schema, new.calculation_formula) as e;
    if v_faults.clauses is not null then
      perform rules.refuse_all(v_faults.clauses, v_faults.paths, v_faults.codes, v_faults.problems, v_faults.hints);
    end if;
  end if;

  if new.superseded_at is null then
    select t.effective_date into v_other
    from rules.union_contract_terms as t
    where t.enterprise_id = new.enterprise_id and t.term_code = new.term_code and t.superseded_at is null and t.id <> new.id
      and daterange(t.effective_date, t.expiration_date) && daterange(new.effective_date, new.expiration_date)
    limit 1;
    if found then
      perform rules.refuse('CP207', new.term_code || ' $.effective', format('the version of %s and the one of %s would be in force at once', new.effective_date, v_other),
        'End the one where the other begins (expires is the first day on which a version no longer holds).');
    end if;
  end if;

  if tg_op = 'UPDATE'
    and (new.term_code, new.calculation_formula, new.effective_date, new.expiration_date, new.applies_to, new.priority)
      is distinct from (old.term_code, old.calculation_formula, old.effective_date, old.expiration_date, old.applies_to, old.priority)
  then
    -- Operators have no role, and may still repair; the trail shows their login. Where two people are needed that is said instead (CP320).
    if auth.role() is not null and not pay.is_live(old.enterprise_id) and exists (
      select from rules.ruleset_terms as r where r.enterprise_id = old.enterprise_id and r.term_id = old.id) then
      perform rules.refuse('CP208', old.term_code, format('pay was computed by the version of %s', old.effective_date),
        'Load the change: it becomes a version of its own (crewpay contract load).');
    end if;
    new.recorded_at := now();
  end if;
  return new;
end
$$;
alter function rules.tg_check_term() owner to crewpay_definer;
revoke all on function rules.tg_check_term() from public;
comment on function rules.tg_check_term() is
'Row trigger before INSERT and UPDATE on union_contract_terms: the formula has the form of rules.formula_schema(), versions of a code
don''t overlap, and a version that pay was computed by isn''t edited. Raises CP201, CP202, CP204, CP207, CP208.';

create or replace trigger union_contract_terms_10_checked before insert or update on rules.union_contract_terms
  for each row execute function rules.tg_check_term();
comment on trigger union_contract_terms_10_checked on rules.union_contract_terms is 'A formula of the catalogue''s form, one version at a time, none edited that pay was computed by.';
