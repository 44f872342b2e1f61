-- Approving a run, closing and reopening its period.
--
--   OPEN ──begin_processing──▶ PROCESSING ──close_period──▶ CLOSED ──mark_paid──▶ PAID
--    ▲ ◀──────resume_period───────┘                           │                    │
--    └────────────request_reopen + approve_reopen─────────────┴────────────────────┘
--
-- close_period also closes an OPEN period. It asks for an approval of the run whose results stand, by another person.

-- SHA-256 over the lines of a period's current results, as pay.finish_run() stores it with the run.
create or replace function pay.result_hash(p_enterprise uuid, p_period uuid)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select encode(sha256(coalesce(string_agg(
    sha256(uuid_send(c.crew_member_id) || array_send(c.line_term) || array_send(c.line_node) || array_send(c.line_quantity) || array_send(c.line_cents)),
    ''::bytea order by c.crew_member_id), '')), 'hex')
  from pay.pay_calculations as c
  where c.enterprise_id = p_enterprise and c.pay_period_id = p_period
$$;
comment on function pay.result_hash(uuid, uuid) is
'Hash of what a period pays now; equals the run''s result_hash while its results stand.
p_enterprise: tenant; p_period: period.';

-- The facts of a period, each with its day: what the guard, the staleness check and the separation of duties look at.
create or replace function pay.legs_of(p_period pay.pay_periods)
returns setof crew.crew_assignments
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select a.*
  from crew.crew_assignments as a
  join crew.crew_members as m on m.enterprise_id = a.enterprise_id and m.id = a.crew_member_id
  join crew.airports as b on b.iata = m.base_location
  where a.enterprise_id = p_period.enterprise_id
    and a.duty_start_time >= p_period.start_date::timestamptz - interval '2 days'
    and a.duty_start_time < p_period.end_date::timestamptz + interval '3 days'
    and (a.duty_start_time at time zone b.time_zone)::date between p_period.start_date and p_period.end_date
$$;
comment on function pay.legs_of(pay.pay_periods) is
'Assignments whose duty begins in a period (base clock), retired ones included.
p_period: the period.';

create or replace function pay.changed_since(p_period pay.pay_periods, p_as_of timestamptz)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    with legs as materialized (
      select l.id, l.flight_id, l.trip_id, l.updated_at
      from pay.legs_of(p_period) as l
      union all
      -- What the period adds to the month rests on the month's earlier periods, and on whatever its contract looks back to.
      select l.id, l.flight_id, l.trip_id, l.updated_at
      from pay.pay_periods as earlier
      cross join lateral pay.legs_of(earlier) as l
      where earlier.enterprise_id = p_period.enterprise_id
        and earlier.start_date < p_period.start_date
        and (earlier.contract_month = p_period.contract_month or pay.looks_back_to(p_period, earlier.end_date))
    )
    select changed.what
    from (
      select 'assignment ' || l.id from legs as l where l.updated_at > p_as_of
      union all
      select 'flight ' || f.id
      from crew.flights as f
      where f.enterprise_id = p_period.enterprise_id and f.updated_at > p_as_of and f.id in (select l.flight_id from legs as l)
      union all
      select 'trip ' || t.id
      from crew.trips as t
      where t.enterprise_id = p_period.enterprise_id and t.updated_at > p_as_of and t.id in (select l.trip_id from legs as l)
      union all
      select 'month of crew member ' || m.crew_member_id
      from crew.crew_months as m
      where m.enterprise_id = p_period.enterprise_id and m.month = p_period.contract_month and m.updated_at > p_as_of
      union all
      select 'crew member ' || c.id
      from crew.crew_members as c
      where c.enterprise_id = p_period.enterprise_id and c.updated_at > p_as_of
        and c.hire_date <= p_period.end_date
        and (c.termination_date is null or c.termination_date >= p_period.start_date)
      union all
      select 'former assignment ' || v.row_key
      from crew.fact_versions as v
      join crew.crew_members as m on m.enterprise_id = v.enterprise_id and m.id = (v.row_data ->> 'crew_member_id')::uuid
      join crew.airports as b on b.iata = m.base_location
      where v.enterprise_id = p_period.enterprise_id and v.table_name = 'crew.crew_assignments' and v.recorded_to > p_as_of
        and ((v.row_data ->> 'duty_start_time')::timestamptz at time zone b.time_zone)::date between p_period.start_date and p_period.end_date
      union all
      select 'term ' || t.term_code
      from rules.union_contract_terms as t
      where t.enterprise_id = p_period.enterprise_id
        and greatest(t.recorded_at, t.superseded_at) > p_as_of
        and t.effective_date <= p_period.end_date
        and (t.expiration_date is null or t.expiration_date > p_period.contract_month)
      union all
      select 'adjustment ' || a.adjustment_no
      from pay.adjustments as a
      where a.enterprise_id = p_period.enterprise_id and a.pay_period_id = p_period.id and a.state = 'APPROVED'
      union all
      select 'override ' || o.override_no
      from pay.overrides as o
      where o.enterprise_id = p_period.enterprise_id and o.pay_period_id = p_period.id and greatest(o.approved_at, o.reset_at) > p_as_of
    ) as changed (what)
    limit 1);
