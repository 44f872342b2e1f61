-- Manual overrides: a person sets the amount of a component, or of one line, in place of what is computed. What is computed stays as
-- lines, the difference is a line of its own, and every run of the period makes it anew: an override survives recalculation until it
-- is reset. Above pay.adjustment_limit, or on the own pay, a second person decides.
--
--   PROPOSED ──second person──▶ APPROVED ──reset──▶ RESET
--      └── DENIED, or WITHDRAWN by who asked
--
-- The line cites a negative term number, one for each component, and as its node the override's number; its quantity is the amount set.

create or replace function pay.override_hash(p_override pay.overrides)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select encode(sha256(convert_to(concat_ws('|', p_override.id, p_override.crew_member_id, p_override.pay_period_id, p_override.component,
    p_override.term_code, p_override.level, p_override.node, p_override.amount, p_override.original_amount), 'UTF8')), 'hex')
$$;
comment on function pay.override_hash(pay.overrides) is 'What an approval of an override covers: whose and which amount is set, and what was computed.
p_override: the override.';

create or replace function pay.override(
  p_enterprise uuid, p_crew_member uuid, p_period uuid, p_component pay.component, p_amount numeric, p_reason text,
  p_term_code text default null, p_level text default null, p_node bigint default null)
returns pay.overrides
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_person uuid;
  v_reason text := pay.require_reason(p_reason);
  v_original numeric;
  v_override pay.overrides;
  v_second_person boolean;
  v_before text;
begin
  perform auth.require_enterprise(p_enterprise);
  v_person := pay.require_person();
  if p_amount is null or p_amount <> round(p_amount, 2) or abs(p_amount) >= 1e7 or p_component is null or p_component = 'adjustment' then
    raise exception using
      errcode = 'CP109',
      message = format('%s can''t be the amount of %s', coalesce(p_amount::text, 'null'), coalesce(p_component::text, 'null')),
      hint = 'Set a component of computed pay, to the cent; anything else is an adjustment (pay.adjust).';
  elsif num_nulls(p_term_code, p_level, p_node) not in (0, 3) then
    raise exception using
      errcode = '22023',
      message = 'which line?',
      hint = 'Of a line give term code, level and node (pay.pay_lines); of a whole component none of them.';
  end if;
  -- Not while a run reads which overrides are in force.
  perform pay.lock_period(p_enterprise, p_period);
  select sum(l.amount) into v_original
  from pay.pay_lines as l
  where l.enterprise_id = p_enterprise and l.crew_member_id = p_crew_member and l.pay_period_id = p_period
    and l.component = p_component and l.term_no > 0
    and (p_term_code is null or (l.term_code, l.level, l.node) = (p_term_code, p_level, p_node));
  if v_original is null and (p_term_code is not null or not exists (
    select from pay.pay_calculations as c
    where c.enterprise_id = p_enterprise and c.crew_member_id = p_crew_member and c.pay_period_id = p_period)) then
    raise exception using
      errcode = 'CP214',
      message = 'no such result, or line of it',
      hint = 'Run the period first; lines: select term_code, level, node, amount from pay.pay_lines.';
  end if;
  v_second_person := pay.is_own_pay(p_enterprise, p_crew_member)
    or pay.adjustment_needs_approval(p_enterprise, p_crew_member, p_period, p_amount - coalesce(v_original, 0));
  v_before := pay.because(v_reason);
  begin
    insert into pay.overrides (
      enterprise_id, crew_member_id, pay_period_id, component, term_code, level, node, amount, original_amount, reason, state,
      requested_by, requested_by_person, approved_at)
    values (
      p_enterprise, p_crew_member, p_period, p_component, p_term_code, p_level, p_node, p_amount, coalesce(v_original, 0), v_reason,
      case when v_second_person then 'PROPOSED' else 'APPROVED' end::pay.override_state, audit.actor(), v_person,
      case when not v_second_person then clock_timestamp() end)
    returning * into v_override;
  exception when unique_violation then
    raise exception using
      errcode = 'CP314',
      message = 'that amount is overridden already, or is to be',
      hint = 'Reset it first: pay.reset_override().';
  end;
  if v_second_person then
    perform pay.request_approval('OVERRIDE', v_override.id, pay.override_hash(v_override), v_reason);
  end if;
  perform set_config('app.reason', v_before, true);
  return v_override;
end
$$;
alter function pay.override(uuid, uuid, uuid, pay.component, numeric, text, text, text, bigint) owner to crewpay_definer;
revoke all on function pay.override(uuid, uuid, uuid, pay.component, numeric, text, text, text, bigint) from public;
grant execute on function pay.override(uuid, uuid, uuid, pay.component, numeric, text, text, text, bigint) to crewpay_admin, crewpay_payroll;
comment on function pay.override(uuid, uuid, uuid, pay.component, numeric, text, text, text, bigint) is
'Sets the amount of a component, or of one line, of a result; the period''s next run pays it, and every later one, until it is reset. Returns it:
APPROVED, or PROPOSED where a second person decides (pay.approve_override, pay.deny_approval): above the setting pay.adjustment_limit, counted together
with adjustments, or on the own pay.
p_enterprise: tenant; p_crew_member: whose pay; p_period: an open pay period that was run; p_component: component; p_amount: what is paid instead, to the
cent; p_reason: why, printed on the statement; p_term_code, p_level, p_node: of one line (pay.pay_lines), null for the whole component.
Raises 22023 (half a line), 42501, CP109 (no amount), CP210 (a run is in progress), CP211 (period not open), CP214 (unknown period, result or line),
CP310 (no person), CP314 (overridden already), CP318 (no reason).';

