-- name: list
select s.name, e.slug as enterprise, s.schedule, s.enabled, s.last_due_at, s.last_state,
  date_trunc('second', s.last_started_at) as last_started_at, date_trunc('milliseconds', s.last_duration) as last_duration, s.late, s.long, s.last_result
from ops.job_status as s
left join platform.enterprises as e on e.id = s.enterprise_id
order by 1, 2;

-- name: due
-- Jobs that were due after their last run began, or since they were enabled.
select s.name
from ops.job_status as s
join ops.jobs as j on j.name = s.name
where s.enabled and coalesce(s.last_started_at, j.enabled_at) < s.last_due_at
group by s.name
order by min(s.last_due_at), s.name;

-- name: known
select 1 from ops.jobs where name = %s;

-- name: run
call ops.run_job(%s);

-- name: history
select r.job_name, e.slug as enterprise, r.state, date_trunc('second', r.started_at) as started_at,
  date_trunc('milliseconds', r.finished_at - r.started_at) as duration, coalesce(r.error_message, r.result) as result
from ops.job_runs as r
left join platform.enterprises as e on e.id = r.enterprise_id
where %(job)s::text is null or r.job_name = %(job)s
order by r.started_at desc
limit %(limit)s;

-- name: paused_until
select ops.jobs_paused_until();

-- name: pause
select ops.pause_jobs(make_interval(mins => %s), %s);

-- name: become_scheduler
set session authorization crewpay_jobs;
