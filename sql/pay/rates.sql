-- Four eyes on what an hour pays. As long as an airline sets itself up, its administrators write rates and contract alone.
-- From the first approved run on it pays people by them: then base hourly rates of crew members and the contract (terms with a
-- formula, and the rule graph of a document) change when one person asks and another approves.
--
--   pay.request_rates(…)       ──┐                              ┌── applied
--   rules.request_contract(…)  ──┼─▶ pending ──approve_rate_change──┤
--   crew.import_finish(…)      ──┘      └──pay.deny_approval──▶ denied, withdrawn
--
-- New crew members come with their rate; whoever put one on record can't approve the period's run (pay.edited_by).

create or replace function pay.is_live(p_enterprise uuid)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select exists (
      select from pay.approvals as a
      where a.enterprise_id = p_enterprise and a.subject_kind = 'RUN' and a.decision = 'APPROVED')
    or exists (
      select from pay.pay_periods as p
      where p.enterprise_id = p_enterprise and p.status in ('CLOSED', 'PAID'))
$$;
comment on function pay.is_live(uuid) is
'Whether an airline pays by what is on record: a run was approved once, or a period is closed.
p_enterprise: tenant.';

create or replace function pay.refuse_single_person(p_what text, p_key text, p_hint text)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using
    errcode = 'CP320',
    message = format('%s of an airline that pays by it changes by two people', p_what),
    detail = p_key,
    hint = p_hint;
end
$$;
comment on function pay.refuse_single_person(text, text, text) is
'Says that one person is not enough: raises CP320.
p_what: what changes; p_key: which one; p_hint: how it is asked for.';

-- Operators, who are nobody's employees and have no role, may still repair; the trail shows their login.
create or replace function pay.tg_guard_rates()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_crew uuid;
begin
  if auth.role() is null then
    return null;
  end if;
  select n.id into v_crew
  from new_rows as n
  join old_rows as o on o.enterprise_id = n.enterprise_id and o.id = n.id
  where n.base_hourly_rate is distinct from o.base_hourly_rate
    and pay.is_live(n.enterprise_id)
    and not exists (
      select
      from pay.rate_changes as c
      where c.enterprise_id = n.enterprise_id and c.applied_in = pg_current_xact_id() and c.applied_at is null and c.rates ? n.id::text)
  limit 1;
  if v_crew is not null then
    perform pay.refuse_single_person('a rate', format('crew member %s', v_crew),
      'Ask for it: select pay.request_rates(…); another person applies it: select pay.approve_rate_change(…).');
  end if;
  return null;
end
$$;
alter function pay.tg_guard_rates() owner to crewpay_definer;
revoke all on function pay.tg_guard_rates() from public;
comment on function pay.tg_guard_rates() is
'Statement trigger after UPDATE on crew_members: once an airline pays by them, rates change through pay.approve_rate_change() only.
Raises CP320.';

create or replace trigger crew_members_20_rates after update on crew.crew_members
  referencing old table as old_rows new table as new_rows for each statement execute function pay.tg_guard_rates();
comment on trigger crew_members_20_rates on crew.crew_members is 'Rates of an airline that pays by them change by two people (CP320).';

create or replace function pay.tg_guard_contract()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_term text;
  v_changed constant text := case tg_op
    when 'INSERT' then 'select n.enterprise_id, n.term_code from new_rows as n where n.calculation_formula is not null'
    when 'DELETE' then 'select o.enterprise_id, o.term_code from old_rows as o where o.calculation_formula is not null'
    else $q$
      select n.enterprise_id, n.term_code
      from new_rows as n
      join old_rows as o on o.enterprise_id = n.enterprise_id and o.id = n.id
      where num_nonnulls(n.calculation_formula, o.calculation_formula) > 0
        and (n.term_code, n.calculation_formula, n.effective_date, n.expiration_date, n.applies_to, n.priority, n.recorded_at, n.superseded_at)
          is distinct from (o.term_code, o.calculation_formula, o.effective_date, o.expiration_date, o.applies_to, o.priority, o.recorded_at, o.superseded_at)$q$ end;
