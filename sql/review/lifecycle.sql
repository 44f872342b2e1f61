-- The life of a discrepancy. Who moved it, when and why is in the audit trail.
--
--   OPEN ──▶ INVESTIGATING ──▶ RESOLVED ──▶ CLOSED
--     │  ◀──── ▲ │               │  (not settled after all: back to INVESTIGATING, with a reason)
--     └──▶ ESCALATED
--
-- Detection closes by itself what it no longer finds (cured), from any state before RESOLVED.

create or replace function review.tg_discrepancy_moves()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if not (case old.resolution_status
      when 'OPEN' then new.resolution_status in ('INVESTIGATING', 'ESCALATED', 'RESOLVED') or new.resolution_status = 'CLOSED' and new.cured
      when 'INVESTIGATING' then new.resolution_status in ('ESCALATED', 'RESOLVED') or new.resolution_status = 'CLOSED' and new.cured
      when 'ESCALATED' then new.resolution_status in ('INVESTIGATING', 'RESOLVED') or new.resolution_status = 'CLOSED' and new.cured
      when 'RESOLVED' then new.resolution_status in ('CLOSED', 'INVESTIGATING')
      else false
    end) then
    raise exception using
      errcode = 'CP401',
      message = format('a discrepancy does not go from %s to %s', old.resolution_status, new.resolution_status),
      detail = format('discrepancy %s', old.id),
      hint = 'OPEN → INVESTIGATING → RESOLVED → CLOSED; ESCALATED in between.';
  end if;
  return new;
end
$$;
comment on function review.tg_discrepancy_moves() is
'Row trigger before UPDATE of resolution_status on discrepancies: only the allowed transitions. Raises CP401.';

create or replace trigger discrepancies_20_moves before update of resolution_status on review.discrepancies
  for each row when (old.resolution_status is distinct from new.resolution_status) execute function review.tg_discrepancy_moves();
comment on trigger discrepancies_20_moves on review.discrepancies is 'A discrepancy moves along its states only.';

create or replace function review.move_discrepancy(
  p_discrepancy uuid, p_status review.resolution_status, p_reason text, p_assign_to text default null)
returns review.discrepancies
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_discrepancy review.discrepancies;
  v_reason text := pay.require_reason(p_reason);
  v_before text;
begin
  perform auth.require_role('admin', 'payroll', 'service_role');
  select d.* into v_discrepancy
  from review.discrepancies as d
  where d.enterprise_id = auth.enterprise_id() and d.id = p_discrepancy
  for update;
  if v_discrepancy.id is null then
    raise exception using
      errcode = 'CP402',
      message = format('no discrepancy %s', p_discrepancy),
      hint = 'List them: select * from review.discrepancies where resolution_status = ''OPEN''.';
  elsif p_status in ('RESOLVED', 'CLOSED') and auth.role() = 'service_role' then
    raise exception using
      errcode = '42501',
      message = 'a person resolves discrepancies',
      hint = 'Agents investigate and escalate; what they may fix, detection fixes.';
  elsif exists (
    select from crew.crew_members as m
    where m.enterprise_id = v_discrepancy.enterprise_id and m.id = v_discrepancy.crew_member_id and m.person_id = auth.person()) then
    raise exception using
      errcode = 'CP310',
      message = 'another person has to decide this',
      detail = 'It is about your own pay.',
      hint = 'Ask a colleague.';
  end if;
  v_before := pay.because(v_reason);
  update review.discrepancies as d
  set resolution_status = p_status,
    assigned_to = coalesce(p_assign_to, case when p_status = 'INVESTIGATING' then audit.actor() else d.assigned_to end),
    resolution_date = case when p_status = 'RESOLVED' then now() when p_status = 'CLOSED' then d.resolution_date end,
    resolved_by = case when p_status = 'RESOLVED' then audit.actor() when p_status = 'CLOSED' then d.resolved_by end,
    resolution_notes = concat_ws(E'\n', d.resolution_notes, format('%s by %s: %s', p_status, audit.actor(), v_reason)),
    cured = d.cured and p_status = 'CLOSED'
  where d.enterprise_id = v_discrepancy.enterprise_id and d.id = v_discrepancy.id
  returning d.* into v_discrepancy;
  perform set_config('app.reason', v_before, true);
  return v_discrepancy;
end
$$;
alter function review.move_discrepancy(uuid, review.resolution_status, text, text) owner to crewpay_definer;
revoke all on function review.move_discrepancy(uuid, review.resolution_status, text, text) from public;
grant execute on function review.move_discrepancy(uuid, review.resolution_status, text, text) to crewpay_admin, crewpay_payroll, crewpay_service;
comment on function review.move_discrepancy(uuid, review.resolution_status, text, text) is
'Moves a discrepancy on: INVESTIGATING, ESCALATED, RESOLVED, CLOSED.
p_discrepancy: review.discrepancies.id; p_status: where to; p_reason: why, kept with it and in the audit trail; p_assign_to: who looks into it.
Agents investigate and escalate; nobody resolves what is about the own pay.
Raises 42501, CP310 (own pay), CP318 (no reason), CP401 (not from there), CP402 (unknown).';
