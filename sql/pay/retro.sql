-- Back pay. Closed periods are computed again under the terms and facts now known, set against the books and earlier back pay; what
-- is owed is paid, when a second person approves, as an adjustment of an open period, once. What was paid too much becomes a
-- proposed recovery: never a silent deduction. Results of the closed periods stay.
--
--   pay.retro() ──▶ PROPOSED ──pay.approve_retro()──▶ APPROVED: adjustments, and recoveries PROPOSED
--                      └──pay.deny_approval()──▶ DENIED, or WITHDRAWN by who asked
--   recovery    PROPOSED ──pay.approve_recovery()──▶ APPROVED: an adjustment for each instalment; or DENIED: it stays paid
--
-- Settled is settled: a back pay counts what earlier approved ones found, whether it was paid, recovered or, a recovery denied, left.

-- The closed periods asked for, in order, held against being reopened and against another back pay.
create or replace function pay.retro_periods(p_enterprise uuid, p_periods uuid[])
returns setof pay.pay_periods
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_bad text;
begin
  perform
  from pay.pay_periods as p
  where p.enterprise_id = p_enterprise and p.id = any (p_periods)
  order by p.start_date
  for no key update;
  select asked.id::text into v_bad
  from unnest(p_periods) as asked (id)
  where not exists (select from pay.pay_periods as p where p.enterprise_id = p_enterprise and p.id = asked.id)
  limit 1;
  if found or coalesce(cardinality(p_periods), 0) = 0 then
    raise exception using
      errcode = 'CP214',
      message = coalesce('no pay period ' || v_bad, 'no pay period waits for back pay'),
      hint = 'Name closed periods; without any, those of pay.retro_queue are taken.';
  end if;
  select format('%s to %s is %s', p.start_date, p.end_date, p.status) into v_bad
  from pay.pay_periods as p
  where p.enterprise_id = p_enterprise and p.id = any (p_periods) and p.status not in ('CLOSED', 'PAID')
  order by p.start_date
  limit 1;
  if found then
    raise exception using
      errcode = 'CP314',
      message = 'the pay period ' || v_bad,
      hint = 'An open period needs no back pay: run it again.';
  end if;
  select format('back pay %s', r.retro_no) into v_bad
  from pay.retros as r
  where r.enterprise_id = p_enterprise and r.periods && p_periods and r.state = 'PROPOSED'
  limit 1;
  if found then
    raise exception using
      errcode = 'CP314',
      message = 'back pay of such a period waits for a decision already',
      detail = v_bad,
      hint = 'Have it approved or withdraw it (pay.deny_approval), then ask again.';
  end if;
  return query
    select p.*
    from pay.pay_periods as p
    where p.enterprise_id = p_enterprise and p.id = any (p_periods)
    order by p.start_date;
end
$$;
comment on function pay.retro_periods(uuid, uuid[]) is
'Closed periods that back pay is asked for, locked.
p_enterprise: tenant; p_periods: their keys. Raises CP214 (unknown, or none), CP314 (not closed, or asked already).';

-- What earlier approved back pay has settled, by crew member, component and cause.
create or replace function pay.settled_back_pay(p_enterprise uuid, p_period uuid)
returns table (crew_member_id uuid, component pay.component, cause text, amount numeric)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select s.crew_member_id, i.component, i.cause, sum(i.amount)
  from pay.retros as r
  join pay.retro_results as s on s.enterprise_id = r.enterprise_id and s.retro_id = r.id
  join pay.retro_items as i on i.enterprise_id = s.enterprise_id and i.retro_result_id = s.id
  where r.enterprise_id = p_enterprise and r.state = 'APPROVED' and s.pay_period_id = p_period
  group by s.crew_member_id, i.component, i.cause
$$;
comment on function pay.settled_back_pay(uuid, uuid) is
'What approved back pay has found for a period so far.
p_enterprise: tenant; p_period: closed period.';

-- One period: computed again, and what differs from the books and earlier back pay put on record.
create or replace function pay.retro_period(p_retro pay.retros, p_period pay.pay_periods)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_books pay.pay_runs;
  v_run pay.pay_runs;
  v_rates_at timestamptz;
  v_crew uuid[];