begin
  if auth.role() is null then
    return null;
  end if;
  execute format('select c.term_code from (%s) as c where pay.is_live(c.enterprise_id) and not pay.applies_contract(c.enterprise_id) limit 1', v_changed)
  into v_term;
  if v_term is not null then
    perform pay.refuse_single_person('the contract', format('term %s', v_term),
      'Ask for it: select rules.request_contract(…); another person applies it: select pay.approve_rate_change(…).');
  end if;
  return null;
end
$$;
alter function pay.tg_guard_contract() owner to crewpay_definer;
revoke all on function pay.tg_guard_contract() from public;
comment on function pay.tg_guard_contract() is
'Statement trigger after INSERT, UPDATE and DELETE on contract terms: once an airline pays by them, those with a formula change through
pay.approve_rate_change() only. Raises CP320.';

create or replace trigger union_contract_terms_20_inserted after insert on rules.union_contract_terms
  referencing new table as new_rows for each statement execute function pay.tg_guard_contract();
comment on trigger union_contract_terms_20_inserted on rules.union_contract_terms is 'The contract of an airline that pays by it changes by two people (CP320).';
create or replace trigger union_contract_terms_20_updated after update on rules.union_contract_terms
  referencing old table as old_rows new table as new_rows for each statement execute function pay.tg_guard_contract();
comment on trigger union_contract_terms_20_updated on rules.union_contract_terms is 'The contract of an airline that pays by it changes by two people (CP320).';
create or replace trigger union_contract_terms_20_deleted after delete on rules.union_contract_terms
  referencing old table as old_rows for each statement execute function pay.tg_guard_contract();
comment on trigger union_contract_terms_20_deleted on rules.union_contract_terms is 'The contract of an airline that pays by it changes by two people (CP320).';

create or replace function pay.applies_contract(p_enterprise uuid)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select exists (
    select
    from pay.rate_changes as c
    where c.enterprise_id = p_enterprise and c.applied_in = pg_current_xact_id_if_assigned() and c.applied_at is null and c.contract is not null)
$$;
comment on function pay.applies_contract(uuid) is
'Whether this transaction is applying an approved contract, or trying one that is asked for.
p_enterprise: tenant.';

-- SHA-256 of what is on record: an approved contract is laid over exactly what it was compared with.
create or replace function pay.contract_hash(p_enterprise uuid)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select encode(sha256(convert_to(concat_ws('|',
    (select string_agg(concat_ws('|', t.term_code, t.calculation_formula, t.effective_date, t.expiration_date, t.applies_to, t.priority), E'\n' order by t.id)
     from rules.union_contract_terms as t
     where t.enterprise_id = p_enterprise and t.superseded_at is null),
    rules.accepted_generation(p_enterprise)), 'UTF8')), 'hex')
$$;
comment on function pay.contract_hash(uuid) is
'Hash of the contract on record: terms and accepted generation of the rule graph.
p_enterprise: tenant.';

create or replace function pay.rate_change_hash(p_change pay.rate_changes)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select encode(sha256(convert_to(
    concat_ws('|', p_change.id, p_change.rates, p_change.contract, p_change.contract_before), 'UTF8')), 'hex')
$$;
comment on function pay.rate_change_hash(pay.rate_changes) is
'What an approval of a rate change covers: every rate before and after; or the contract document, and what it is laid over.
p_change: the change.';

-- The rates asked for that differ from those on record, by crew member: [before, after].
create or replace function pay.rate_differences(p_rates jsonb)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_enterprise uuid := auth.enterprise_id();
  v_bad text;
