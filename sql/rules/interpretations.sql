-- Interpretations: how rules and terms apply to a situation, each with an example that is recomputed. Validated by another person than
-- who wrote them, and no longer once they are changed.

create or replace function rules.tg_interpretation_written()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if tg_op = 'UPDATE' and (new.scenario_description, new.applicable_faa_rule_ids, new.applicable_contract_term_ids, new.interpretation, new.example_calculation, new.confidence_score)
      is not distinct from (old.scenario_description, old.applicable_faa_rule_ids, old.applicable_contract_term_ids, old.interpretation, old.example_calculation, old.confidence_score) then
    return new;
  end if;
  new.recorded_by := audit.actor();
  new.recorded_by_person := auth.person();
  -- What is validated is what was read; operators, who have no role, bring validated ones in.
  if tg_op = 'UPDATE' or auth.role() is not null then
    new.validated_by := null;
    new.validated_at := null;
  end if;
  return new;
end
$$;
alter function rules.tg_interpretation_written() owner to crewpay_definer;
revoke all on function rules.tg_interpretation_written() from public;
comment on function rules.tg_interpretation_written() is
'Row trigger before INSERT and UPDATE on rule_interpretations: records who wrote it; what is changed is no longer validated.';

create or replace trigger rule_interpretations_10_written before insert or update on rules.rule_interpretations
  for each row execute function rules.tg_interpretation_written();
comment on trigger rule_interpretations_10_written on rules.rule_interpretations is 'Who wrote it; changed, it is no longer validated.';