end
$$;
comment on function pay.changed_since(pay.pay_periods, timestamptz) is
'The first fact or term of a period, or fact that its pay looks back to, that went on record after a moment, or adjustment that no run has paid; null when there is none.
p_period: the period; p_as_of: e.g. pay_runs.as_of.';

create or replace function pay.edited_by(p_period pay.pay_periods, p_logins text[])
returns boolean
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  -- An approved correction or rate is recorded under who approved it; who asked for it counts as its editor.
  return exists (
    with entries as materialized (
      select l.entity_type, l.entity_id, l.entity_key, l.changes, l.created_at
      from audit.audit_log as l
      where l.enterprise_id = p_period.enterprise_id
        and l.actor_id = any (p_logins)
        and l.entity_type in ('crew.crew_assignments', 'crew.flights', 'crew.trips', 'crew.crew_months', 'crew.crew_members')
        and l.transaction_id not in (
          select c.applied_in from crew.corrections as c where c.enterprise_id = p_period.enterprise_id and c.applied_in is not null
          union all
          select c.applied_in from pay.rate_changes as c where c.enterprise_id = p_period.enterprise_id and c.applied_in is not null)
    ), legs as materialized (
      select g.id, g.flight_id, g.trip_id from pay.legs_of(p_period) as g where exists (select from entries)
    )
    select
    from entries as e
    where e.entity_type = 'crew.crew_assignments' and e.entity_id in (select g.id from legs as g)
      or e.entity_type = 'crew.flights' and e.entity_id in (select g.flight_id from legs as g)
      or e.entity_type = 'crew.trips' and e.entity_id in (select g.trip_id from legs as g)
      or e.entity_type = 'crew.crew_months' and e.entity_key like '%/' || p_period.contract_month
      or e.entity_type = 'crew.crew_members' and e.changes ?| '{base_hourly_rate,position,hire_date}' and e.created_at >= p_period.start_date)
    or exists (
      select
      from pay.retro_queue as q
      join crew.corrections as c on c.enterprise_id = q.enterprise_id and c.id = q.correction_id
      where q.enterprise_id = p_period.enterprise_id and q.pay_period_id = p_period.id and c.requested_by = any (p_logins))
    or exists (
      select
      from pay.adjustments as a
      where a.enterprise_id = p_period.enterprise_id and a.pay_period_id = p_period.id and a.state = 'PAID' and a.requested_by = any (p_logins))
    or exists (
      select
      from pay.overrides as o
      where o.enterprise_id = p_period.enterprise_id and o.pay_period_id = p_period.id and o.state in ('APPROVED', 'RESET') and o.requested_by = any (p_logins))
    or exists (
      select
      from pay.rate_changes as c
      where c.enterprise_id = p_period.enterprise_id and c.rates is not null and c.applied_at >= p_period.start_date
        and c.requested_by = any (p_logins));