begin
  select r.* into v_books
  from pay.pay_runs as r
  where r.enterprise_id = p_period.enterprise_id and r.pay_period_id = p_period.id
    and r.kind = 'REGULAR' and r.state = 'published' and r.whole_period;
  if not found then
    raise exception using
      errcode = 'CP311',
      message = format('the pay period %s to %s has no results', p_period.start_date, p_period.end_date),
      hint = 'Leave it out: nothing was paid for it.';
  end if;
  -- Rates that back pay has taken once, it keeps taking: else it would find them paid too much.
  v_rates_at := case
    when p_retro.with_rates or exists (
      select from pay.retros as r
      where r.enterprise_id = p_period.enterprise_id and r.state = 'APPROVED' and r.with_rates and p_period.id = any (r.periods))
    then 'infinity' else v_books.as_of end;
  v_run := pay.new_run_aside(p_period, 'RETRO');
  v_run := pay.compute_aside(v_run, p_period,
    pay.plan_tokens(p_period.enterprise_id, p_period, null) || jsonb_build_object('@members@', pay.members_sql(v_books.as_of, v_rates_at)));
  v_crew := pay.stage_sides(v_books, v_run);
  v_crew := array(
    select unnest(v_crew)
    union
    select s.crew_member_id from pay.settled_back_pay(p_period.enterprise_id, p_period.id) as s);

  execute $q$
    with causes as materialized (
      select f.crew_member_id, f.component, f.cause, f.cents * 0.01 as amount
      from pay.find_causes($1, $2, $3, $4, 'infinity', $5, $3.as_of) as f
      where f.cause <> 'adjustment'
      union all
      select s.crew_member_id, s.component, s.cause, -s.amount
      from pay.settled_back_pay($1.enterprise_id, $1.id) as s
    ), items as (
      select c.crew_member_id, c.component, c.cause, sum(c.amount) as amount
      from causes as c
      group by c.crew_member_id, c.component, c.cause
      having sum(c.amount) <> 0
    ), results as (
      insert into pay.retro_results (enterprise_id, retro_id, pay_period_id, crew_member_id, run_id, books_run_id, amount)
      select $1.enterprise_id, $6, $1.id, i.crew_member_id, $4.id,
        (select b.run_id from pay.pay_calculations as b
          where b.enterprise_id = $1.enterprise_id and b.crew_member_id = i.crew_member_id and b.pay_period_id = $1.id), sum(i.amount)
      from items as i
      group by i.crew_member_id
      returning id, crew_member_id
    )
    insert into pay.retro_items (enterprise_id, retro_result_id, component, cause, amount)
    select $1.enterprise_id, r.id, i.component, i.cause, i.amount
    from items as i
    join results as r on r.crew_member_id = i.crew_member_id$q$
  using p_period, v_crew, v_books, v_run, v_rates_at, p_retro.id;
end
$$;
comment on function pay.retro_period(pay.retros, pay.pay_periods) is
'Computes a closed period again and records what is owed beyond the books and earlier back pay.
p_retro: the back pay; p_period: the period. Raises CP311 (no results), and what pay.run() raises of terms.';

create or replace function pay.settle_queue(p_retro pay.retros)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  update pay.retro_queue as q
  set settled_at = now(), settled_by_run = run.id
  from (
    select distinct on (r.pay_period_id) r.pay_period_id, r.id, r.as_of
    from pay.pay_runs as r
    where r.enterprise_id = p_retro.enterprise_id and r.kind = 'RETRO' and r.pay_period_id = any (p_retro.periods) and r.as_of = p_retro.requested_at
    order by r.pay_period_id, r.started_at desc
  ) as run
  where q.enterprise_id = p_retro.enterprise_id
    and q.pay_period_id = run.pay_period_id
    and q.settled_at is null
    and q.queued_at <= run.as_of
$$;
comment on function pay.settle_queue(pay.retros) is
'What was queued before a back pay computed its periods is settled by it.
p_retro: the back pay.';

-- What a second person approves: who is owed what for which period, over exactly these books.
create or replace function pay.retro_hash(p_retro pay.retros)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select encode(sha256(convert_to(concat_ws('|', p_retro.id,
    (select string_agg(concat_ws(':', p.id, pay.result_hash(p.enterprise_id, p.id)), ';' order by p.id)
      from pay.pay_periods as p
      where p.enterprise_id = p_retro.enterprise_id and p.id = any (p_retro.periods) and p.status in ('CLOSED', 'PAID')),
    (select string_agg(concat_ws(':', s.id, s.crew_member_id, s.pay_period_id, s.amount, i.component, i.cause, i.amount), ';' order by s.id, i.component, i.cause)
      from pay.retro_results as s
      join pay.retro_items as i on i.enterprise_id = s.enterprise_id and i.retro_result_id = s.id
      where s.enterprise_id = p_retro.enterprise_id and s.retro_id = p_retro.id)), 'UTF8')), 'hex')
$$;
comment on function pay.retro_hash(pay.retros) is
'What an approval of back pay covers: its amounts, and the results of the closed periods that it rests on.
p_retro: the back pay.';

create or replace function pay.retro(
  p_enterprise uuid, p_periods uuid[] default null, p_reason text default 'terms and facts as they are known now', p_with_rates boolean default false)
returns pay.retros
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
set jit = off
set work_mem = '256MB'
set enable_nestloop = off
as $$
declare
  v_person uuid;
  v_reason text := pay.require_reason(p_reason);
  v_periods uuid[] := p_periods;
  v_period pay.pay_periods;
  v_retro pay.retros;
  v_before text;
