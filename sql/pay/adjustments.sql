-- Adjustments: amounts that no term pays. Each has a reason and a source, and is paid as a line of its own by the next run of the
-- open period it is booked to; every later run of the period pays it again, so that recalculating never loses it.
--
--   PROPOSED ──second person──▶ APPROVED ──run──▶ PAID
--      ├── denied ──▶ DENIED       │
--      └── withdrawn ──────────────┴──▶ WITHDRAWN
--
-- Up to the configured limit (pay.adjustment_limit) one person may book; above it a second one decides. The limit holds for the
-- sum that a crew member gets in a period without a second person: an amount isn't made smaller by cutting it up.
-- A line cites term number 0 and, as its node, the adjustment's number.

-- What a second person approves: who gets how much, and for what.
create or replace function pay.adjustment_hash(p_crew_member uuid, p_amount numeric, p_source pay.adjustment_source, p_source_id uuid)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select encode(sha256(convert_to(concat_ws('|', p_crew_member, round(p_amount, 2), p_source, p_source_id), 'UTF8')), 'hex')
$$;
comment on function pay.adjustment_hash(uuid, numeric, pay.adjustment_source, uuid) is
'What an approval of an adjustment covers; an approved CLAIM_PAYMENT of the same hash counts as well.
p_crew_member: who gets it; p_amount: how much; p_source, p_source_id: for what.';

-- An open period, held against its closing until the transaction ends; runs and other bookings don''t wait.
create or replace function pay.share_period(p_enterprise uuid, p_period uuid)
returns pay.pay_periods
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_period pay.pay_periods;
begin
  select p.* into v_period
  from pay.pay_periods as p
  where p.enterprise_id = p_enterprise and p.id = p_period
  for key share;
  perform pay.require_open(p_period, v_period);
  return v_period;
end
$$;
comment on function pay.share_period(uuid, uuid) is
'An open period, held against closing until the transaction ends.
p_enterprise: tenant; p_period: period. Raises CP211 (not open), CP214 (unknown).';

-- What is refused before anything is booked.
create or replace function pay.check_adjustment(
  p_enterprise uuid, p_crew_member uuid, p_amount numeric, p_source pay.adjustment_source, p_source_id uuid)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if not exists (select from crew.crew_members as c where c.enterprise_id = p_enterprise and c.id = p_crew_member) then
    raise exception using
      errcode = 'CP214',
      message = 'no such crew member in this enterprise',
      detail = format('crew member %s', p_crew_member),
      hint = 'Keys: select id from crew.crew_members where employee_id = ….';
  elsif p_amount is null or p_amount = 0 or p_amount <> round(p_amount, 2) or abs(p_amount) >= 1e7 then
    raise exception using
      errcode = 'CP109',
      message = format('%s is not an amount of money', coalesce(p_amount::text, 'null')),
      hint = 'Give an amount to the cent; a negative one takes money back.';
  elsif p_source is null or p_source in ('RETRO', 'RECOVERY') then
    raise exception using
      errcode = 'CP109',
      message = format('%s is not booked by hand', coalesce(p_source::text, 'null')),
      hint = 'Back pay and recoveries are made by pay.retro() and what it proposes.';
  elsif (p_source = 'MANUAL') <> (p_source_id is null) then
    raise exception using
      errcode = 'CP109',
      message = 'the source of an adjustment is not clear',
      hint = 'A claim or an automatic correction names its claim or discrepancy; a manual adjustment has no source but its reason.';
  elsif p_source = 'MANUAL' and auth.role() not in ('admin', 'payroll') then
    raise exception using
      errcode = '42501',
      message = 'a service books no manual adjustment',
      hint = 'Services pay claims (CLAIM) and automatic corrections (AUTO_FIX).';
  end if;
end
$$;
comment on function pay.check_adjustment(uuid, uuid, numeric, pay.adjustment_source, uuid) is
'Refuses what can''t be booked as an adjustment. Arguments as pay.adjust().
Raises 42501, CP109, CP214.';