end
$$;
comment on function pay.edited_by(pay.pay_periods, text[]) is
'Whether one of some logins put facts of a period on record, or asked for a correction of them, for an adjustment or for rates that it pays.
p_period: the period; p_logins: e.g. all of one person (auth.persons).';

-- The period, held against runs and decisions; whoever comes second sees what the first has done.
create or replace function pay.hold_period(p_period uuid, p_states pay.pay_period_status[])
returns pay.pay_periods
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_period pay.pay_periods;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception using
      errcode = '25001',
      message = 'decisions about a pay period need READ COMMITTED',
      hint = 'An older snapshot would not show what others have just changed: begin; set transaction isolation level read committed.';
  end if;
  -- FOR UPDATE waits for everybody who is writing facts of the period (they hold FOR KEY SHARE).
  select p.* into v_period
  from pay.pay_periods as p
  where p.enterprise_id = auth.enterprise_id() and p.id = p_period
  for update;
  if v_period.id is null then
    raise exception using
      errcode = 'CP214',
      message = format('no pay period %s', p_period),
      hint = 'List them: select id, start_date, end_date from pay.pay_periods.';
  elsif v_period.status <> all (p_states) then
    raise exception using
      errcode = 'CP314',
      message = format('the pay period %s to %s is %s', v_period.start_date, v_period.end_date, v_period.status),
      detail = format('This needs %s.', array_to_string(p_states, ' or ')),
      hint = 'OPEN → PROCESSING → CLOSED → PAID; a closed period is reopened by two people.';
  end if;
  return v_period;
end
$$;
comment on function pay.hold_period(uuid, pay.pay_period_status[]) is
'The caller''s own period, locked until the transaction ends.
p_period: period; p_states: states it may be in. Raises CP214 (unknown), CP314 (another state), 25001 (isolation level).';

-- The run whose results are the period's, whole and unchanged.
create or replace function pay.standing_run(p_period pay.pay_periods)
returns pay.pay_runs
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_run pay.pay_runs;
  v_changed text;
begin
  select r.* into v_run
  from pay.pay_runs as r
  where r.enterprise_id = p_period.enterprise_id
    and r.pay_period_id = p_period.id
    and r.kind = 'REGULAR'
    and r.state = 'published'
    and r.whole_period;
  if v_run.id is null then
    raise exception using
      errcode = 'CP311',
      message = format('the pay period %s to %s has no published run', p_period.start_date, p_period.end_date),
      hint = 'Run the whole period first: select pay.run(…).';
  end if;
  if v_run.result_hash <> pay.result_hash(p_period.enterprise_id, p_period.id)
    or exists (
      select
      from pay.pay_calculations as c
      join pay.pay_runs as r on r.enterprise_id = c.enterprise_id and r.id = c.run_id
      where c.enterprise_id = p_period.enterprise_id and c.pay_period_id = p_period.id and not r.whole_period) then
    raise exception using
      errcode = 'CP313',
      message = 'the results have changed since the run of the whole period',
      detail = format('run %s', v_run.id),
      hint = 'Run the whole period again, then have that approved.';
  end if;
  v_changed := pay.changed_since(p_period, v_run.as_of);
  if v_changed is not null then
    raise exception using
      errcode = 'CP319',
      message = 'facts have changed since the run',
      detail = format('%s, after %s', v_changed, v_run.as_of),
      hint = 'Run the period again, then have that approved.';
  end if;
  return v_run;
end
$$;
comment on function pay.standing_run(pay.pay_periods) is
'The published run of a whole period, if its results and facts are still what it saw.
p_period: the period. Raises CP311 (none), CP313 (results changed), CP319 (facts changed).';

create or replace function pay.approve_run(p_run uuid, p_reason text default null)
returns pay.approvals
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_enterprise uuid := auth.enterprise_id();
  v_period pay.pay_periods;
  v_run pay.pay_runs;
  v_approver record;
  v_logins text[];
  v_approval pay.approvals;
  v_before text;
