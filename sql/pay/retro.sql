-- Back pay. Closed periods are computed again under the terms and facts now known, set against the books and earlier back pay; what
-- is owed is paid, when a second person approves, as an adjustment of an open period, once. What was paid too much becomes a
-- proposed recovery: never a silent deduction. Results of the closed periods stay.
--
--   pay.retro() ──▶ PROPOSED ──pay.approve_retro()──▶ APPROVED: adjustments, and recoveries PROPOSED (recoveries.sql)
--                      └──pay.deny_approval()──▶ DENIED, or WITHDRAWN by who asked
--
-- Settled is settled: a back pay counts what earlier approved ones found, whether it was paid, recovered or, a recovery denied, left.
-- What a claim or an adjustment of the period has made good beyond the books is not paid again either.

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

-- What claims and adjustments (review.made_good) have paid beyond the books: what payroll posted less than they say is made good first,
-- and no part of what the books lack.
create or replace function pay.made_good(p_enterprise uuid, p_period uuid)
returns table (crew_member_id uuid, component pay.component, amount numeric)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  with good as (
    select g.crew_member_id, g.component, sum(g.amount) as amount
    from review.made_good(p_enterprise, p_period, null) as g
    group by g.crew_member_id, g.component
  ), posted as (
    select p.crew_member_id, p.component, sum(p.amount) as amount
    from pay.payroll_payments as p
    where p.enterprise_id = p_enterprise and p.pay_period_id = p_period and p.crew_member_id in (select g.crew_member_id from good as g)
    group by p.crew_member_id, p.component
  )
  select g.crew_member_id, g.component, g.amount - lacking.amount
  from good as g
  left join pay.pay_calculations as c on c.enterprise_id = p_enterprise and c.crew_member_id = g.crew_member_id and c.pay_period_id = p_period
  cross join lateral (
    select case when exists (select from posted as p where p.crew_member_id = g.crew_member_id) then greatest(0, coalesce(case g.component
        when 'flight_pay' then c.flight_pay_amount when 'overtime' then c.overtime_amount when 'per_diem' then c.per_diem_amount
        when 'premium' then c.premium_pay_amount when 'delay_pay' then c.delay_pay_amount when 'guarantee' then c.guarantee_amount end, 0)
      - coalesce((select p.amount from posted as p where p.crew_member_id = g.crew_member_id and p.component = g.component), 0)) else 0 end as amount
  ) as lacking
  where g.amount > lacking.amount