create or replace function pay.single_person_limit(p_enterprise uuid)
returns numeric
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  -- An enterprise may only lower it: whoever sets it could book anything alone. Without a setting nobody books anything alone.
  select coalesce(min((c.value #>> '{}')::numeric), 0)
  from platform.system_configs as c
  where c.key = 'pay.adjustment_limit'
    and c.is_active
    and c.value_type = 'number'
    and (c.tenant_id is null or c.tenant_id = p_enterprise)
$$;
comment on function pay.single_person_limit(uuid) is
'Up to which amount, in the enterprise''s currency, one person may book an adjustment or pay a claim: the setting pay.adjustment_limit.
p_enterprise: tenant.';

create or replace function pay.adjustment_needs_approval(p_enterprise uuid, p_crew_member uuid, p_period uuid, p_amount numeric)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select abs(p_amount) + coalesce(sum(abs(a.amount)), 0) + (
      select coalesce(sum(abs(o.amount - o.original_amount)), 0)
      from pay.overrides as o
      where o.enterprise_id = p_enterprise and o.crew_member_id = p_crew_member and o.pay_period_id = p_period
        and o.state in ('APPROVED', 'RESET') and o.approved_by is null) > pay.single_person_limit(p_enterprise)
  from pay.adjustments as a
  where a.enterprise_id = p_enterprise
    and a.crew_member_id = p_crew_member
    and a.pay_period_id = p_period
    and a.state in ('APPROVED', 'PAID')
    and a.approved_by is null
$$;
comment on function pay.adjustment_needs_approval(uuid, uuid, uuid, numeric) is
'Whether an amount, with what the crew member gets in the period without a second person already, is above the limit.
p_enterprise, p_crew_member, p_period, p_amount: as pay.adjust().';

-- A clerk may be a crew member as well.
create or replace function pay.is_own_pay(p_enterprise uuid, p_crew_member uuid)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select exists (
    select from crew.crew_members as m
    where m.enterprise_id = p_enterprise and m.id = p_crew_member and m.person_id = auth.person())
$$;
comment on function pay.is_own_pay(uuid, uuid) is
'Whether the caller would get it: nobody books or approves what is paid to the own person.
p_enterprise: tenant; p_crew_member: who gets it.';

create or replace function pay.adjust(
  p_enterprise uuid, p_crew_member uuid, p_period uuid, p_amount numeric, p_reason text,
  p_source pay.adjustment_source default 'MANUAL', p_source_id uuid default null,
  p_of_period uuid default null, p_of_component pay.component default null)
returns pay.adjustments
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_reason text := pay.require_reason(p_reason);
  v_adjustment pay.adjustments;
  v_approval pay.approvals;
  v_hash text := pay.adjustment_hash(p_crew_member, p_amount, p_source, p_source_id);
  v_before text;
begin
  perform auth.require_role('payroll', 'admin', 'service_role', 'jobs');
  perform auth.require_enterprise(p_enterprise);
  perform pay.check_adjustment(p_enterprise, p_crew_member, p_amount, p_source, p_source_id);
  perform pay.share_period(p_enterprise, p_period);
  -- Two that book for the same crew member and period at once: the second sees what the first has booked.
  perform pg_advisory_xact_lock(hashtext('pay.adjust'), hashtext(concat_ws('/', p_crew_member, p_period)));
  v_before := pay.because(v_reason);

  -- A claim''s payment may have had its second person already.
  select a.* into v_approval
  from pay.approvals as a
  where a.enterprise_id = p_enterprise and a.subject_kind = 'CLAIM_PAYMENT' and a.subject_id = p_source_id
    and a.state = 'APPROVED' and a.payload_hash = v_hash and p_source = 'CLAIM'
    and not exists (
      select from pay.adjustments as d
      where d.enterprise_id = p_enterprise and d.source = 'CLAIM' and d.source_id = p_source_id and d.approved_at >= a.decided_at
        and d.state in ('APPROVED', 'PAID'));

  insert into pay.adjustments (
    enterprise_id, crew_member_id, pay_period_id, amount, reason, source, source_id, of_period_id, of_component,
    state, requested_by, requested_by_person, approved_by, approved_by_person, approved_at)
  select p_enterprise, p_crew_member, p_period, p_amount, v_reason, p_source, p_source_id, p_of_period, p_of_component,
    case when asks.second_person then 'PROPOSED' else 'APPROVED' end::pay.adjustment_state,
    coalesce(v_approval.requested_by, audit.actor()), case when v_approval.id is null then auth.person() else v_approval.requested_by_person end,
    v_approval.decided_by, v_approval.decided_by_person, case when not asks.second_person then now() end
  from (
    select v_approval.id is null
      and (pay.adjustment_needs_approval(p_enterprise, p_crew_member, p_period, p_amount) or pay.is_own_pay(p_enterprise, p_crew_member)) as second_person
  ) as asks
  returning * into v_adjustment;
  if v_adjustment.state = 'PROPOSED' then
    perform pay.request_approval('ADJUSTMENT', v_adjustment.id, v_hash, v_reason);
  end if;
  perform set_config('app.reason', v_before, true);
  return v_adjustment;
end
$$;
alter function pay.adjust(uuid, uuid, uuid, numeric, text, pay.adjustment_source, uuid, uuid, pay.component) owner to crewpay_definer;
revoke all on function pay.adjust(uuid, uuid, uuid, numeric, text, pay.adjustment_source, uuid, uuid, pay.component) from public;
grant execute on function pay.adjust(uuid, uuid, uuid, numeric, text, pay.adjustment_source, uuid, uuid, pay.component)
  to crewpay_payroll, crewpay_admin, crewpay_service, crewpay_jobs;
comment on function pay.adjust(uuid, uuid, uuid, numeric, text, pay.adjustment_source, uuid, uuid, pay.component) is
'Books an amount that no term pays; the period''s next run pays it. Returns it: APPROVED, or PROPOSED where a second person has to decide
(pay.approve_adjustment, pay.deny_approval): when the crew member''s adjustments of the period that nobody else approved exceed the
setting pay.adjustment_limit, or when the crew member is the caller''s own person.
p_enterprise: tenant; p_crew_member: who gets it; p_period: an open pay period; p_amount: to the cent, negative takes back; p_reason: why,
printed on the statement; p_source: MANUAL, CLAIM or AUTO_FIX; p_source_id: the claim or discrepancy; p_of_period, p_of_component: what it makes good.
Raises 42501, CP109 (bad amount or source), CP211 (period not open), CP214 (unknown period or crew member), CP318 (no reason),
23505 (an automatic correction of that discrepancy is booked already).';

create or replace function pay.own_adjustment(p_adjustment uuid, p_states pay.adjustment_state[])
returns pay.adjustments
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_adjustment pay.adjustments;
begin
  select a.* into v_adjustment
  from pay.adjustments as a
  where a.enterprise_id = auth.enterprise_id() and a.id = p_adjustment
  for update;
  if v_adjustment.id is null then
    raise exception using
      errcode = 'CP311',
      message = format('no adjustment %s', p_adjustment),
      hint = 'List them: select id, state, amount, reason from pay.adjustments.';
  elsif v_adjustment.state <> all (p_states) then
    raise exception using
      errcode = 'CP314',
      message = format('the adjustment is %s', v_adjustment.state),
      detail = format('This needs %s.', array_to_string(p_states, ' or ')),
      hint = 'What is paid is taken back by another adjustment of the opposite amount.';
  end if;
  return v_adjustment;
end
$$;
comment on function pay.own_adjustment(uuid, pay.adjustment_state[]) is
'An adjustment of the caller''s enterprise, locked.
p_adjustment: adjustment; p_states: states it may be in. Raises CP311 (unknown), CP314 (another state).';

create or replace function pay.approve_adjustment(p_adjustment uuid, p_reason text default null)
returns pay.adjustments
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_adjustment pay.adjustments;
  v_approval pay.approvals;
  v_before text;
begin
  perform auth.require_role('admin', 'payroll');
  v_adjustment := pay.own_adjustment(p_adjustment, '{PROPOSED}');
  perform pay.share_period(v_adjustment.enterprise_id, v_adjustment.pay_period_id);
  -- Neither who asked nor who gets it.
  perform pay.require_approver(
    array[v_adjustment.requested_by_person, (
      select m.person_id from crew.crew_members as m where m.enterprise_id = v_adjustment.enterprise_id and m.id = v_adjustment.crew_member_id)],
    array[v_adjustment.requested_by::text]);
  v_before := pay.because(v_adjustment.reason);
  v_approval := pay.approve_pending('ADJUSTMENT', p_adjustment,
    pay.adjustment_hash(v_adjustment.crew_member_id, v_adjustment.amount, v_adjustment.source, v_adjustment.source_id), p_reason);
  update pay.adjustments as a
  set state = 'APPROVED', approved_by = v_approval.decided_by, approved_by_person = v_approval.decided_by_person, approved_at = now()
  where a.enterprise_id = v_adjustment.enterprise_id and a.id = p_adjustment
  returning a.* into v_adjustment;
  perform set_config('app.reason', v_before, true);
  return v_adjustment;
end
$$;
alter function pay.approve_adjustment(uuid, text) owner to crewpay_definer;
revoke all on function pay.approve_adjustment(uuid, text) from public;
grant execute on function pay.approve_adjustment(uuid, text) to crewpay_admin, crewpay_payroll;
comment on function pay.approve_adjustment(uuid, text) is
'Approves an adjustment that another person proposed; the period''s next run pays it.
p_adjustment: pay.adjustments.id; p_reason: the approver''s own words, or null.
Raises 42501, CP211 (its period has closed: pay.rebook_adjustment), CP310 (not another person), CP311 (unknown), CP313, CP314 (not proposed), CP317.';

-- A denial, or a withdrawal by who asked, is said once: pay.deny_approval(). The adjustment follows.
create or replace function pay.tg_adjustment_decided()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  update pay.adjustments as a
  set state = new.state::text::pay.adjustment_state
  where a.enterprise_id = new.enterprise_id and a.id = new.subject_id and a.state = 'PROPOSED';
  return null;
end
$$;
comment on function pay.tg_adjustment_decided() is
'Row trigger after UPDATE on approvals: an adjustment that was denied or withdrawn says so itself.';

create or replace trigger approvals_50_adjustment after update on pay.approvals
  for each row when (new.subject_kind::text = 'ADJUSTMENT' and new.state in ('DENIED', 'WITHDRAWN'))
  execute function pay.tg_adjustment_decided();
comment on trigger approvals_50_adjustment on pay.approvals is 'Denied and withdrawn adjustments say so.';

create or replace function pay.withdraw_adjustment(p_adjustment uuid, p_reason text)
returns pay.adjustments
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_adjustment pay.adjustments;
  v_reason text := pay.require_reason(p_reason);
  v_before text;
begin
  perform pay.require_person();
  v_adjustment := pay.own_adjustment(p_adjustment, '{PROPOSED,APPROVED}');
  if v_adjustment.source in ('RETRO', 'RECOVERY') then
    raise exception using
      errcode = 'CP314',
      message = 'back pay is withdrawn as a whole, not line by line',
      hint = 'Correct what it rests on and run pay.retro() again: it pays or takes back the difference.';
  end if;
  v_before := pay.because(v_reason);
  if v_adjustment.state = 'PROPOSED' then
    perform pay.deny_approval(a.id, v_reason)
    from pay.approvals as a
    where a.enterprise_id = v_adjustment.enterprise_id and a.subject_id = p_adjustment and a.state = 'PENDING';
  else
    -- A run in progress may have read it.
    perform pay.lock_period(v_adjustment.enterprise_id, v_adjustment.pay_period_id);
    update pay.adjustments as a
    set state = 'WITHDRAWN'
    where a.enterprise_id = v_adjustment.enterprise_id and a.id = p_adjustment;
  end if;
  select a.* into v_adjustment
  from pay.adjustments as a
  where a.enterprise_id = v_adjustment.enterprise_id and a.id = p_adjustment;
  perform set_config('app.reason', v_before, true);
  return v_adjustment;
end
$$;
alter function pay.withdraw_adjustment(uuid, text) owner to crewpay_definer;
revoke all on function pay.withdraw_adjustment(uuid, text) from public;
grant execute on function pay.withdraw_adjustment(uuid, text) to crewpay_admin, crewpay_payroll;
comment on function pay.withdraw_adjustment(uuid, text) is
'Takes back an adjustment that is not paid yet; one that waits for a second person is denied so, unless who asked withdraws it.
p_adjustment: pay.adjustments.id; p_reason: why.
Raises 42501, CP210 (a run is in progress), CP211 (period not open), CP310, CP311 (unknown), CP314 (paid, or over), CP317, CP318 (no reason).';

create or replace function pay.rebook_adjustment(p_adjustment uuid, p_period uuid)
returns pay.adjustments
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_adjustment pay.adjustments;
begin
  perform auth.require_role('admin', 'payroll');
  v_adjustment := pay.own_adjustment(p_adjustment, '{PROPOSED,APPROVED}');
  perform pay.share_period(v_adjustment.enterprise_id, p_period);
  if v_adjustment.state = 'APPROVED' and exists (
    select from pay.pay_periods as p
    where p.enterprise_id = v_adjustment.enterprise_id and p.id = v_adjustment.pay_period_id and p.status in ('OPEN', 'PROCESSING')) then
    perform pay.lock_period(v_adjustment.enterprise_id, v_adjustment.pay_period_id);
  end if;
  update pay.adjustments as a
  set pay_period_id = p_period
  where a.enterprise_id = v_adjustment.enterprise_id and a.id = p_adjustment
  returning a.* into v_adjustment;
  return v_adjustment;
end
$$;
alter function pay.rebook_adjustment(uuid, uuid) owner to crewpay_definer;
revoke all on function pay.rebook_adjustment(uuid, uuid) from public;
grant execute on function pay.rebook_adjustment(uuid, uuid) to crewpay_admin, crewpay_payroll;
comment on function pay.rebook_adjustment(uuid, uuid) is
'Moves an adjustment that is not paid yet to another open period.
p_adjustment: pay.adjustments.id; p_period: the period. Raises 42501, CP210, CP211 (not open), CP214, CP311 (unknown), CP314 (paid, or over).';

-- In a run: the staged lines get those of adjustments.
create or replace function pay.stage_adjustments(p_enterprise uuid, p_period uuid)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (
    select from pay.adjustments as a
    where a.enterprise_id = p_enterprise and a.pay_period_id = p_period and a.state in ('APPROVED', 'PAID')) then
    execute $q$
      insert into _lines (no, term_no, node, quantity, cents)
      select p.no, 0, a.adjustment_no, 1, (a.amount * 100)::integer
      from pay.adjustments as a
      join _people as p on p.id = a.crew_member_id
      where a.enterprise_id = $1 and a.pay_period_id = $2 and a.state in ('APPROVED', 'PAID')$q$
    using p_enterprise, p_period;
  end if;
end
$$;
comment on function pay.stage_adjustments(uuid, uuid) is
'Adds the adjustments that a period pays to the staged lines.
p_enterprise: tenant; p_period: period.';

-- Who has left, and is owed something all the same, gets a result of adjustments alone.
create or replace function pay.former_crew_sql()
returns text
language sql
stable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select $q$select c.id as crew_member_id, sum(a.amount) as amount,
    array_agg(0::smallint order by a.adjustment_no) as line_term,
    array_agg(a.adjustment_no order by a.adjustment_no) as line_node,
    array_agg(1::numeric order by a.adjustment_no) as line_quantity,
    array_agg((a.amount * 100)::integer order by a.adjustment_no) as line_cents
  from pay.adjustments as a
  join crew.crew_members as c on c.enterprise_id = a.enterprise_id and c.id = a.crew_member_id
  where a.enterprise_id = $1 and a.pay_period_id = $2 and a.state in ('APPROVED', 'PAID')
    and c.position = any ($6)
    and (@crew@ is null or c.id = any (@crew@))
    and not (c.hire_date <= @period_last@ and (c.termination_date is null or c.termination_date >= @month_first@))
  group by c.id$q$
$$;
comment on function pay.former_crew_sql() is
'SELECT of the results of crew members who are not employed in a period but get adjustments with it; with a plan''s tokens.
Parameters: $1 enterprise, $2 period, $6 positions.';

create or replace function pay.mark_adjustments_paid(p_run pay.pay_runs)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  update pay.adjustments as a
  set state = 'PAID', paid_by_run = p_run.id, paid_at = now()
  from pay.pay_calculations as c
  where a.enterprise_id = p_run.enterprise_id
    and a.pay_period_id = p_run.pay_period_id
    and a.state = 'APPROVED'
    and c.enterprise_id = a.enterprise_id
    and c.crew_member_id = a.crew_member_id
    and c.pay_period_id = a.pay_period_id
    and c.run_id = p_run.id
    and exists (
      select from unnest(c.line_term, c.line_node) as l (term_no, node)
      where l.term_no = 0 and l.node = a.adjustment_no)
$$;
comment on function pay.mark_adjustments_paid(pay.pay_runs) is
'Adjustments among the lines of a run are paid; what was booked while it ran waits for the next.
p_run: a run whose results stand.';

create or replace function pay.period_text(p_period pay.pay_periods)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
return case when p_period.start_date = p_period.contract_month and p_period.end_date = (p_period.contract_month + interval '1 month')::date - 1
  then to_char(p_period.contract_month, 'YYYY-MM') else concat_ws(' to ', p_period.start_date, p_period.end_date) end;
comment on function pay.period_text(pay.pay_periods) is 'A pay period in words: its month, or its first and last day.
p_period: the period.';

-- Of what back pay is made up: 'flight pay 30.00, premium 2.50'.
create or replace function pay.back_pay_text(p_result uuid)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select string_agg(format('%s %s', replace(c.component::text, '_', ' '), c.amount), ', ' order by c.component)
  from (
    select i.component, sum(i.amount) as amount
    from pay.retro_items as i
    where i.enterprise_id = auth.enterprise_id() and i.retro_result_id = p_result
    group by i.component
    having sum(i.amount) <> 0
  ) as c
$$;
comment on function pay.back_pay_text(uuid) is 'The components of what back pay found for a crew member and period, in words.
p_result: pay.retro_results.id.';

create or replace function pay.adjustment_text(p_adjustment pay.adjustments)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select concat_ws(': ', concat_ws(' ',
    case p_adjustment.source when 'MANUAL' then 'manual' when 'CLAIM' then 'claim' when 'RETRO' then 'back pay'
      when 'RECOVERY' then 'recovery of an overpayment' else 'automatic correction' end,
    (select 'of ' || pay.period_text(p)
      from pay.pay_periods as p
      where p.enterprise_id = p_adjustment.enterprise_id and p.id = p_adjustment.of_period_id),
    replace(p_adjustment.of_component::text, '_', ' ')),
    case when p_adjustment.source = 'RETRO' then pay.back_pay_text(p_adjustment.source_id) end)
$$;
comment on function pay.adjustment_text(pay.adjustments) is 'Where an adjustment comes from, in words.
p_adjustment: the adjustment.';
