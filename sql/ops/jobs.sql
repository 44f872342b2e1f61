-- Scheduled work: the catalogue is ops.jobs; pg_cron is made to match it. Each job is one call, run and recorded by ops.run_job() as
-- crewpay_jobs.

-- SET role, not SECURITY DEFINER: pg_cron schedules as the effective user, and crewpay_jobs, being a login, owns nothing here.
create or replace function ops.reconcile_jobs()
returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_job record;
  v_changed integer := 0;
begin
  if not exists (select from pg_extension where extname = 'pg_cron') then
    raise notice 'pg_cron is not installed in database %: no job is scheduled here', current_database();
    return 0;
  end if;
  for v_job in
    execute $sql$
      select c.jobname, null::text as schedule, null::text as command
      from cron.job c
      where c.username = current_user
        and c.database = current_database()
        and not exists (select from ops.jobs j where j.name = c.jobname and j.enabled)
      union all
      select j.name, j.schedule, format('call ops.run_job(%L)', j.name)
      from ops.jobs j
      where j.enabled
        and not exists (
          select
          from cron.job c
          where c.username = current_user
            and c.database = current_database()
            and c.active
            and (c.jobname, c.schedule, c.command) = (j.name, j.schedule, format('call ops.run_job(%L)', j.name)))
      order by 1
    $sql$
  loop
    if v_job.command is null then
      execute 'select cron.unschedule($1::name)' using v_job.jobname;
    else
      execute 'select cron.schedule($1, $2, $3)' using v_job.jobname, v_job.schedule, v_job.command;
    end if;
    v_changed := v_changed + 1;
  end loop;
  return v_changed;
end $$;
revoke all on function ops.reconcile_jobs() from public;
grant execute on function ops.reconcile_jobs() to crewpay_jobs;
alter function ops.reconcile_jobs() set role = crewpay_jobs;
comment on function ops.reconcile_jobs() is
  'Makes pg_cron match the catalogue of jobs: schedules, changes and removes jobs of crewpay_jobs in this database; returns how many.
Without pg_cron it says so and does nothing. For operators and crewpay_jobs.';

create or replace function ops.tg_reconcile_jobs()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  -- A schedule that can't be read is refused here, whether or not there is a scheduler.
  perform ops.last_due(j.schedule, now()) from ops.jobs j;
  if exists (select from pg_extension where extname = 'pg_cron') then
    perform ops.reconcile_jobs();
  end if;
  return null;
end $$;
revoke all on function ops.tg_reconcile_jobs() from public;
comment on function ops.tg_reconcile_jobs() is 'Trigger: pg_cron follows the catalogue of jobs. Errors: CP109 for a schedule that can''t be read.';

create or replace trigger jobs_50_reconcile
  after insert or update or delete on ops.jobs
  for each statement execute function ops.tg_reconcile_jobs();
comment on trigger jobs_50_reconcile on ops.jobs is 'pg_cron follows the catalogue.';

-- A job that was off is due from now on: what it missed meanwhile is not late.
create or replace function ops.tg_enabled_since()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if new.enabled and (not old.enabled or new.schedule <> old.schedule) then
    new.enabled_at := now();
  end if;
  return new;
end $$;
revoke all on function ops.tg_enabled_since() from public;
comment on function ops.tg_enabled_since() is 'Trigger: notes since when a job is due.';

create or replace trigger jobs_10_enabled_since
  before update on ops.jobs
  for each row execute function ops.tg_enabled_since();
comment on trigger jobs_10_enabled_since on ops.jobs is 'A job is due from when it was enabled or its schedule changed.';