create or replace function pay.own_override(p_override uuid, p_states pay.override_state[])
returns pay.overrides
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_override pay.overrides;
begin
  select o.* into v_override
  from pay.overrides as o
  where o.enterprise_id = auth.enterprise_id() and o.id = p_override
  for update;
  if not found then
    raise exception using
      errcode = 'CP311',
      message = format('no override %s', p_override),
      hint = 'List them: select id, override_no, state from pay.overrides.';
  elsif v_override.state <> all (p_states) then
    raise exception using
      errcode = 'CP314',
      message = format('the override is %s', v_override.state),
      detail = format('This needs %s.', array_to_string(p_states, ' or ')),
      hint = 'Set the amount again: pay.override().';
  end if;
  perform pay.lock_period(v_override.enterprise_id, v_override.pay_period_id);
  return v_override;
end
$$;
comment on function pay.own_override(uuid, pay.override_state[]) is
'An override of the caller''s enterprise, locked with its period.
p_override: override; p_states: states it may be in. Raises CP210, CP211, CP311 (unknown), CP314 (another state).';

create or replace function pay.approve_override(p_override uuid, p_reason text default null)
returns pay.overrides
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_override pay.overrides;
  v_approval pay.approvals;
  v_before text;
begin
  perform auth.require_role('admin', 'payroll');
  v_override := pay.own_override(p_override, '{PROPOSED}');
  perform pay.require_approver(
    array[v_override.requested_by_person, (
      select m.person_id from crew.crew_members as m where m.enterprise_id = v_override.enterprise_id and m.id = v_override.crew_member_id)],
    array[v_override.requested_by::text]);
  v_before := pay.because(v_override.reason);
  v_approval := pay.approve_pending('OVERRIDE', p_override, pay.override_hash(v_override), p_reason);
  update pay.overrides as o
  set state = 'APPROVED', approved_by = v_approval.decided_by, approved_by_person = v_approval.decided_by_person, approved_at = clock_timestamp()
  where o.enterprise_id = v_override.enterprise_id and o.id = p_override
  returning o.* into v_override;
  perform set_config('app.reason', v_before, true);
  return v_override;
end
$$;
alter function pay.approve_override(uuid, text) owner to crewpay_definer;
revoke all on function pay.approve_override(uuid, text) from public;
grant execute on function pay.approve_override(uuid, text) to crewpay_admin, crewpay_payroll;
comment on function pay.approve_override(uuid, text) is
'Approves an override that another person proposed; the period''s next run pays it.
p_override: pay.overrides.id; p_reason: the approver''s own words, or null.
Raises 42501, CP210 (a run is in progress), CP211 (period not open), CP310 (not another person, or the own pay), CP311 (unknown), CP313, CP314 (not
proposed), CP317.';

create or replace function pay.reset_override(p_override uuid, p_reason text)
returns pay.overrides
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_override pay.overrides;
  v_reason text := pay.require_reason(p_reason);
  v_before text;
begin
  perform pay.require_person();
  v_override := pay.own_override(p_override, '{PROPOSED,APPROVED}');
  v_before := pay.because(v_reason);
  if v_override.state = 'PROPOSED' then
    perform pay.deny_approval(a.id, v_reason)
    from pay.approvals as a
    where a.enterprise_id = v_override.enterprise_id and a.subject_kind = 'OVERRIDE' and a.subject_id = p_override and a.state = 'PENDING';
  else
    update pay.overrides as o
    set state = 'RESET', reset_by = audit.actor(), reset_at = clock_timestamp()
    where o.enterprise_id = v_override.enterprise_id and o.id = p_override;
  end if;
  select o.* into v_override
  from pay.overrides as o
  where o.enterprise_id = v_override.enterprise_id and o.id = p_override;
  perform set_config('app.reason', v_before, true);
  return v_override;
end
$$;
alter function pay.reset_override(uuid, text) owner to crewpay_definer;
revoke all on function pay.reset_override(uuid, text) from public;
grant execute on function pay.reset_override(uuid, text) to crewpay_admin, crewpay_payroll;
comment on function pay.reset_override(uuid, text) is
'Takes an override back: the period''s next run pays what is computed. One that waits for a second person is denied, or withdrawn by who asked.
p_override: pay.overrides.id; p_reason: why. Raises 42501, CP210, CP211 (period not open), CP310 (no person), CP311 (unknown), CP314 (over), CP318 (no reason).';

create or replace function pay.tg_override_decided()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  update pay.overrides as o
  set state = new.state::text::pay.override_state
  where o.enterprise_id = new.enterprise_id and o.id = new.subject_id and o.state = 'PROPOSED';
  return null;
end
$$;
revoke all on function pay.tg_override_decided() from public;
comment on function pay.tg_override_decided() is 'Row trigger after UPDATE on approvals: an override that was denied or withdrawn says so itself.';

create or replace trigger approvals_50_override after update on pay.approvals
  for each row when (new.subject_kind::text = 'OVERRIDE' and new.state in ('DENIED', 'WITHDRAWN'))
  execute function pay.tg_override_decided();
comment on trigger approvals_50_override on pay.approvals is 'Denied and withdrawn overrides say so.';