begin
  if jsonb_typeof(p_rates) is distinct from 'object' then
    raise exception using
      errcode = 'CP109',
      message = 'rates are an object',
      hint = 'Write {"E001": 210.50}: employee number and dollars per hour; null takes the rate away.';
  end if;
  select r.key into v_bad
  from jsonb_each(p_rates) as r
  where case jsonb_typeof(r.value)
    when 'null' then false
    when 'number' then r.value::numeric not between 0 and 99999999.99 or r.value::numeric <> round(r.value::numeric, 2)
    else true end
  limit 1;
  if found then
    raise exception using
      errcode = 'CP109',
      message = format('the rate of %s is no amount', left(v_bad, 20)),
      hint = 'Dollars per hour with at most two decimals, or null.';
  end if;
  select r.key into v_bad
  from jsonb_each(p_rates) as r
  where not exists (select from crew.crew_members as m where m.enterprise_id = v_enterprise and m.employee_id = r.key)
  limit 1;
  if found then
    raise exception using
      errcode = 'CP106',
      message = format('unknown crew member %s', left(v_bad, 20)),
      hint = 'Name crew members of your enterprise by their employee number.';
  end if;
  return (
    select jsonb_object_agg(m.id, jsonb_build_array(m.base_hourly_rate, d.rate))
    from jsonb_each_text(p_rates) as r
    join crew.crew_members as m on m.enterprise_id = v_enterprise and m.employee_id = r.key
    cross join lateral (select r.value::numeric(10, 2)) as d (rate)
    where m.base_hourly_rate is distinct from d.rate);
end
$$;
comment on function pay.rate_differences(jsonb) is
'Rates that differ from those on record: {"crew member": [before, after]}; null when none does.
p_rates: {"employee number": dollars per hour or null}. Raises CP106 (unknown crew member), CP109 (bad value).';

create or replace function pay.ask_rate_change(p_rates jsonb, p_contract jsonb, p_outcome jsonb, p_reason text)
returns pay.rate_changes
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_reason text := pay.require_reason(p_reason);
  v_change pay.rate_changes;
  v_before text := pay.because(v_reason);
begin
  insert into pay.rate_changes (enterprise_id, rates, contract, contract_before, outcome, reason, requested_by, requested_by_person)
  values (auth.enterprise_id(), p_rates, p_contract, case when p_contract is not null then pay.contract_hash(auth.enterprise_id()) end, p_outcome,
    v_reason, audit.actor(), pay.require_person())
  returning * into v_change;
  perform pay.request_approval('RATE_CHANGE', v_change.id, pay.rate_change_hash(v_change), v_reason);
  perform set_config('app.reason', v_before, true);
  return v_change;
end
$$;
comment on function pay.ask_rate_change(jsonb, jsonb, jsonb, text) is
'Puts a change of rates or of the contract on record, and asks for a second person.
p_rates, p_contract: one of them; p_outcome: of a contract; p_reason: why. Raises 42501, CP310 (no person), CP318 (no reason).';

create or replace function pay.request_rates(p_rates jsonb, p_reason text)
returns pay.rate_changes
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_differences jsonb;
begin
  perform auth.require_role('admin', 'payroll');
  v_differences := pay.rate_differences(p_rates);
  if v_differences is null then
    raise exception using
      errcode = 'CP311',
      message = 'the rates read so already',
      hint = 'A change of rates changes one at least.';
  end if;
  return pay.ask_rate_change(v_differences, null, null, p_reason);
end
$$;
alter function pay.request_rates(jsonb, text) owner to crewpay_definer;
revoke all on function pay.request_rates(jsonb, text) from public;
grant execute on function pay.request_rates(jsonb, text) to crewpay_admin, crewpay_payroll;
comment on function pay.request_rates(jsonb, text) is
'Asks that base hourly rates change; nothing changes until a second person approves (pay.approve_rate_change).
p_rates: {"employee number": dollars per hour or null}; p_reason: why.
Raises 42501, CP106 (unknown crew member), CP109 (bad value), CP310 (no person), CP311 (nothing changes), CP318 (no reason).';

-- An import asks once for what already waits.
create or replace function pay.request_imported_rates(p_rates jsonb, p_file_name text)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_differences jsonb := pay.rate_differences(p_rates);
begin
  select jsonb_object_agg(d.key, d.value) into v_differences
  from jsonb_each(v_differences) as d
  where not exists (
    select
    from pay.rate_changes as c
    join pay.approvals as a
      on a.enterprise_id = c.enterprise_id and a.subject_kind = 'RATE_CHANGE' and a.subject_id = c.id and a.state = 'PENDING'
    where c.enterprise_id = auth.enterprise_id() and c.rates -> d.key = d.value);
  if v_differences is not null then
    perform pay.ask_rate_change(v_differences, null, null, 'import of ' || p_file_name);
  end if;
