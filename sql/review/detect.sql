-- Detection: recalculates, compares, lets every check look, and brings the discrepancies on record up to date. Set-based; a repeat
-- changes nothing.
--
--   recalculation ─┐
--   recorded pay ──┼─▶ differences ─▶ checks ─▶ findings ─▶ new | known | changed | cured ─▶ auto-fix, or a notification
--   payments ──────┘
--
-- Compared is what stands. Whose facts have changed is computed again first (an open period) or waits for the next detection; what was paid
-- to somebody whose recorded pay is wrong is looked at when that is right. So one cause is one discrepancy, whatever runs first.

-- The differences that may be looked at today. What payroll has not paid yet is none until it is due.
create or replace function review.differences(p_period pay.pay_periods, p_run pay.pay_runs, p_with_payments boolean, p_crew uuid[])
returns setof review.difference
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_settings jsonb := review.setting('review.detection');
  v_tolerance numeric := (v_settings ->> 'tolerance')::numeric;
  v_pay_date date := coalesce(p_period.pay_date, p_period.end_date + (v_settings ->> 'fallback_pay_days')::integer);
begin
  if p_run.id is not null then
    return query select * from review.compare_recorded(p_period, p_run, v_tolerance);
  end if;
  if p_with_payments then
    return query
      select d.*
      from review.compare_paid(p_period, null, p_crew, v_tolerance) as d
      where current_date >= v_pay_date
        + coalesce(v_settings -> 'due_days' ->> d.component::text, v_settings -> 'due_days' ->> 'default', '0')::integer;
  end if;
end
$$;
comment on function review.differences(pay.pay_periods, pay.pay_runs, boolean, uuid[]) is
'Differences of a period that are due.
p_period: period; p_run: recalculation, or null; p_with_payments: whether payments are compared; p_crew: crew members, null for all.';

-- Whether payroll has posted the period. Where it hasn't posted anything, one alert says more than a discrepancy for everybody.
create or replace function review.is_posted(p_period pay.pay_periods)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_settings jsonb := review.setting('review.detection');
  v_key text := 'review.payroll_missing:' || p_period.id;
begin
  if p_period.status = 'PAID' or exists (
    select from pay.payroll_payments as p where p.enterprise_id = p_period.enterprise_id and p.pay_period_id = p_period.id) then
    perform ops.clear_alert(v_key);
    return true;
  end if;
  if current_date > coalesce(p_period.pay_date, p_period.end_date + (v_settings ->> 'fallback_pay_days')::integer)
    and exists (select from pay.payroll_payments as p where p.enterprise_id = p_period.enterprise_id) then
    perform ops.raise_alert(v_key, 'HIGH', format('payroll has posted nothing of %s to %s', p_period.start_date, p_period.end_date),
      jsonb_build_object('pay_period_id', p_period.id));
  end if;
  return false;
end
$$;
comment on function review.is_posted(pay.pay_periods) is
'Whether payments of a period can be compared; raises an alert when they should be there and are not.
p_period: period.';

-- Brings the discrepancies of one check up to date with what it found.
create or replace function review.record_findings(
  p_detection review.detections, p_check review.checks, p_crew uuid[], p_bases review.basis[], p_findings review.finding[],
  out o_new integer, out o_changed integer, out o_cured integer)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_limits jsonb := review.setting('review.detection');
  v_by review.detected_by := case when auth.role() in ('jobs', 'service_role') then 'PROACTIVE_AGENT' else 'SYSTEM_CHECK' end::review.detected_by;