begin
  perform auth.require_role('admin', 'payroll');
  select r.* into v_run
  from pay.pay_runs as r
  where r.enterprise_id = v_enterprise and r.id = p_run;
  if v_run.id is null then
    raise exception using
      errcode = 'CP311',
      message = format('no run %s', p_run),
      hint = 'List them: select id, state, total_amount from pay.pay_runs.';
  end if;
  v_period := pay.hold_period(v_run.pay_period_id, array['OPEN', 'PROCESSING']::pay.pay_period_status[]);
  v_run := pay.standing_run(v_period);
  if v_run.id <> p_run then
    raise exception using
      errcode = 'CP311',
      message = 'the run is not the one whose results stand',
      detail = format('run %s; standing: %s', p_run, v_run.id),
      hint = 'Approve the published run of the whole period.';
  elsif exists (
    select from pay.approvals as a
    where a.enterprise_id = v_enterprise and a.subject_kind = 'RUN' and a.subject_id = p_run and a.state = 'APPROVED') then
    raise exception using
      errcode = 'CP311',
      message = 'the run is approved already',
      detail = format('run %s', p_run),
      hint = 'Close its period: select pay.close_period(…).';
  end if;

  v_approver := pay.require_approver(array[v_run.requested_by_person], array[v_run.requested_by::text]);
  select array_agg(p.actor) into v_logins
  from auth.persons() as p
  where p.person_id in (v_approver.person, v_approver.on_behalf_of);
  if pay.edited_by(v_period, v_logins) then
    raise exception using
      errcode = 'CP310',
      message = 'another person has to decide this',
      detail = format('Login %s belongs to somebody who put facts of the period on record.', audit.actor()),
      hint = 'Ask an administrator who had no part in it, or somebody to whom one has delegated (pay.delegate).';
  end if;

  v_before := pay.because(p_reason);
  insert into pay.approvals (
    enterprise_id, subject_kind, subject_id, payload_hash, requested_by, requested_by_person, requested_at, state, decision,
    decided_by, decided_by_person, on_behalf_of_person, decided_at, decision_reason)
  values (
    v_enterprise, 'RUN', p_run, v_run.result_hash, v_run.requested_by, v_run.requested_by_person, v_run.finished_at, 'APPROVED', 'APPROVED',
    audit.actor(), v_approver.person, v_approver.on_behalf_of, now(), nullif(btrim(p_reason), ''))
  returning * into v_approval;
  update pay.pay_calculations as c
  set validated_at = now(), validated_by = audit.actor()
  where c.enterprise_id = v_enterprise and c.pay_period_id = v_period.id;
  perform set_config('app.reason', v_before, true);
  return v_approval;
end
$$;
alter function pay.approve_run(uuid, text) owner to crewpay_definer;
revoke all on function pay.approve_run(uuid, text) from public;
grant execute on function pay.approve_run(uuid, text) to crewpay_admin, crewpay_payroll;
comment on function pay.approve_run(uuid, text) is
'Approves the published run of a whole period: its results carry validated_at and validated_by. A later run has to be approved again.
p_run: the run; p_reason: for the audit trail, or null. By another person than who ran it or put facts of the period on record.
Raises 42501, CP310 (not another person), CP311 (nothing to approve), CP313 (results changed), CP314 (period not open), CP317 (delegation
ended), CP319 (facts changed).';

create or replace function pay.begin_processing(p_period uuid)
returns pay.pay_periods
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_period pay.pay_periods;
begin
  perform auth.require_role('admin', 'payroll');
  v_period := pay.hold_period(p_period, array['OPEN']::pay.pay_period_status[]);
  update pay.pay_periods as p set status = 'PROCESSING'
  where p.enterprise_id = v_period.enterprise_id and p.id = v_period.id
  returning p.* into v_period;
  return v_period;
end
$$;
alter function pay.begin_processing(uuid) owner to crewpay_definer;
revoke all on function pay.begin_processing(uuid) from public;
grant execute on function pay.begin_processing(uuid) to crewpay_admin, crewpay_payroll;
comment on function pay.begin_processing(uuid) is
'OPEN → PROCESSING: files are no longer imported into the period while its results are looked at.
p_period: the period. Raises 42501, CP214, CP314 (not open).';

