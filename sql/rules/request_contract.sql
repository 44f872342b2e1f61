-- A contract for an airline that pays by its contract: asked for by an administrator, applied when a second person approves.

create or replace function rules.request_contract(p_contract jsonb, p_reason text)
returns pay.rate_changes
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_enterprise uuid := auth.enterprise_id();
  v_person uuid;
  v_generation bigint := rules.accepted_generation(v_enterprise);
  v_outcome jsonb;
begin
  perform auth.require_role('admin');
  v_person := pay.require_person();
  if jsonb_typeof(p_contract) is distinct from 'object' or p_contract = '{}' then
    perform rules.refuse('CP202', '(contract)', 'a contract document is an object with terms, scenarios, components or edges', 'See docs/contracts.md.');
  end if;
  -- Loaded once on trial: what doesn't compile is refused now, and the approver sees what it does.
  begin
    insert into pay.rate_changes (
      enterprise_id, contract, contract_before, reason, requested_by, requested_by_person, applied_in)
    values (v_enterprise, p_contract, '', pay.require_reason(p_reason), audit.actor(), v_person, pg_current_xact_id());
    v_outcome := rules.apply_contract(p_contract);
    raise exception using errcode = 'ZZ001', message = 'tried';
  exception
    when sqlstate 'ZZ001' then
      null;
  end;
  if (v_outcome ->> 'added')::integer + (v_outcome ->> 'changed')::integer + coalesce((v_outcome ->> 'interpretations')::integer, 0) = 0 and (v_outcome ->> 'generation')::bigint = v_generation then
    raise exception using
      errcode = 'CP311',
      message = 'the contract reads so already',
      hint = 'A change of the contract changes a term, the rule graph or an interpretation.';
  end if;
  return pay.ask_rate_change(null, p_contract, v_outcome, p_reason);
end
$$;
alter function rules.request_contract(jsonb, text) owner to crewpay_definer;
revoke all on function rules.request_contract(jsonb, text) from public;
grant execute on function rules.request_contract(jsonb, text) to crewpay_admin;
comment on function rules.request_contract(jsonb, text) is
'Asks that a contract document be loaded; nothing changes until a second person approves (pay.approve_rate_change). It is tried at once:
what doesn''t compile is refused.
p_contract: as rules.load_contract() takes it; p_reason: why.
Raises 42501, CP201 to CP206, CP310 (no person), CP311 (nothing changes), CP318 (no reason).';