create or replace function rules.is_guidance(p_interpretation rules.rule_interpretations)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select p_interpretation.validated_at is not null
    and p_interpretation.confidence_score > coalesce((platform.get_config('rules.guidance_confidence', p_interpretation.enterprise_id) #>> '{}')::numeric, 80)
$$;
grant execute on function rules.is_guidance(rules.rule_interpretations) to crewpay_admin, crewpay_payroll, crewpay_service, crewpay_crew;
comment on function rules.is_guidance(rules.rule_interpretations) is
'Whether an interpretation counts as guidance: validated, and its confidence above the setting rules.guidance_confidence.
p_interpretation: the interpretation.';

create or replace function rules.verify_interpretations()
returns table (interpretation_id uuid, interpretation_code text, scenario_description text, is_guidance boolean, holds boolean, code text,
  expected jsonb, computed jsonb, detail text)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform auth.require_role('admin', 'payroll', 'service_role');
  return query
    select i.id, i.interpretation_code::text, i.scenario_description, rules.is_guidance(i), c.holds, c.code, c.expected, c.computed, c.detail
    from rules.rule_interpretations as i
    cross join lateral rules.example_check(i.enterprise_id, i.example_calculation,
      array(
        select distinct t.term_code::text
        from rules.union_contract_terms as t
        where t.enterprise_id = i.enterprise_id and t.id = any (i.applicable_contract_term_ids)),
      coalesce(rules.accepted_generation(i.enterprise_id), -1)) as c
    where i.enterprise_id = auth.enterprise_id()
      and i.example_calculation is not null
    order by c.holds, i.interpretation_code, i.scenario_description;
end
$$;
alter function rules.verify_interpretations() owner to crewpay_definer;
grant execute on function rules.verify_interpretations() to crewpay_admin, crewpay_payroll, crewpay_service;
comment on function rules.verify_interpretations() is
'Recomputes the example of every interpretation by the contract now in force; those that no longer hold come first (holds is false) with what differs.
code: CP222 where the lines differ, else the SQLSTATE of what refused it. Raises 42501.';

create or replace view rules.guidance
with (security_invoker = true, security_barrier = true)
as
select i.enterprise_id, i.id, i.interpretation_code, i.scenario_description, i.interpretation, i.example_calculation, i.applicable_faa_rule_ids,
  i.applicable_contract_term_ids, i.confidence_score, i.validated_by, i.validated_at
from rules.rule_interpretations as i
where rules.is_guidance(i);
comment on view rules.guidance is 'Interpretations that count as guidance: validated, and more confident than the setting rules.guidance_confidence.';
comment on column rules.guidance.enterprise_id is 'Tenant.';
comment on column rules.guidance.id is 'Interpretation.';
comment on column rules.guidance.interpretation_code is 'Its name.';
comment on column rules.guidance.scenario_description is 'The situation.';
comment on column rules.guidance.interpretation is 'How rules and terms apply.';
comment on column rules.guidance.example_calculation is 'Executable example.';
comment on column rules.guidance.applicable_faa_rule_ids is 'Regulations involved.';
comment on column rules.guidance.applicable_contract_term_ids is 'Terms involved.';
comment on column rules.guidance.confidence_score is 'Confidence, 0 to 100.';
comment on column rules.guidance.validated_by is 'Who validated it.';
comment on column rules.guidance.validated_at is 'When.';
grant select on rules.guidance to crewpay_admin, crewpay_payroll, crewpay_service, crewpay_crew;

create or replace function rules.validate_interpretation(p_interpretation uuid)
returns rules.rule_interpretations
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_found rules.rule_interpretations;
  v_check record;
begin
  perform auth.require_role('admin');
  select * into v_found
  from rules.rule_interpretations as i
  where i.enterprise_id = auth.enterprise_id() and i.id = p_interpretation
  for update;
  if not found then
    raise exception using errcode = 'CP214', message = 'no such interpretation', hint = 'List them: select id, scenario_description from rules.rule_interpretations.';
  end if;
  perform pay.require_approver(array[v_found.recorded_by_person], array[v_found.recorded_by::text]);
  select * into v_check
  from rules.example_check(v_found.enterprise_id, v_found.example_calculation,
    array(
      select distinct t.term_code::text
      from rules.union_contract_terms as t
      where t.enterprise_id = v_found.enterprise_id and t.id = any (v_found.applicable_contract_term_ids)),
    coalesce(rules.accepted_generation(v_found.enterprise_id), -1));
  if not v_check.holds then
    raise exception using
      errcode = 'CP222',
      message = 'the example of the interpretation does not hold',
      detail = v_check.detail,
      hint = 'Correct the example, or the contract: select * from rules.verify_interpretations().';
  end if;
  update rules.rule_interpretations as i
  set validated_by = audit.actor(), validated_at = now()
  where i.enterprise_id = v_found.enterprise_id and i.id = v_found.id
  returning i.* into v_found;
  return v_found;
end
$$;
alter function rules.validate_interpretation(uuid) owner to crewpay_definer;
grant execute on function rules.validate_interpretation(uuid) to crewpay_admin;
comment on function rules.validate_interpretation(uuid) is
'Validates an interpretation whose example holds, as another person than who wrote it. For administrators.
p_interpretation: its key. Raises CP214 (unknown), CP222 (the example does not hold), CP310 (another person has to), 42501.';

-- Interpretations of a contract document, by their code.
create or replace function rules.load_interpretations(p_enterprise uuid, p_rows jsonb, out added integer, out changed integer)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_row record;
  v_unknown record;
  v_id uuid;
begin
  added := 0;
  changed := 0;
  -- What an interpretation is about has to be there, or it would guide by nothing.
  select format('(interpretation %s)', i ->> 'code') as clause, format('$.%s[%s]', n.list, n.position - 1) as place, n.name into v_unknown
  from jsonb_array_elements(p_rows) as i
  cross join lateral (
    select 'terms' as list, t.name, t.position, exists (
      select from rules.union_contract_terms as u where u.enterprise_id = p_enterprise and u.term_code = t.name and u.superseded_at is null) as is_known
    from jsonb_array_elements_text(i -> 'terms') with ordinality as t (name, position)
    union all
    select 'faa_rules', r.name, r.position, exists (select from rules.faa_rules as f where f.rule_code = r.name and f.superseded_at is null)
    from jsonb_array_elements_text(i -> 'faa_rules') with ordinality as r (name, position)
  ) as n
  where not n.is_known
  limit 1;
  if found then
    perform rules.refuse_all(array[v_unknown.clause], array[v_unknown.place], array['CP203'], array[format('%s is not on record', v_unknown.name)],
      array['Load the clause, or the rule, before what interprets it.']);
  end if;
  for v_row in
    select g.code, g.scenario, g.interpretation, g.example, coalesce(g.confidence, 50) as confidence,
      array(select r.id from rules.faa_rules as r where r.rule_code = any (g.faa_rules) and r.superseded_at is null and r.expiration_date is null order by r.rule_code) as rule_ids,
      array(
        select t.id
        from rules.union_contract_terms as t
        where t.enterprise_id = p_enterprise and t.term_code = any (g.terms) and t.superseded_at is null and t.expiration_date is null order by t.term_code) as term_ids
    from jsonb_to_recordset(coalesce(p_rows, '[]')) as g (
      code text, scenario text, interpretation text, example jsonb, confidence integer, faa_rules text[], terms text[])
  loop
    if exists (
      select
      from rules.rule_interpretations as i
      where i.enterprise_id = p_enterprise and i.interpretation_code = v_row.code
        and (i.scenario_description, i.interpretation, i.example_calculation, i.confidence_score, i.applicable_faa_rule_ids, i.applicable_contract_term_ids)
          is not distinct from (v_row.scenario, v_row.interpretation, v_row.example, v_row.confidence, v_row.rule_ids, v_row.term_ids)) then
      continue;
    end if;
    v_id := null;
    update rules.rule_interpretations as i
    set scenario_description = v_row.scenario, interpretation = v_row.interpretation, example_calculation = v_row.example, confidence_score = v_row.confidence,
      applicable_faa_rule_ids = v_row.rule_ids, applicable_contract_term_ids = v_row.term_ids
    where i.enterprise_id = p_enterprise and i.interpretation_code = v_row.code
    returning i.id into v_id;
    if found then
      changed := changed + 1;
    else
      insert into rules.rule_interpretations (
        enterprise_id, interpretation_code, scenario_description, interpretation, example_calculation, confidence_score, applicable_faa_rule_ids, applicable_contract_term_ids)
      values (p_enterprise, v_row.code, v_row.scenario, v_row.interpretation, v_row.example, v_row.confidence, v_row.rule_ids, v_row.term_ids)
      returning id into v_id;
      added := added + 1;
    end if;
    delete from rules.interpretation_faa_rules where enterprise_id = p_enterprise and interpretation_id = v_id;
    insert into rules.interpretation_faa_rules (enterprise_id, interpretation_id, faa_rule_id) select p_enterprise, v_id, unnest(v_row.rule_ids);
    delete from rules.interpretation_contract_terms where enterprise_id = p_enterprise and interpretation_id = v_id;
    insert into rules.interpretation_contract_terms (enterprise_id, interpretation_id, contract_term_id) select p_enterprise, v_id, unnest(v_row.term_ids);
  end loop;
end
$$;
comment on function rules.load_interpretations(uuid, jsonb) is
'Interpretations of a contract document: new codes are added, changed ones replaced (and no longer validated), equal ones stay.
p_enterprise: tenant; p_rows: [{"code","scenario","terms","faa_rules","interpretation","confidence","example"}]. Raises CP203 (a term or rule that isn''t on record).';

-- A proposal tried on examples: its own, and those on record. Nothing of it stays.
create or replace function rules.test_contract(p_contract jsonb)
returns table (interpretation_code text, scenario_description text, holds boolean, code text, expected jsonb, computed jsonb, detail text)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_enterprise uuid := auth.enterprise_id();
  v_changes jsonb;
  v_current bigint := coalesce(rules.accepted_generation(v_enterprise), -1);
  v_generation bigint := v_current;
begin
  perform auth.require_role('admin', 'payroll', 'service_role');
  v_changes := p_contract || case when p_contract ? 'terms' then jsonb_build_object('terms', rules.completed_terms(v_enterprise, p_contract -> 'terms')) else '{}'::jsonb end;
  perform rules.check_document(v_changes);
  perform rules.lay_terms(v_enterprise, (
    select jsonb_agg(t.term)
    from rules.proposed_terms(v_enterprise, coalesce(v_changes -> 'terms', '[]')) as t
    where t.change <> 'removed'));
  if v_changes ?| array['scenarios', 'components', 'edges'] then
    v_generation := -1000 - pg_current_xact_id()::text::bigint;
    perform rules.lay_graph(v_enterprise, v_changes, v_current, v_generation);
  end if;
  -- A clause that no example needs must compile as well.
  perform rules.check_compiles(v_enterprise, v_generation, array[date_trunc('month', now())::date]);
  return query
    with examples as (
      select i ->> 'code' as interpretation_code, i ->> 'scenario' as scenario_description, i -> 'example' as example,
        array(select jsonb_array_elements_text(coalesce(i -> 'terms', '[]'))) as codes
      from jsonb_array_elements(coalesce(p_contract -> 'interpretations', '[]')) as i
      union all
      select i.interpretation_code::text, i.scenario_description, i.example_calculation,
        array(
          select distinct t.term_code::text
          from rules.union_contract_terms as t
          where t.enterprise_id = i.enterprise_id and t.id = any (i.applicable_contract_term_ids))
      from rules.rule_interpretations as i
      where i.enterprise_id = v_enterprise
        and not exists (
          select
          from jsonb_array_elements(coalesce(p_contract -> 'interpretations', '[]')) as own
          where own ->> 'code' = i.interpretation_code)
    )
    select e.interpretation_code, e.scenario_description, c.holds, c.code, c.expected, c.computed, c.detail
    from examples as e
    cross join lateral rules.example_check(v_enterprise, e.example, e.codes, v_generation) as c
    where e.example is not null
    order by c.holds, e.interpretation_code, e.scenario_description;
  perform rules.lift_terms(v_enterprise);
  if v_generation <> v_current then
    perform rules.drop_graph(v_enterprise, v_generation);
  end if;
end
$$;
alter function rules.test_contract(jsonb) owner to crewpay_definer;
grant execute on function rules.test_contract(jsonb) to crewpay_admin, crewpay_payroll, crewpay_service;
comment on function rules.test_contract(jsonb) is
'Compiles a contract document and tries it on the examples of its interpretations and of those on record, without loading it; those that
don''t hold come first.
p_contract: as rules.load_contract() takes it. Raises 42501, CP201 to CP207 (the document).';