create or replace function pay.resume_period(p_period uuid)
returns pay.pay_periods
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_period pay.pay_periods;
begin
  perform auth.require_role('admin', 'payroll');
  v_period := pay.hold_period(p_period, array['PROCESSING']::pay.pay_period_status[]);
  update pay.pay_periods as p set status = 'OPEN'
  where p.enterprise_id = v_period.enterprise_id and p.id = v_period.id
  returning p.* into v_period;
  return v_period;
end
$$;
alter function pay.resume_period(uuid) owner to crewpay_definer;
revoke all on function pay.resume_period(uuid) from public;
grant execute on function pay.resume_period(uuid) to crewpay_admin, crewpay_payroll;
comment on function pay.resume_period(uuid) is
'PROCESSING → OPEN: files are imported again.
p_period: the period. Raises 42501, CP214, CP314 (not being processed).';

create or replace function pay.close_period(p_period uuid)
returns pay.pay_periods
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_period pay.pay_periods;
  v_run pay.pay_runs;
begin
  perform auth.require_role('admin', 'payroll');
  v_period := pay.hold_period(p_period, array['OPEN', 'PROCESSING']::pay.pay_period_status[]);
  v_run := pay.standing_run(v_period);
  if not exists (
    select from pay.approvals as a
    where a.enterprise_id = v_period.enterprise_id and a.subject_kind = 'RUN' and a.subject_id = v_run.id and a.state = 'APPROVED'
      and a.payload_hash = v_run.result_hash) then
    raise exception using
      errcode = 'CP312',
      message = 'the run is not approved',
      detail = format('run %s of %s to %s', v_run.id, v_period.start_date, v_period.end_date),
      hint = 'Another person approves it: select pay.approve_run(…).';
  end if;
  update pay.pay_periods as p set status = 'CLOSED'
  where p.enterprise_id = v_period.enterprise_id and p.id = v_period.id
  returning p.* into v_period;
  -- What was corrected before the run is in its results.
  update pay.retro_queue as q
  set settled_at = now(), settled_by_run = v_run.id
  where q.enterprise_id = v_period.enterprise_id and q.pay_period_id = v_period.id and q.settled_at is null and q.queued_at <= v_run.as_of;
  -- What back pay has paid beside books that are others now is in these: somebody has to set it off.
  insert into pay.retro_queue (enterprise_id, crew_member_id, pay_period_id, cause, queued_by)
  select distinct s.enterprise_id, s.crew_member_id, s.pay_period_id, 'closed again after back pay', audit.actor()
  from pay.retro_results as s
  join pay.retros as r on r.enterprise_id = s.enterprise_id and r.id = s.retro_id and r.state = 'APPROVED'
  join pay.pay_calculations as c
    on c.enterprise_id = s.enterprise_id and c.crew_member_id = s.crew_member_id and c.pay_period_id = s.pay_period_id
    and c.run_id is distinct from s.books_run_id
  where s.enterprise_id = v_period.enterprise_id and s.pay_period_id = v_period.id
  on conflict do nothing;
  return v_period;
end
$$;
alter function pay.close_period(uuid) owner to crewpay_definer;
revoke all on function pay.close_period(uuid) from public;
grant execute on function pay.close_period(uuid) to crewpay_admin, crewpay_payroll;
comment on function pay.close_period(uuid) is
'OPEN or PROCESSING → CLOSED, when the period''s run is approved and nothing has changed since. From then on its facts change through
crew.correct() only. Waits for sessions that are writing facts of the period. Who got back pay of it, before it was reopened, is queued for it again.
p_period: the period. Raises 42501, CP214, CP311 (no run), CP312 (not approved), CP313 (results changed), CP314 (not open), CP319 (facts changed).';

create or replace function pay.mark_paid(p_period uuid)
returns pay.pay_periods
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_period pay.pay_periods;
begin
  perform auth.require_role('admin', 'payroll');
  v_period := pay.hold_period(p_period, array['CLOSED']::pay.pay_period_status[]);
  update pay.pay_periods as p set status = 'PAID'
  where p.enterprise_id = v_period.enterprise_id and p.id = v_period.id
  returning p.* into v_period;
  return v_period;