begin
  with found as materialized (
    select distinct on (f.crew_member_id, k.subject_key) f.*, k.subject_key,
      review.severity_of(f.expected - f.actual, c.total_gross_pay, p_check.severity, v_limits) as severity
    from unnest(p_findings) as f
    cross join lateral review.subject_key(f.basis, f.component, f.flight_id, f.level, f.node, f.subject) as k (subject_key)
    left join pay.pay_calculations as c
      on c.enterprise_id = p_detection.enterprise_id and c.pay_period_id = p_detection.pay_period_id and c.crew_member_id = f.crew_member_id
    where f.crew_member_id is not null
    order by f.crew_member_id, k.subject_key, abs(f.expected - f.actual) desc
  ),
  known as materialized (
    select d.*
    from review.discrepancies as d
    where d.enterprise_id = p_detection.enterprise_id
      and d.pay_period_id = p_detection.pay_period_id
      and d.check_id = p_check.id
      and (p_crew is null or d.crew_member_id in (select unnest(p_crew)))
  ),
  changed as (
    update review.discrepancies as d
    set expected_amount = f.expected, actual_amount = f.actual, difference_amount = f.expected - f.actual, severity = f.severity,
      reason = f.reason, explanation = f.explanation, run_id = case when f.basis = 'RECORDED' then p_detection.run_id end
    from found as f
    join known as k on k.crew_member_id = f.crew_member_id and k.subject_key = f.subject_key and k.resolution_status in ('OPEN', 'INVESTIGATING', 'ESCALATED')
    where d.enterprise_id = k.enterprise_id
      and d.id = k.id
      and (k.expected_amount, k.actual_amount, k.severity, k.reason) is distinct from (f.expected, f.actual, f.severity, f.reason)
    returning d.id
  ),
  cured as (
    update review.discrepancies as d
    set resolution_status = 'CLOSED', cured = true,
      resolution_date = coalesce(d.resolution_date, now()), resolved_by = coalesce(d.resolved_by, audit.actor()),
      resolution_notes = concat_ws(E'\n', d.resolution_notes, format('No longer found on %s: expected and actual agree.', current_date))
    from known as k
    where d.enterprise_id = k.enterprise_id
      and d.id = k.id
      and k.resolution_status in ('OPEN', 'INVESTIGATING', 'ESCALATED')
      and (k.basis is null or k.basis = any (p_bases))
      and not exists (select from found as f where f.crew_member_id = k.crew_member_id and f.subject_key = k.subject_key)
    returning d.id
  ),
  added as (
    insert into review.discrepancies (
      enterprise_id, crew_member_id, pay_period_id, flight_id, discrepancy_type, expected_amount, actual_amount, difference_amount, severity,
      detected_by, check_id, subject_key, component, basis, level, node, reason, explanation, detection_id, run_id)
    select p_detection.enterprise_id, f.crew_member_id, p_detection.pay_period_id, f.flight_id, p_check.discrepancy_type, f.expected, f.actual,
      f.expected - f.actual, f.severity, v_by, p_check.id, f.subject_key, f.component, f.basis, f.level, f.node, f.reason, f.explanation,
      p_detection.id, case when f.basis = 'RECORDED' then p_detection.run_id end
    from found as f
    where not exists (
      select from known as k
      where k.crew_member_id = f.crew_member_id
        and k.subject_key = f.subject_key
        and (k.resolution_status in ('OPEN', 'INVESTIGATING', 'ESCALATED')
          -- Settled, and still the same: it stays settled.
          or not k.cured and k.difference_amount = f.expected - f.actual
            -- Unless what was booked for it was taken back.
            and not exists (
              select from pay.adjustments as a
              where a.enterprise_id = k.enterprise_id and a.id = k.adjustment_id and a.state in ('WITHDRAWN', 'DENIED'))))
    returning id
  )
  select (select count(*) from added), (select count(*) from changed), (select count(*) from cured)
  into o_new, o_changed, o_cured;
end
$$;
comment on function review.record_findings(review.detections, review.checks, uuid[], review.basis[], review.finding[]) is
'Writes what a check found: new discrepancies, changed amounts of open ones, and open ones that are gone, which close themselves.
p_detection: detection; p_check: check; p_crew: crew members looked at, null for all; p_bases: what was compared (others are left alone);
p_findings: what it found.';

-- Findings about the contract as a whole have no crew member: they are an alert.
create or replace function review.alert_findings(p_check review.checks, p_findings review.finding[])
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_texts text[];
begin
  select array_agg(f.explanation order by f.explanation) into v_texts
  from unnest(p_findings) as f
  where f.crew_member_id is null;
  if v_texts is null then
    perform ops.clear_alert('review.' || p_check.id);
  else
    perform ops.raise_alert('review.' || p_check.id, p_check.severity, p_check.title, jsonb_build_object('findings', to_jsonb(v_texts)));
  end if;
end
$$;
comment on function review.alert_findings(review.checks, review.finding[]) is
'Raises or clears the alert for findings of a check that concern no crew member.
p_check: check; p_findings: what it found.';

