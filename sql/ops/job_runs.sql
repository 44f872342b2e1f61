-- Running a job: its run is recorded, its failure an alert. The scheduler and `crewpay jobs run` both call ops.run_job().
--
--   RUNNING ──▶ SUCCEEDED | FAILED (with SQLSTATE and message) | LOST (its session is gone)

create or replace function ops.jobs_paused_until()
returns timestamptz
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select paused.until
  from (select (platform.get_config('ops.jobs_paused_until') #>> '{}')::timestamptz) as paused (until)
  where paused.until > now()
$$;
revoke all on function ops.jobs_paused_until() from public;
grant execute on function ops.jobs_paused_until() to crewpay_definer, crewpay_jobs, crewpay_admin;
comment on function ops.jobs_paused_until() is 'Until when jobs don''t start, e.g. during a deploy; null: they do.';

create or replace function ops.pause_jobs(p_for interval, p_reason text)
returns timestamptz
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_until timestamptz := clock_timestamp() + p_for;
begin
  perform platform.put_config('ops.jobs_paused_until', to_jsonb(v_until), 'string',
    'Until when scheduled jobs don''t start: ' || p_reason, 'runtime');
  return v_until;
end $$;
revoke all on function ops.pause_jobs(interval, text) from public;
comment on function ops.pause_jobs(interval, text) is
  'Keeps scheduled jobs from starting; what runs goes on. Returns until when. For operators (no enterprise of their own).
p_for: how long, 0 to resume; p_reason: why.';

create or replace function ops.begin_job(p_name text, p_enterprise uuid)
returns bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_run bigint;
begin
  perform auth.require_role('jobs');
  if p_enterprise is distinct from auth.enterprise_id() then
    perform auth.require_enterprise(p_enterprise);
  end if;
  -- A session that died can't say so.
  update ops.job_runs as r
  set state = 'LOST',
      finished_at = clock_timestamp()
  where r.enterprise_id is not distinct from p_enterprise
    and r.job_name = p_name
    and r.state = 'RUNNING'
    and not exists (select from pg_stat_get_activity(r.backend_pid));
  insert into ops.job_runs as r (enterprise_id, job_name)
  values (p_enterprise, p_name)
  on conflict (enterprise_id, job_name) where state = 'RUNNING' do nothing
  returning r.id into v_run;
  return v_run;
end $$;
alter function ops.begin_job(text, uuid) owner to crewpay_definer;
revoke all on function ops.begin_job(text, uuid) from public;
grant execute on function ops.begin_job(text, uuid) to crewpay_jobs;
comment on function ops.begin_job(text, uuid) is
  'Records that a job begins; null when a run of it is going on.
p_name: job; p_enterprise: the one selected, null for the installation. Errors: 42501.';

create or replace function ops.finish_job(p_run bigint, p_result text, p_error_code text, p_error_message text)
returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_run ops.job_runs;
begin
  perform auth.require_role('jobs');
  update ops.job_runs as r
  set state = case when p_error_code is null then 'SUCCEEDED' else 'FAILED' end::ops.job_state,
      finished_at = clock_timestamp(),
      result = left(p_result, 1000),
      error_code = p_error_code,
      error_message = left(p_error_message, 1000)
  where r.id = p_run
    and r.state = 'RUNNING'
  returning r.* into v_run;
  if p_error_code is null then
    perform ops.clear_alert(format('job:%s:failed', v_run.job_name));
  else
    perform ops.raise_alert(format('job:%s:failed', v_run.job_name), 'HIGH',
      format('job %s failed: %s', v_run.job_name, left(p_error_message, 200)),
      jsonb_build_object('run', v_run.id, 'code', p_error_code));
  end if;
end $$;
alter function ops.finish_job(bigint, text, text, text) owner to crewpay_definer;
revoke all on function ops.finish_job(bigint, text, text, text) from public;
grant execute on function ops.finish_job(bigint, text, text, text) to crewpay_jobs;
comment on function ops.finish_job(bigint, text, text, text) is
  'Records how a job ended; a failure raises the alert job:NAME:failed, a success clears it.
p_run: from ops.begin_job(); p_result: what it returned; p_error_code, p_error_message: of a failure, else null. Errors: 42501.';

-- Every enterprise in a transaction of its own: one that fails doesn't undo another, and the record of a failure stays.
-- A procedure that commits can't carry a search_path of its own: it sets one in each transaction.
create or replace procedure ops.run_job(p_name text)
language plpgsql
as $$
declare
  v_job ops.jobs;
  v_enterprise uuid;
  v_enterprises uuid[];
  v_run bigint;
  v_result text;
  v_code text;
  v_message text;
  v_failures integer := 0;
begin
  perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
  perform auth.require_role('jobs');
  select j.* into v_job from ops.jobs as j where j.name = p_name;
  if v_job.name is null then
    raise exception using
      errcode = 'CP330',
      message = format('there is no job %s', p_name),
      hint = 'List them: crewpay jobs list.';
  elsif ops.jobs_paused_until() is not null then
    raise notice using
      errcode = 'CP332',
      message = format('jobs are paused until %s', to_char(ops.jobs_paused_until() at time zone 'UTC', 'YYYY-MM-DD HH24:MI UTC'));
    return;
  end if;
  v_enterprises := case when v_job.per_enterprise then array(select e from auth.enterprises() as e order by e) else array[null::uuid] end;
  foreach v_enterprise in array v_enterprises loop
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    perform pg_catalog.set_config('app.current_enterprise_id', coalesce(v_enterprise::text, ''), true);
    v_run := ops.begin_job(p_name, v_enterprise);
    commit;
    if v_run is null then
      raise notice using
        errcode = 'CP332',
        message = format('a run of %s is going on', p_name);
      continue;
    end if;
    v_code := null;
    v_result := null;
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    perform pg_catalog.set_config('app.current_enterprise_id', coalesce(v_enterprise::text, ''), true);
    begin
      execute v_job.command into v_result;
    exception when others then
      get stacked diagnostics v_code = returned_sqlstate, v_message = message_text;
      v_failures := v_failures + 1;
    end;
    perform ops.finish_job(v_run, v_result, v_code, v_message);
    commit;
  end loop;
  if v_failures > 0 then
    raise exception using
      errcode = 'CP331',
      message = format('job %s failed%s', p_name, case when v_job.per_enterprise then format(' for %s of %s enterprises', v_failures, cardinality(v_enterprises)) else '' end),
      detail = v_message,
      hint = 'See ops.job_runs; the alert clears when the job succeeds.';
  end if;
end $$;
revoke all on procedure ops.run_job(text) from public;
grant execute on procedure ops.run_job(text) to crewpay_jobs;
comment on procedure ops.run_job(text) is
  'Runs a job of the catalogue now, unless jobs are paused or a run of it is going on; each run is a row of ops.job_runs. Outside a transaction block.
p_name: job. Errors: CP330 unknown job, CP331 it failed, 42501 not the scheduler; as a notice CP332: it was not started.';

-- Late: due, and nothing began. Long: began, and doesn't end. Lost: the session died. Missing: the scheduler doesn't know it.
drop view if exists ops.job_status;
create or replace view ops.job_status
with (security_invoker = true, security_barrier = true)
as
select
  j.name,
  j.schedule,
  j.enabled,
  e.id as enterprise_id,
  ops.last_due(j.schedule, now()) as last_due_at,
  l.state as last_state,
  l.started_at as last_started_at,
  l.finished_at - l.started_at as last_duration,
  coalesce(l.error_message, l.result) as last_result,
  j.enabled
    and ops.jobs_paused_until() is null
    and coalesce(l.started_at, j.enabled_at) < ops.last_due(j.schedule, now() - j.max_lateness) as late,
  coalesce(l.state = 'RUNNING' and clock_timestamp() - l.started_at > j.max_duration, false) as long
from ops.jobs as j
left join platform.enterprises as e on j.per_enterprise
left join lateral (
  select r.*
  from ops.job_runs as r
  where r.job_name = j.name
    and r.enterprise_id is not distinct from e.id
  order by r.started_at desc
  limit 1
) as l on true
where e.id is not null or not j.per_enterprise;
comment on view ops.job_status is
  'Every job with its last run: one row for the installation, or one for each enterprise that the caller sees.';
comment on column ops.job_status.name is 'Job.';
comment on column ops.job_status.schedule is 'Five fields of cron, GMT.';
comment on column ops.job_status.enabled is 'Whether it is scheduled.';
comment on column ops.job_status.enterprise_id is 'Enterprise it works for; null: the installation.';
comment on column ops.job_status.last_due_at is 'When it was last due.';
comment on column ops.job_status.last_state is 'How its last run ended, or RUNNING.';
comment on column ops.job_status.last_started_at is 'When its last run began.';
comment on column ops.job_status.last_duration is 'How long its last run took.';
comment on column ops.job_status.last_result is 'What its last run returned, or what its failure said.';
comment on column ops.job_status.late is 'Due for longer than it may be late, and nothing began.';
comment on column ops.job_status.long is 'Running for longer than it may.';
grant select on ops.job_status to crewpay_jobs, crewpay_admin;

create or replace function ops.lose_runs()
returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_lost integer;
begin
  perform auth.require_role('jobs');
  with lost as (
    update ops.job_runs as r
    set state = 'LOST',
        finished_at = clock_timestamp()
    where r.enterprise_id is not distinct from auth.enterprise_id()
      and r.state = 'RUNNING'
      and not exists (select from pg_stat_get_activity(r.backend_pid))
    returning r.job_name
  )
  select count(ops.raise_alert(format('job:%s:failed', l.job_name), 'HIGH', format('job %s ended without a word', l.job_name))) into v_lost
  from lost as l;
  return v_lost;
end $$;
alter function ops.lose_runs() owner to crewpay_definer;
revoke all on function ops.lose_runs() from public;
grant execute on function ops.lose_runs() to crewpay_jobs;
comment on function ops.lose_runs() is
  'Marks runs whose session is gone as lost, each with an alert; returns how many. For the enterprise selected, or the installation. Errors: 42501.';

create or replace function ops.watch_jobs()
returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_enterprise uuid;
  v_scheduled text[];
  v_trouble integer := 0;
begin
  if exists (select from pg_extension where extname = 'pg_cron') then
    execute 'select array_agg(c.jobname::text) from cron.job as c where c.database = current_database() and c.active' into v_scheduled;
  end if;
  for v_enterprise in
    select null::uuid
    union all
    select e from auth.enterprises() as e
  loop
    perform set_config('app.current_enterprise_id', coalesce(v_enterprise::text, ''), true);
    v_trouble := v_trouble + ops.lose_runs();
    select v_trouble + count(*) filter (where k.trouble) into v_trouble
    from ops.job_status as s
    cross join lateral (values
      ('late', s.late, format('job %s was due at %s and has not begun', s.name, to_char(s.last_due_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI'))),
      ('long', s.long, format('job %s has been running since %s', s.name, to_char(s.last_started_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI'))),
      ('missing', s.enabled and v_scheduled is not null and s.name <> all (v_scheduled), format('job %s is not scheduled', s.name))) as k (kind, trouble, message)
    -- An alert is refreshed or cleared as the job is now; the answer of either is not needed.
    cross join lateral (
      select case
        when k.trouble then ops.raise_alert(format('job:%s:%s', s.name, k.kind), 'HIGH', k.message) is not null
        else ops.clear_alert(format('job:%s:%s', s.name, k.kind)) end
    ) as told (done)
    where s.enterprise_id is not distinct from v_enterprise
      and told.done is not null;
  end loop;
  perform set_config('app.current_enterprise_id', '', true);
  return v_trouble;
end $$;
revoke all on function ops.watch_jobs() from public;
grant execute on function ops.watch_jobs() to crewpay_jobs;
comment on function ops.watch_jobs() is
  'Raises and clears the alerts job:NAME:late, :long and :missing, and marks lost runs; returns how many jobs are in trouble. For the scheduler.
Errors: 42501.';

create or replace function ops.purge_job_runs(p_keep interval)
returns bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_purged bigint;
begin
  perform auth.require_role('jobs');
  delete from ops.job_runs as r
  where r.enterprise_id is not distinct from auth.enterprise_id()
    -- Failures are kept twice as long.
    and r.finished_at < now() - case r.state when 'SUCCEEDED' then p_keep else 2 * p_keep end;
  get diagnostics v_purged = row_count;
  return v_purged;
end $$;
alter function ops.purge_job_runs(interval) owner to crewpay_definer;
revoke all on function ops.purge_job_runs(interval) from public;
grant execute on function ops.purge_job_runs(interval) to crewpay_jobs;
comment on function ops.purge_job_runs(interval) is
  'Deletes old rows of ops.job_runs of the enterprise selected, or of the installation; returns how many.
p_keep: how long successes stay; failures stay twice as long. Errors: 42501.';

create or replace function ops.purge_job_history(p_keep interval default '30 days')
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_enterprise uuid;
  v_purged bigint := 0;
begin
  -- pg_cron keeps the history of runs for ever.
  if exists (select from pg_extension where extname = 'pg_cron') then
    execute 'delete from cron.job_run_details where end_time < now() - $1' using p_keep;
    get diagnostics v_purged = row_count;
  end if;
  for v_enterprise in
    select null::uuid
    union all
    select e from auth.enterprises() as e
  loop
    perform set_config('app.current_enterprise_id', coalesce(v_enterprise::text, ''), true);
    v_purged := v_purged + ops.purge_job_runs(p_keep);
  end loop;
  perform set_config('app.current_enterprise_id', '', true);
  return v_purged;
end $$;
revoke all on function ops.purge_job_history(interval) from public;
grant execute on function ops.purge_job_history(interval) to crewpay_jobs;
comment on function ops.purge_job_history(interval) is
  'Deletes old rows of ops.job_runs and of pg_cron''s own history; returns how many. Run by the scheduler.
p_keep: how long successes stay; failures stay twice as long.';