end
$$;
alter function pay.mark_paid(uuid) owner to crewpay_definer;
revoke all on function pay.mark_paid(uuid) from public;
grant execute on function pay.mark_paid(uuid) to crewpay_admin, crewpay_payroll;
comment on function pay.mark_paid(uuid) is
'CLOSED → PAID.
p_period: the period. Raises 42501, CP214, CP314 (not closed).';

create or replace function pay.reopen_hash(p_period pay.pay_periods)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select encode(sha256(convert_to(
    concat_ws('|', p_period.id, p_period.status, pay.result_hash(p_period.enterprise_id, p_period.id)), 'UTF8')), 'hex')
$$;
comment on function pay.reopen_hash(pay.pay_periods) is
'What an approval to reopen covers: the period, its state and its results.
p_period: the period.';

create or replace function pay.request_reopen(p_period uuid, p_reason text)
returns pay.approvals
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_period pay.pay_periods;
  v_approval pay.approvals;
  v_reason text := pay.require_reason(p_reason);
  v_before text;
begin
  perform pay.require_person();
  v_period := pay.hold_period(p_period, array['CLOSED', 'PAID']::pay.pay_period_status[]);
  v_before := pay.because(v_reason);
  v_approval := pay.request_approval('REOPEN', p_period, pay.reopen_hash(v_period), v_reason);
  perform set_config('app.reason', v_before, true);
  return v_approval;
end
$$;
alter function pay.request_reopen(uuid, text) owner to crewpay_definer;
revoke all on function pay.request_reopen(uuid, text) from public;
grant execute on function pay.request_reopen(uuid, text) to crewpay_admin, crewpay_payroll;
comment on function pay.request_reopen(uuid, text) is
'Asks that a closed or paid period be opened again; a second person does it (pay.approve_reopen).
p_period: the period; p_reason: why, for the audit trail.
Raises 42501, CP214, CP310 (no person), CP314 (not closed, or asked already), CP318 (no reason).';

create or replace function pay.approve_reopen(p_period uuid, p_reason text default null)
returns pay.pay_periods
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_period pay.pay_periods;
  v_approval pay.approvals;
  v_before text;
begin
  perform auth.require_role('admin', 'payroll');
  v_period := pay.hold_period(p_period, array['CLOSED', 'PAID']::pay.pay_period_status[]);
  select a.* into v_approval
  from pay.approvals as a
  where a.enterprise_id = v_period.enterprise_id and a.subject_kind = 'REOPEN' and a.subject_id = p_period and a.state = 'PENDING';
  v_before := pay.because(v_approval.reason);
  v_approval := pay.approve_pending('REOPEN', p_period, pay.reopen_hash(v_period), p_reason);
  update pay.pay_periods as p set status = 'OPEN'
  where p.enterprise_id = v_period.enterprise_id and p.id = v_period.id
  returning p.* into v_period;
  -- It is closed again only after a new run and a new approval.
  update pay.approvals as a
  set state = 'SUPERSEDED'
  where a.enterprise_id = v_period.enterprise_id and a.subject_kind = 'RUN' and a.state = 'APPROVED'
    and a.subject_id in (select r.id from pay.pay_runs as r where r.enterprise_id = v_period.enterprise_id and r.pay_period_id = p_period);
  update pay.pay_calculations as c
  set validated_at = null, validated_by = null
  where c.enterprise_id = v_period.enterprise_id and c.pay_period_id = p_period and c.validated_at is not null;
  perform set_config('app.reason', v_before, true);
  return v_period;
end
$$;
alter function pay.approve_reopen(uuid, text) owner to crewpay_definer;
revoke all on function pay.approve_reopen(uuid, text) from public;
grant execute on function pay.approve_reopen(uuid, text) to crewpay_admin, crewpay_payroll;
comment on function pay.approve_reopen(uuid, text) is
'Opens a closed or paid period again, as another person asked. Its run has to be approved again before it is closed.
p_period: the period; p_reason: the approver''s own words, or null.
Raises 42501, CP214, CP310 (not another person), CP311 (nobody asked), CP313 (changed since), CP314 (not closed), CP317 (delegation ended).';