create or replace function review.detect(
  p_enterprise uuid, p_period uuid, p_crew uuid[] default null, p_recompute boolean default true)
returns review.detections
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
set jit = off
set work_mem = '256MB'
as $$
declare
  v_period pay.pay_periods;
  v_detection review.detections;
  v_run pay.pay_runs;
  v_runs uuid[];
  v_left_out uuid[];
  v_unpaid uuid[];
  v_sure uuid[];
  v_bases review.basis[];
  v_differences review.difference[];
  v_scope review.scope;
  v_check review.checks;
  v_settings jsonb;
  v_findings review.finding[];
  v_done record;
  v_has_results boolean;
  v_is_posted boolean;
begin
  perform auth.require_role('payroll', 'admin', 'service_role', 'jobs');
  perform auth.require_enterprise(p_enterprise);
  -- One detection of a period at a time: the second finds what the first has written.
  perform pg_advisory_xact_lock(hashtext('review.detect'), hashtext(p_period::text));
  v_period := review.known_period(p_period);
  if p_recompute then
    perform review.bring_up_to_date(v_period, false);
  end if;
  v_runs := review.published_runs(v_period);
  insert into review.detections (enterprise_id, pay_period_id, crew_count, requested_by, covers_changes)
  values (p_enterprise, p_period, cardinality(p_crew), session_user, p_crew is null)
  returning * into v_detection;

  -- Without results there is nothing to compare with yet.
  v_has_results := exists (
    select from pay.pay_calculations as c where c.enterprise_id = p_enterprise and c.pay_period_id = p_period);
  v_is_posted := review.is_posted(v_period) and v_has_results;
  if p_recompute and v_has_results then
    v_run := review.recalculate(v_period, p_crew);
    v_detection.run_id := v_run.id;
  end if;

  v_differences := array(select d from review.differences(v_period, v_run, v_is_posted, p_crew) as d);
  -- After the comparison: no fact that it has read, no result that it has not, goes unnoticed.
  v_left_out := case when v_run.id is not null and v_period.status = 'OPEN' then review.unsettled_crew(v_period, v_runs) else '{}' end;
  v_unpaid := case when v_period.status in ('OPEN', 'PROCESSING') then array(
    select distinct u.crew_member_id
    from (
      select d.crew_member_id from unnest(v_differences) as d where d.basis = 'RECORDED'
      union all
      select s.id from unnest(review.unsettled_crew(v_period, v_runs)) as s (id) where v_run.id is null
    ) as u
    where u.crew_member_id <> all (v_left_out) and (p_crew is null or u.crew_member_id = any (p_crew))) else '{}' end;
  v_sure := review.crew_but(v_period, p_crew, v_left_out || v_unpaid);
  v_scope := row(p_enterprise, p_period, p_crew, v_run.id, current_date, v_differences)::review.scope;
  for v_check in select c.* from review.checks as c order by c.id loop
    v_settings := review.check_settings(v_check.id);
    continue when not (v_settings ->> 'enabled')::boolean;
    execute format('select coalesce(array_agg(f), ''{}'') from review.%I($1, $2) as f', 'check_' || v_check.id)
    into v_findings
    using v_scope, v_settings;
    v_check.severity := coalesce((v_settings ->> 'severity')::review.severity, v_check.severity);
    v_bases := array_remove(array[
      case when v_run.id is not null or v_check.id in ('rule_parity', 'stale_calculation') then 'RECORDED' end,
      case when v_is_posted then 'PAID' end]::review.basis[], null);
    if p_crew is null then
      perform review.alert_findings(v_check, v_findings);
    end if;
    if v_left_out <> '{}' or v_unpaid <> '{}' then
      v_findings := array(
        select f from unnest(v_findings) as f
        where f.crew_member_id <> all (v_left_out) and not (f.basis = 'PAID' and f.crew_member_id = any (v_unpaid)));
    end if;
    v_detection.found_count := v_detection.found_count + cardinality(v_findings);
    select sum(r.o_new) as o_new, sum(r.o_changed) as o_changed, sum(r.o_cured) as o_cured into v_done
    from (
      values (v_sure, v_bases, false), (v_unpaid, array_remove(v_bases, 'PAID'), true)
    ) as g (crew, bases, is_unpaid)
    cross join lateral review.record_findings(v_detection, v_check, g.crew, g.bases,
      case when v_unpaid = '{}' and not g.is_unpaid then v_findings
        else array(select f from unnest(v_findings) as f where (f.crew_member_id = any (v_unpaid)) = g.is_unpaid) end) as r
    where not g.is_unpaid or v_unpaid <> '{}';
    v_detection.new_count := v_detection.new_count + v_done.o_new;
    v_detection.changed_count := v_detection.changed_count + v_done.o_changed;
    v_detection.cured_count := v_detection.cured_count + v_done.o_cured;
  end loop;

  v_detection.fixed_count := review.auto_fix(v_detection, v_period, v_sure, v_unpaid);
  perform review.tell_crew(v_detection, v_period);
  update review.detections as d
  set finished_at = clock_timestamp(), run_id = v_detection.run_id, found_count = v_detection.found_count, new_count = v_detection.new_count,
    changed_count = v_detection.changed_count, cured_count = v_detection.cured_count, fixed_count = v_detection.fixed_count
  where d.enterprise_id = p_enterprise and d.id = v_detection.id
  returning d.* into v_detection;
  return v_detection;
