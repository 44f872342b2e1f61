-- Detection by itself: every night everybody's pay, and every few minutes whoever has a new result.

-- Periods worth looking at: they have results, and are open or ended not long ago.
create or replace function review.watched_periods(p_enterprise uuid)
returns setof pay.pay_periods
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select p.*
  from pay.pay_periods as p
  where p.enterprise_id = p_enterprise
    and (p.status in ('OPEN', 'PROCESSING') or p.end_date >= current_date - (review.setting('review.detection') ->> 'look_back_days')::integer)
    and exists (select from pay.pay_calculations as c where c.enterprise_id = p.enterprise_id and c.pay_period_id = p.id)
$$;
comment on function review.watched_periods(uuid) is
'Periods that detection looks at by itself: with results, open or ended up to look_back_days ago (setting review.detection).
p_enterprise: tenant.';

create or replace function review.detect_all()
returns text
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_enterprise uuid := auth.enterprise_id();
  v_text text;
begin
  perform auth.require_role('payroll', 'admin', 'service_role', 'jobs');
  select format('%s periods: %s new, %s cured, %s fixed', count(*), coalesce(sum(d.new_count), 0), coalesce(sum(d.cured_count), 0), coalesce(sum(d.fixed_count), 0))
  into v_text
  from (select p.id from review.watched_periods(v_enterprise) as p order by p.start_date) as p
  cross join lateral review.detect(v_enterprise, p.id) as d;
  return v_text;
end
$$;
alter function review.detect_all() owner to crewpay_definer;
revoke all on function review.detect_all() from public;
grant execute on function review.detect_all() to crewpay_payroll, crewpay_admin, crewpay_service, crewpay_jobs;
comment on function review.detect_all() is
'Detects in every period worth looking at (review.watched_periods), everybody; says in words what came of it.
Acts for the enterprise selected. Raises 42501.';

-- Whose result is newer than the last detection that looked at everything new.
create or replace function review.crew_to_detect(p_period pay.pay_periods)
returns uuid[]
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select array_agg(c.crew_member_id)
  from (
    select max(d.started_at) as at
    from review.detections as d
    where d.enterprise_id = p_period.enterprise_id and d.pay_period_id = p_period.id and d.covers_changes
  ) as last
  join pay.pay_calculations as c on c.enterprise_id = p_period.enterprise_id and c.pay_period_id = p_period.id
  join pay.pay_runs as r on r.enterprise_id = c.enterprise_id and r.id = c.run_id
  -- A run is seen when it is committed, a moment after it finished.
  where last.at is null or r.finished_at >= last.at - interval '1 minute'
$$;
comment on function review.crew_to_detect(pay.pay_periods) is
'Crew members whose result is of a run that finished after the last detection of everything new; null: none.
p_period: period.';

create or replace function review.detect_changed()
returns text
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_enterprise uuid := auth.enterprise_id();
  v_period pay.pay_periods;
  v_crew uuid[];
  v_detection review.detections;
  v_texts text[];
begin
  perform auth.require_role('payroll', 'admin', 'service_role', 'jobs');
  for v_period in select p.* from review.watched_periods(v_enterprise) as p order by p.start_date loop
    perform review.bring_up_to_date(v_period, false);
    v_crew := review.crew_to_detect(v_period);
    continue when v_crew is null;
    v_detection := review.detect(v_enterprise, v_period.id, v_crew);
    update review.detections as d
    set covers_changes = true
    where d.enterprise_id = v_enterprise and d.id = v_detection.id;
    v_texts := v_texts || format('%s: %s crew, %s new, %s cured, %s fixed', v_period.start_date, cardinality(v_crew), v_detection.new_count,
      v_detection.cured_count, v_detection.fixed_count);
  end loop;
  return coalesce(array_to_string(v_texts, '; '), 'nothing new');
end
$$;
alter function review.detect_changed() owner to crewpay_definer;
revoke all on function review.detect_changed() from public;
grant execute on function review.detect_changed() to crewpay_payroll, crewpay_admin, crewpay_service, crewpay_jobs;
comment on function review.detect_changed() is
'Detects for the crew members whose result is new since the last detection of their period; says in words what came of it.
Acts for the enterprise selected. Raises 42501.';
