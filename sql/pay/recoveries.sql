-- Recoveries: what back pay found to be paid too much is taken back by a plan that a second person approves, or stays paid.
--
--   PROPOSED ──pay.approve_recovery()──▶ APPROVED: an adjustment for each instalment
--      └──pay.deny_approval()──▶ DENIED: it stays paid

create or replace function pay.recovery_hash(p_recovery uuid, p_crew_member uuid, p_amount numeric)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select encode(sha256(convert_to(concat_ws('|', p_recovery, p_crew_member, round(p_amount, 2)), 'UTF8')), 'hex')
$$;
comment on function pay.recovery_hash(uuid, uuid, numeric) is 'What an approval of a recovery covers.
p_recovery, p_crew_member, p_amount: of the recovery.';

-- What was paid too much is to be recovered by a plan of its own, that a second person approves.
create or replace function pay.propose_recoveries(p_retro pay.retros)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  with proposed as (
    insert into pay.recoveries (enterprise_id, retro_result_id, crew_member_id, amount, instalments, requested_by, requested_by_person)
    select s.enterprise_id, s.id, s.crew_member_id, -s.amount,
      (platform.get_config('pay.recovery_instalments') #>> '{}')::smallint, p_retro.requested_by, p_retro.requested_by_person
    from pay.retro_results as s
    where s.enterprise_id = p_retro.enterprise_id and s.retro_id = p_retro.id and s.amount < 0
    returning *
  )
  insert into pay.approvals (enterprise_id, subject_kind, subject_id, payload_hash, requested_by, requested_by_person, reason)
  select p.enterprise_id, 'RECOVERY', p.id, pay.recovery_hash(p.id, p.crew_member_id, p.amount), p_retro.requested_by, p_retro.requested_by_person, p_retro.reason
  from proposed as p
$$;
comment on function pay.propose_recoveries(pay.retros) is
'Proposes to recover, in instalments, what a back pay found to be paid too much.
p_retro: approved back pay.';

create or replace function pay.tell_recovery(p_recovery pay.recoveries, p_event text, p_values jsonb)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  select notify.post(p_recovery.crew_member_id, 'DISCREPANCY', p_event,
    jsonb_build_object('amount', format('%s %s', p_recovery.amount, e.currency), 'period', pay.period_text(p)) || p_values,
    'pay_period', s.pay_period_id, p_recovery.id::text)
  from pay.retro_results as s
  join pay.pay_periods as p on p.enterprise_id = s.enterprise_id and p.id = s.pay_period_id
  join platform.enterprises as e on e.id = s.enterprise_id
  where s.enterprise_id = p_recovery.enterprise_id and s.id = p_recovery.retro_result_id
$$;
comment on function pay.tell_recovery(pay.recoveries, text, jsonb) is
'Tells a crew member what was decided about a recovery.
p_recovery: the recovery; p_event: recovery_agreed or recovery_dropped; p_values: more values of its text.';

create or replace function pay.approve_recovery(p_recovery uuid, p_periods uuid[], p_reason text default null)
returns pay.recoveries
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_recovery pay.recoveries;
  v_approval pay.approvals;
  v_count integer := cardinality(array(select distinct p from unnest(p_periods) as p where p is not null));
  v_before text;
begin
  perform auth.require_role('admin', 'payroll');
  select r.* into v_recovery
  from pay.recoveries as r
  where r.enterprise_id = auth.enterprise_id() and r.id = p_recovery
  for update;
  if not found then
    raise exception using
      errcode = 'CP311',
      message = format('no recovery %s', p_recovery),
      hint = 'List them: select id, amount, state from pay.recoveries.';
  elsif v_recovery.state <> 'PROPOSED' then
    raise exception using
      errcode = 'CP314',
      message = format('the recovery is %s', v_recovery.state),
      hint = 'Only what is proposed is decided.';
  elsif v_count = 0 or v_count <> cardinality(p_periods) or v_count > 60 or v_recovery.amount < v_count * 0.01 then
    raise exception using
      errcode = '22023',
      message = 'a recovery takes an instalment in each of 1 to 60 periods',
      hint = 'Name each open period once.';
  end if;
  perform pay.share_period(v_recovery.enterprise_id, p.id) from unnest(p_periods) as p (id);
  perform pay.require_approver(
    array[v_recovery.requested_by_person, (
      select m.person_id from crew.crew_members as m where m.enterprise_id = v_recovery.enterprise_id and m.id = v_recovery.crew_member_id)],
    array[v_recovery.requested_by::text]);
  select a.reason into v_before
  from pay.approvals as a
  where a.enterprise_id = v_recovery.enterprise_id and a.subject_kind = 'RECOVERY' and a.subject_id = p_recovery and a.state = 'PENDING';
  v_before := pay.because(v_before);
  v_approval := pay.approve_pending('RECOVERY', p_recovery,
    pay.recovery_hash(v_recovery.id, v_recovery.crew_member_id, v_recovery.amount), p_reason);
  update pay.recoveries as r
  set state = 'APPROVED', instalments = v_count, approved_by = v_approval.decided_by, approved_by_person = v_approval.decided_by_person, approved_at = now()
  where r.enterprise_id = v_recovery.enterprise_id and r.id = p_recovery
  returning r.* into v_recovery;

  with instalments as (
    insert into pay.recovery_instalments (enterprise_id, recovery_id, instalment_no, pay_period_id, amount)
    select v_recovery.enterprise_id, v_recovery.id, p.no, p.id,
      trunc(v_recovery.amount * p.no / v_count, 2) - trunc(v_recovery.amount * (p.no - 1) / v_count, 2)
    from unnest(p_periods) with ordinality as p (id, no)
    returning *
  )
  insert into pay.adjustments (
    enterprise_id, crew_member_id, pay_period_id, amount, reason, source, source_id, of_period_id,
    state, requested_by, requested_by_person, approved_by, approved_by_person, approved_at)
  select i.enterprise_id, v_recovery.crew_member_id, i.pay_period_id, -i.amount, format('instalment %s of %s: %s', i.instalment_no, v_count, v_approval.reason),
    'RECOVERY', i.id, s.pay_period_id, 'APPROVED', v_recovery.requested_by, v_recovery.requested_by_person,
    v_approval.decided_by, v_approval.decided_by_person, now()
  from instalments as i
  join pay.retro_results as s on s.enterprise_id = i.enterprise_id and s.id = v_recovery.retro_result_id
  order by i.instalment_no;
  perform pay.tell_recovery(v_recovery, 'recovery_agreed', jsonb_build_object('plan', (
    select string_agg(format('%s in %s', i.amount, pay.period_text(p)), ', ' order by i.instalment_no)
    from pay.recovery_instalments as i
    join pay.pay_periods as p on p.enterprise_id = i.enterprise_id and p.id = i.pay_period_id
    where i.enterprise_id = v_recovery.enterprise_id and i.recovery_id = v_recovery.id)));
  perform set_config('app.reason', v_before, true);
  return v_recovery;
end
$$;
alter function pay.approve_recovery(uuid, uuid[], text) owner to crewpay_definer;
revoke all on function pay.approve_recovery(uuid, uuid[], text) from public;
grant execute on function pay.approve_recovery(uuid, uuid[], text) to crewpay_admin, crewpay_payroll;
comment on function pay.approve_recovery(uuid, uuid[], text) is
'Approves that what was paid too much is recovered, one instalment in each of some open periods; pay.deny_approval() leaves it paid.
p_recovery: pay.recoveries.id; p_periods: open periods, in order; p_reason: the approver''s own words, or null.
Raises 22023 (no period, or one twice), 42501, CP211 (a period is not open), CP214 (unknown period), CP310 (not another person), CP311 (unknown), CP314
(decided already), CP317.';