-- Whoever changes a state: only along the arrows, and functions only with what an arrow asks for. Operators (the owner, a
-- superuser) may move a period along the arrows by hand; the trail shows their login.
create or replace function pay.tg_period_state()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if tg_op = 'DELETE' then
    if old.status in ('CLOSED', 'PAID') then
      raise exception using
        errcode = 'CP211',
        message = format('the pay period %s to %s is %s', old.start_date, old.end_date, old.status),
        detail = format('period %s', old.id),
        hint = 'A closed period stays.';
    end if;
    return old;
  end if;
  if old.status in ('CLOSED', 'PAID')
    and (new.start_date, new.end_date, new.contract_month) is distinct from (old.start_date, old.end_date, old.contract_month) then
    raise exception using
      errcode = 'CP211',
      message = format('the pay period %s to %s is %s', old.start_date, old.end_date, old.status),
      detail = format('period %s', old.id),
      hint = 'The days of a closed period stay; reopen it first.';
  end if;
  if new.status = old.status then
    return new;
  end if;
  if (old.status, new.status) not in (
    ('OPEN', 'PROCESSING'), ('PROCESSING', 'OPEN'), ('OPEN', 'CLOSED'), ('PROCESSING', 'CLOSED'), ('CLOSED', 'PAID'),
    ('CLOSED', 'OPEN'), ('PAID', 'OPEN')) then
    raise exception using
      errcode = 'CP315',
      message = format('a pay period does not go from %s to %s', old.status, new.status),
      detail = format('%s to %s, period %s', old.start_date, old.end_date, old.id),
      hint = 'OPEN → PROCESSING → CLOSED → PAID; a closed or paid one is reopened to OPEN.';
  end if;
  if current_user = 'crewpay_definer' then
    if new.status = 'CLOSED' and not exists (
      select
      from pay.approvals as a
      join pay.pay_runs as r on r.enterprise_id = a.enterprise_id and r.id = a.subject_id and r.result_hash = a.payload_hash
      where a.enterprise_id = new.enterprise_id and a.subject_kind = 'RUN' and a.state = 'APPROVED'
        and r.pay_period_id = new.id and r.kind = 'REGULAR' and r.state = 'published' and r.whole_period)
    or new.status = 'OPEN' and old.status in ('CLOSED', 'PAID') and not exists (
      select
      from pay.approvals as a
      where a.enterprise_id = new.enterprise_id and a.subject_kind = 'REOPEN' and a.subject_id = new.id and a.state = 'APPROVED'
        and a.decided_at = now()) then
      raise exception using
        errcode = 'CP312',
        message = format('nobody approved that the pay period becomes %s', new.status),
        detail = format('%s to %s, period %s', old.start_date, old.end_date, old.id),
        hint = 'Use pay.close_period() and pay.approve_reopen().';
    end if;
  end if;
  -- An update alone would not wait for those who are writing facts (they hold FOR KEY SHARE).
  perform from pay.pay_periods as p where p.enterprise_id = new.enterprise_id and p.id = new.id for update;
  return new;
end
$$;
comment on function pay.tg_period_state() is
'Row trigger before UPDATE and DELETE on pay_periods: states change along the arrows only, days of a closed period stay, a closed one is not deleted.
Raises CP211 (closed), CP312 (a function without approval), CP315 (no such arrow).';

create or replace trigger pay_periods_20_state before update on pay.pay_periods
  for each row execute function pay.tg_period_state();
comment on trigger pay_periods_20_state on pay.pay_periods is 'OPEN → PROCESSING → CLOSED → PAID, reopened to OPEN; a closed period keeps its days.';
create or replace trigger pay_periods_20_kept before delete on pay.pay_periods
  for each row execute function pay.tg_period_state();
comment on trigger pay_periods_20_kept on pay.pay_periods is 'A closed period is never deleted.';