end
$$;
comment on function pay.request_imported_rates(jsonb, text) is
'Asks for the rates that a file changes, but for those that wait for a second person already.
p_rates: {"employee number": rate}; p_file_name: the file. Raises CP310 when the importing login has no person.';

create or replace function pay.approve_rate_change(p_change uuid, p_reason text default null)
returns pay.rate_changes
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_change pay.rate_changes;
  v_approval pay.approvals;
  v_before text;
begin
  perform auth.require_role('admin', 'payroll');
  select c.* into v_change
  from pay.rate_changes as c
  where c.enterprise_id = auth.enterprise_id() and c.id = p_change
  for update;
  if v_change.id is null then
    raise exception using
      errcode = 'CP311',
      message = format('no rate change %s', p_change),
      hint = 'List what waits: select * from pay.rate_changes where applied_at is null.';
  end if;
  -- Nobody approves an own raise, either.
  perform pay.require_approver(
    v_change.requested_by_person || array(
      select m.person_id
      from crew.crew_members as m
      join jsonb_object_keys(v_change.rates) as k on m.id = k::uuid
      where m.enterprise_id = v_change.enterprise_id),
    array[v_change.requested_by::text]);
  v_before := pay.because(v_change.reason);
  v_approval := pay.approve_pending('RATE_CHANGE', p_change, pay.rate_change_hash(v_change), p_reason);
  -- From here to applied_at the guards let this transaction make this change.
  update pay.rate_changes as c
  set approved_by = audit.actor(), approved_by_person = v_approval.decided_by_person, approved_at = now(), applied_in = pg_current_xact_id()
  where c.enterprise_id = v_change.enterprise_id and c.id = p_change
  returning c.* into v_change;
  perform pay.apply_rate_change(v_change);
  update pay.rate_changes as c
  set applied_at = now()
  where c.enterprise_id = v_change.enterprise_id and c.id = p_change
  returning c.* into v_change;
  perform set_config('app.reason', v_before, true);
  return v_change;
end
$$;
alter function pay.approve_rate_change(uuid, text) owner to crewpay_definer;
revoke all on function pay.approve_rate_change(uuid, text) from public;
grant execute on function pay.approve_rate_change(uuid, text) to crewpay_admin, crewpay_payroll;
comment on function pay.approve_rate_change(uuid, text) is
'Applies rates or a contract that another person asked for. Open periods pay by them from their next run on.
p_change: pay.rate_changes.id; p_reason: the approver''s own words, or null.
By another person than who asked, or whose rate it is.
Raises 42501, CP310 (not another person), CP311 (nothing waits), CP313 (rates or contract changed since), CP317 (delegation ended), and
for a contract CP201 to CP206.';

create or replace function pay.apply_rate_change(p_change pay.rate_changes)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_asked bigint;
  v_changed bigint;
begin
  if p_change.contract is not null then
    -- Two at once: the second waits, and then sees what the first has made of the contract.
    perform pg_advisory_xact_lock(hashtextextended('rules.contract:' || p_change.enterprise_id, 0));
    if pay.contract_hash(p_change.enterprise_id) = p_change.contract_before then
      perform rules.apply_contract(p_change.contract);
      return;
    end if;
  else
    select count(*) into v_asked from jsonb_object_keys(p_change.rates);
    update crew.crew_members as m
    set base_hourly_rate = (r.value ->> 1)::numeric
    from jsonb_each(p_change.rates) as r
    where m.enterprise_id = p_change.enterprise_id
      and m.id = r.key::uuid
      and m.base_hourly_rate is not distinct from (r.value ->> 0)::numeric;
    get diagnostics v_changed = row_count;
    if v_changed = v_asked then
      return;
    end if;
  end if;
  raise exception using
    errcode = 'CP313',
    message = 'it has changed since the change was asked for',
    detail = format('rate change %s', p_change.id),
    hint = 'Deny it (pay.deny_approval), and have it asked for again as it is now.';
end
$$;
comment on function pay.apply_rate_change(pay.rate_changes) is
'Makes an approved change, if rates or contract are still what it was asked for.
p_change: the change. Raises CP313, CP201 to CP206.';