begin
  perform auth.require_role('payroll', 'admin');
  perform auth.require_enterprise(p_enterprise);
  v_person := pay.require_person();
  if v_periods is null then
    v_periods := array(
      select distinct q.pay_period_id
      from pay.retro_queue as q
      join pay.pay_periods as p on p.enterprise_id = q.enterprise_id and p.id = q.pay_period_id and p.status in ('CLOSED', 'PAID')
      where q.enterprise_id = p_enterprise and q.settled_at is null);
  end if;
  v_before := pay.because(v_reason);
  perform pay.retro_periods(p_enterprise, v_periods);
  insert into pay.retros (enterprise_id, periods, reason, with_rates, requested_by, requested_by_person)
  values (p_enterprise, v_periods, v_reason, p_with_rates, audit.actor(), v_person)
  returning * into v_retro;
  for v_period in
    select p.* from pay.pay_periods as p where p.enterprise_id = p_enterprise and p.id = any (v_periods) order by p.start_date
  loop
    perform pay.retro_period(v_retro, v_period);
  end loop;

  if exists (select from pay.retro_results as s where s.enterprise_id = p_enterprise and s.retro_id = v_retro.id) then
    perform pay.request_approval('RETRO', v_retro.id, pay.retro_hash(v_retro), v_reason);
  else
    perform pay.settle_queue(v_retro);
    update pay.retros as r
    set state = 'NOTHING_OWED'
    where r.enterprise_id = p_enterprise and r.id = v_retro.id
    returning r.* into v_retro;
  end if;
  perform set_config('app.reason', v_before, true);
  return v_retro;
end
$$;
alter function pay.retro(uuid, uuid[], text, boolean) owner to crewpay_definer;
revoke all on function pay.retro(uuid, uuid[], text, boolean) from public;
grant execute on function pay.retro(uuid, uuid[], text, boolean) to crewpay_payroll, crewpay_admin;
comment on function pay.retro(uuid, uuid[], text, boolean) is
'Computes closed periods again under the terms and facts now known, and proposes what is owed beyond the books and earlier back pay; a second person
approves (pay.approve_retro). Returns it: PROPOSED, or NOTHING_OWED. Differences: pay.back_pay. The results of the periods stay.
Position, base and employment of a crew member are those the period was paid by; so is the hourly rate, unless p_with_rates. A rate that changes for
days gone by is a term (hourly_rate).
p_enterprise: tenant; p_periods: closed periods, null: all that wait in pay.retro_queue; p_reason: why; p_with_rates: hourly rates of crew members as
they are now.
Raises 42501, CP213 (no terms), CP214 (unknown period, or none waits), CP310 (no person), CP311 (a period has no results), CP314 (a period is open, or
back pay of it waits already), CP318 (no reason), CP201 to CP207 (terms).';

create or replace function pay.own_retro(p_retro uuid)
returns pay.retros
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_retro pay.retros;
begin
  select r.* into v_retro
  from pay.retros as r
  where r.enterprise_id = auth.enterprise_id() and r.id = p_retro
  for update;
  if not found then
    raise exception using
      errcode = 'CP311',
      message = format('no back pay %s', p_retro),
      hint = 'List it: select id, retro_no, state from pay.retros.';
  elsif v_retro.state <> 'PROPOSED' then
    raise exception using
      errcode = 'CP314',
      message = format('back pay %s is %s', v_retro.retro_no, v_retro.state),
      hint = 'Only what is proposed is decided.';
  end if;
  return v_retro;
end
$$;
comment on function pay.own_retro(uuid) is
'A proposed back pay of the caller''s enterprise, locked.
p_retro: back pay. Raises CP311 (unknown), CP314 (decided).';

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

create or replace function pay.approve_retro(p_retro uuid, p_period uuid, p_reason text default null)
returns pay.retros
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_retro pay.retros;
  v_approval pay.approvals;
  v_before text;