end
$$;
alter function review.detect(uuid, uuid, uuid[], boolean) owner to crewpay_definer;
revoke all on function review.detect(uuid, uuid, uuid[], boolean) from public;
grant execute on function review.detect(uuid, uuid, uuid[], boolean) to crewpay_payroll, crewpay_admin, crewpay_service, crewpay_jobs;
comment on function review.detect(uuid, uuid, uuid[], boolean) is
'Looks for discrepancies in a period, in any state, and brings those on record up to date; returns counts. A repeat changes nothing.
With recomputation an open period is brought up to date first (pay.refresh); whose facts or results change meanwhile is left to the next detection.
p_enterprise: tenant; p_period: period; p_crew: only these crew members, null for everybody; p_recompute: whether pay is recomputed under
the facts and terms now known and compared with what is recorded (else only stored results with payments).
What payroll has not paid is no discrepancy before it is due. What it may, it puts right by itself (review.auto_fix).
Raises 42501, CP214 (unknown period).';

-- One check by itself, for whoever wants to see its rows. Nothing is written but the recalculation, which goes with the transaction''s end if it is rolled back.
create or replace function review.run_check(p_check text, p_period uuid, p_recompute boolean default true)
returns setof review.finding
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
as $$
declare
  v_period pay.pay_periods;
  v_run pay.pay_runs;
  v_scope review.scope;
begin
  perform auth.require_role('payroll', 'admin', 'service_role', 'jobs');
  v_period := review.known_period(p_period);
  if not exists (select from review.checks as c where c.id = p_check) then
    raise exception using
      errcode = 'CP214',
      message = format('no check %s', p_check),
      hint = 'List them: select id, title from review.checks.';
  end if;
  if p_recompute then
    v_run := review.recalculate(v_period, null);
  end if;
  v_scope := row(v_period.enterprise_id, p_period, null, v_run.id, current_date,
    array(select d from review.differences(v_period, v_run, review.is_posted(v_period), null) as d))::review.scope;
  return query execute format('select f.* from review.%I($1, $2) as f', 'check_' || p_check) using v_scope, review.check_settings(p_check);
end
$$;
alter function review.run_check(text, uuid, boolean) owner to crewpay_definer;
revoke all on function review.run_check(text, uuid, boolean) from public;
grant execute on function review.run_check(text, uuid, boolean) to crewpay_payroll, crewpay_admin, crewpay_service, crewpay_jobs;
comment on function review.run_check(text, uuid, boolean) is
'The rows that offend one check in a period, without recording discrepancies.
p_check: review.checks.id; p_period: period; p_recompute: as review.detect(). Raises 42501, CP214 (unknown check or period).';

create or replace function review.known_period(p_period uuid)
returns pay.pay_periods
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_period pay.pay_periods;
begin
  select p.* into v_period
  from pay.pay_periods as p
  where p.enterprise_id = auth.enterprise_id() and p.id = p_period;
  if v_period.id is null then
    raise exception using
      errcode = 'CP214',
      message = format('no pay period %s', p_period),
      hint = 'List them: select id, start_date, end_date from pay.pay_periods.';
  end if;
  return v_period;
end
$$;
comment on function review.known_period(uuid) is
'The caller''s own period.
p_period: period. Raises CP214.';