$$;
comment on function pay.made_good(uuid, uuid) is
'What was paid for a closed period beyond its books already, by claims and adjustments: crew member, component, amount.
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
  v_run := pay.new_run_aside(p_period, 'RETRO');
  update pay.pay_runs as r
  set members_as_of = v_books.as_of,
    -- Rates that back pay has taken once, it keeps taking: else it would find them paid too much.
    rates_as_of = case
      when p_retro.with_rates or exists (
        select from pay.retros as k
        where k.enterprise_id = p_period.enterprise_id and k.state = 'APPROVED' and k.with_rates and p_period.id = any (k.periods))
      then r.as_of else v_books.as_of end
  where r.enterprise_id = v_run.enterprise_id and r.id = v_run.id
  returning r.* into v_run;
  v_run := pay.compute_aside(v_run, p_period,
    pay.plan_tokens(p_period.enterprise_id, p_period, null)
      || jsonb_build_object('@members@', pay.members_sql(v_run.members_as_of, v_run.rates_as_of, 'infinity')));
  v_crew := pay.stage_sides(v_books, v_run);
  v_crew := array(
    select unnest(v_crew)
    union
    select s.crew_member_id from pay.settled_back_pay(p_period.enterprise_id, p_period.id) as s);

  execute $q$
    with found as materialized (
      select f.crew_member_id, f.component, f.cause, f.cents * 0.01 as amount
      from pay.find_causes($1, $2, $3, $4, 'infinity') as f
      where f.cause <> 'adjustment'
    ), causes as (
      select f.crew_member_id, f.component, f.cause, f.amount
      from found as f
      union all
      select f.crew_member_id, f.component, 'made good', -least(sum(f.amount), g.amount)
      from found as f
      join pay.made_good($1.enterprise_id, $1.id) as g on g.crew_member_id = f.crew_member_id and g.component = f.component
      group by f.crew_member_id, f.component, g.amount
      having sum(f.amount) > 0
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
      select $1.enterprise_id, $5, $1.id, i.crew_member_id, $4.id,
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
  using p_period, v_crew, v_books, v_run, p_retro.id;
end
$$;
comment on function pay.retro_period(pay.retros, pay.pay_periods) is
'Computes a closed period again and records what is owed beyond the books and earlier back pay.
p_retro: the back pay; p_period: the period. Raises CP311 (no results), and what pay.run() raises of terms.';

-- What waits and is seen is taken up before anything is computed: a correction that comes later waits for the next back pay.
create or replace function pay.take_up_queue(p_retro pay.retros)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  update pay.retro_queue as q
  set retro_id = p_retro.id
  where q.enterprise_id = p_retro.enterprise_id and q.pay_period_id = any (p_retro.periods) and q.settled_at is null
$$;
comment on function pay.take_up_queue(pay.retros) is
'What is queued for the periods of a back pay is taken up by it.
p_retro: the back pay.';

create or replace function pay.settle_queue(p_retro pay.retros)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  update pay.retro_queue as q
  set settled_at = now(), settled_by_run = r.id
  from pay.pay_runs as r
  where q.enterprise_id = p_retro.enterprise_id
    and q.retro_id = p_retro.id
    and q.settled_at is null
    and r.enterprise_id = q.enterprise_id and r.pay_period_id = q.pay_period_id and r.kind = 'RETRO' and r.as_of = p_retro.requested_at
$$;
comment on function pay.settle_queue(pay.retros) is
'What a back pay took up is settled.
p_retro: the back pay.';

-- What a second person approves: who is owed what for which period, over exactly these books, and beyond exactly this that was paid
-- for them already. Of two proposals for one period only one can be approved.
create or replace function pay.retro_hash(p_retro pay.retros)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select encode(sha256(convert_to(concat_ws('|', p_retro.id,
    (select string_agg(concat_ws(':', p.id, pay.result_hash(p.enterprise_id, p.id),
        (select string_agg(concat_ws(':', b.crew_member_id, b.component, b.cause, b.amount), ';' order by b.crew_member_id, b.component, b.cause)
          from pay.settled_back_pay(p.enterprise_id, p.id) as b),
        (select string_agg(concat_ws(':', g.crew_member_id, g.component, g.amount), ';' order by g.crew_member_id, g.component)
          from pay.made_good(p.enterprise_id, p.id) as g
          where g.crew_member_id in (select s.crew_member_id from pay.retro_results as s where s.enterprise_id = p.enterprise_id and s.retro_id = p_retro.id))),
        ';' order by p.id)
      from pay.pay_periods as p
      where p.enterprise_id = p_retro.enterprise_id and p.id = any (p_retro.periods) and p.status in ('CLOSED', 'PAID')),
    (select string_agg(concat_ws(':', s.id, s.crew_member_id, s.pay_period_id, s.amount, i.component, i.cause, i.amount), ';' order by s.id, i.component, i.cause)
      from pay.retro_results as s
      join pay.retro_items as i on i.enterprise_id = s.enterprise_id and i.retro_result_id = s.id
      where s.enterprise_id = p_retro.enterprise_id and s.retro_id = p_retro.id)), 'UTF8')), 'hex')
$$;
comment on function pay.retro_hash(pay.retros) is
'What an approval of back pay covers: its amounts, the results of the closed periods that it rests on, and what was made good of them before.
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
  v_periods := array(select distinct p.id from unnest(v_periods) as p (id));
  v_before := pay.because(v_reason);
  perform pay.retro_periods(p_enterprise, v_periods);
  insert into pay.retros (enterprise_id, periods, reason, with_rates, requested_by, requested_by_person)
  values (p_enterprise, v_periods, v_reason, p_with_rates, audit.actor(), v_person)
  returning * into v_retro;
  perform pay.take_up_queue(v_retro);
  for v_period in
    select p.* from pay.pay_periods as p where p.enterprise_id = p_enterprise and p.id = any (v_periods) order by p.start_date
  loop
    perform pay.retro_period(v_retro, v_period);
  end loop;

  if exists (select from pay.retro_results as s where s.enterprise_id = p_enterprise and s.retro_id = v_retro.id and s.amount <> 0) then
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
'Computes closed periods again under the terms and facts now known, and proposes what is owed beyond the books, earlier back pay and what claims made
good; a second person approves (pay.approve_retro). Returns it: PROPOSED, or NOTHING_OWED. Differences: pay.back_pay. The results of the periods stay.
Position, base and hire date of a crew member are those the period was paid by, and a termination that has become known since counts; the hourly rate
is the period''s too, unless p_with_rates. A rate that changes for days gone by is a term (hourly_rate).
Call it in a REPEATABLE READ transaction where facts may change meanwhile (crewpay pay retro does).
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

create or replace function pay.tell_back_pay(p_retro pay.retros)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  select notify.post(s.crew_member_id,
    case when s.amount > 0 then 'PAY_STATEMENT' else 'DISCREPANCY' end::notify.notification_type,
    case when s.amount > 0 then 'back_pay' else 'overpaid' end,
    jsonb_build_object('amount', format('%s %s', abs(s.amount), e.currency), 'period', pay.period_text(p), 'what', pay.back_pay_text(s.id),
      'paid_in', pay.period_text(paying), 'reason', p_retro.reason),
    'pay_period', s.pay_period_id, s.id::text)
  from pay.retro_results as s
  join pay.pay_periods as p on p.enterprise_id = s.enterprise_id and p.id = s.pay_period_id
  join pay.pay_periods as paying on paying.enterprise_id = s.enterprise_id and paying.id = p_retro.pay_period_id
  join platform.enterprises as e on e.id = s.enterprise_id
  where s.enterprise_id = p_retro.enterprise_id and s.retro_id = p_retro.id and s.amount <> 0
$$;
comment on function pay.tell_back_pay(pay.retros) is
'Tells crew members what approved back pay found for them.
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
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception using
      errcode = '25001',
      message = 'back pay is approved under READ COMMITTED',
      hint = 'An older snapshot would not show what another has just approved: begin; set transaction isolation level read committed.';
  end if;
  v_retro := pay.own_retro(p_retro);
  perform pay.share_period(v_retro.enterprise_id, p_period);
  -- The books stay as they were asked about, and nobody else approves for them, until this is decided.
  perform from pay.pay_periods as p
  where p.enterprise_id = v_retro.enterprise_id and p.id = any (v_retro.periods)
  order by p.start_date
  for no key update;
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
  perform pay.tell_back_pay(v_retro);
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
Raises 25001 (isolation level), 42501, CP211 (period not open), CP214 (unknown period), CP310 (not another person, or it is the own back pay), CP311
(unknown), CP313 (the books, or what was paid for them already, have changed since), CP314 (decided already), CP317.';

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
    perform pay.tell_recovery(r, 'recovery_dropped', jsonb_build_object('reason', new.decision_reason))
    from pay.recoveries as r
    where r.enterprise_id = new.enterprise_id and r.id = new.subject_id;
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
comment on column pay.back_pay.cause is 'fact, rate, term, rule graph, override; made good: paid by claims already; engine: none of them.';
comment on column pay.back_pay.amount is 'Owed; negative: paid too much.';
grant select on pay.back_pay to crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi;