begin
  perform auth.require_role('admin', 'payroll');
  v_retro := pay.own_retro(p_retro);
  perform pay.share_period(v_retro.enterprise_id, p_period);
  -- The books stay as they were asked about until this is decided.
  perform from pay.pay_periods as p
  where p.enterprise_id = v_retro.enterprise_id and p.id = any (v_retro.periods)
  order by p.start_date
  for key share;
  perform pay.require_approver(
    array(
      select v_retro.requested_by_person
      union
      select m.person_id
      from pay.retro_results as s
      join crew.crew_members as m on m.enterprise_id = s.enterprise_id and m.id = s.crew_member_id
      where s.enterprise_id = v_retro.enterprise_id and s.retro_id = v_retro.id),
    array[v_retro.requested_by::text]);
  v_before := pay.because(v_retro.reason);
  v_approval := pay.approve_pending('RETRO', p_retro, pay.retro_hash(v_retro), p_reason);
  insert into pay.adjustments (
    enterprise_id, crew_member_id, pay_period_id, amount, reason, source, source_id, of_period_id,
    state, requested_by, requested_by_person, approved_by, approved_by_person, approved_at)
  select s.enterprise_id, s.crew_member_id, p_period, s.amount, v_retro.reason, 'RETRO', s.id, s.pay_period_id,
    'APPROVED', v_retro.requested_by, v_retro.requested_by_person, v_approval.decided_by, v_approval.decided_by_person, now()
  from pay.retro_results as s
  where s.enterprise_id = v_retro.enterprise_id and s.retro_id = v_retro.id and s.amount > 0
  order by s.crew_member_id, s.pay_period_id;
  perform pay.propose_recoveries(v_retro);
  perform pay.settle_queue(v_retro);
  update pay.retros as r
  set state = 'APPROVED', approved_by = v_approval.decided_by, approved_by_person = v_approval.decided_by_person, approved_at = now(), pay_period_id = p_period
  where r.enterprise_id = v_retro.enterprise_id and r.id = p_retro
  returning r.* into v_retro;
  perform set_config('app.reason', v_before, true);
  return v_retro;
end
$$;
alter function pay.approve_retro(uuid, uuid, text) owner to crewpay_definer;
revoke all on function pay.approve_retro(uuid, uuid, text) from public;
grant execute on function pay.approve_retro(uuid, uuid, text) to crewpay_admin, crewpay_payroll;
comment on function pay.approve_retro(uuid, uuid, text) is
'Approves back pay that another person proposed: what is owed is booked as adjustments of an open period, what was paid too much becomes a proposed
recovery (pay.approve_recovery), and what waited in pay.retro_queue is settled.
p_retro: pay.retros.id; p_period: open period that pays it; p_reason: the approver''s own words, or null.
Raises 42501, CP211 (period not open), CP214 (unknown period), CP310 (not another person, or it is the own back pay), CP311 (unknown),
CP313 (the books have changed since), CP314 (decided already), CP317.';

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

-- A denial, or a withdrawal by who asked, is said once: pay.deny_approval(). Back pay and recoveries follow.
create or replace function pay.tg_back_pay_decided()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if new.subject_kind::text = 'RETRO' then
    update pay.retros as r
    set state = new.state::text::pay.retro_state
    where r.enterprise_id = new.enterprise_id and r.id = new.subject_id and r.state = 'PROPOSED';
  else
    update pay.recoveries as r
    set state = new.state::text::pay.recovery_state
    where r.enterprise_id = new.enterprise_id and r.id = new.subject_id and r.state = 'PROPOSED';
  end if;
  return null;
end
$$;
revoke all on function pay.tg_back_pay_decided() from public;
comment on function pay.tg_back_pay_decided() is
'Row trigger after UPDATE on approvals: back pay, or a recovery, that was denied or withdrawn says so itself.';

create or replace trigger approvals_50_back_pay after update on pay.approvals
  for each row when (new.subject_kind::text in ('RETRO', 'RECOVERY') and new.state in ('DENIED', 'WITHDRAWN'))
  execute function pay.tg_back_pay_decided();
comment on trigger approvals_50_back_pay on pay.approvals is 'Denied and withdrawn back pay and recoveries say so.';

create or replace view pay.back_pay
with (security_invoker = true, security_barrier = true) as
select
  r.enterprise_id,
  r.id as retro_id,
  r.retro_no,
  r.state,
  s.pay_period_id,
  s.crew_member_id,
  s.id as retro_result_id,
  i.component,
  i.cause,
  i.amount
from pay.retros as r
join pay.retro_results as s on s.enterprise_id = r.enterprise_id and s.retro_id = r.id
join pay.retro_items as i on i.enterprise_id = s.enterprise_id and i.retro_result_id = s.id;
comment on view pay.back_pay is 'What back pay found, by closed period, crew member, component and cause.';
comment on column pay.back_pay.enterprise_id is 'Tenant.';
comment on column pay.back_pay.retro_id is 'Back pay.';
comment on column pay.back_pay.retro_no is 'Its number.';
comment on column pay.back_pay.state is 'Where it stands.';
comment on column pay.back_pay.pay_period_id is 'Closed period.';
comment on column pay.back_pay.crew_member_id is 'Who.';
comment on column pay.back_pay.retro_result_id is 'source_id of the adjustment that pays it.';
comment on column pay.back_pay.component is 'Component of pay.';
comment on column pay.back_pay.cause is 'fact, rate, term, rule graph; engine: none of them.';
comment on column pay.back_pay.amount is 'Owed; negative: paid too much.';
grant select on pay.back_pay to crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi;
