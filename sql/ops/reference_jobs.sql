-- The catalogue of jobs (GMT): exactly these. A job that an operator disabled stays disabled.

with listed (name, schedule, command, per_enterprise, max_lateness, max_duration, description) as (
  values
    ('audit-ensure-partitions', '10 2 * * *', 'select audit.ensure_partitions()', false, interval '1 hour', interval '10 minutes',
      'Partitions of the audit trail for the next twelve months.'),
    ('auth-collect-refusals', '* * * * *', 'select auth.collect_refusals()', false, interval '15 minutes', interval '5 minutes',
      'Keeps refused logins as rows of auth.token_events.'),
    ('notify-expire', '40 3 * * *', 'select notify.expire_deliveries()', true, interval '2 hours', interval '10 minutes',
      'Gives up deliveries that have waited for days, and empties the outbox of what is long done.'),
    ('ops-analyze', '30 3 * * *', 'select ops.analyze_tables()', false, interval '2 hours', interval '30 minutes',
      'Statistics of the tables that plans of pay runs and lists rest on.'),
    ('ops-purge-history', '20 3 * * *', 'select ops.purge_job_history()', false, interval '2 hours', interval '10 minutes',
      'Keeps thirty days of successful runs and sixty of others.'),
    ('ops-watch-jobs', '*/5 * * * *', 'select ops.watch_jobs()', false, interval '15 minutes', interval '5 minutes',
      'Alerts for jobs that are late, take too long or are not scheduled.'),
    ('pay-purge-runs', '*/15 * * * *', 'select pay.purge_runs()', false, interval '1 hour', interval '10 minutes',
      'Removes what pay runs left behind whose sessions died.'),
    ('pay-refresh', '*/2 * * * *', 'select pay.refresh_open_periods()', true, interval '30 minutes', interval '15 minutes',
      'Computes again whose facts, terms or adjustments have changed in an open period that was run.'),
    ('review-changed', '*/5 * * * *', 'select review.detect_changed()', true, interval '30 minutes', interval '15 minutes',
      'Looks for discrepancies of crew members whose result is new.'),
    ('review-claims', '*/10 * * * *', 'select review.run_claims()', true, interval '1 hour', interval '30 minutes',
      'Reviews submitted claims and approves what is clear and small.'),
    ('review-deadlines', '15 * * * *', 'select review.watch_deadlines()', true, interval '3 hours', interval '10 minutes',
      'Escalates claims before their deadlines pass.'),
    ('review-detect', '0 4 * * *', 'select review.detect_all()', true, interval '2 hours', interval '1 hour',
      'Looks for discrepancies in all open and recent periods.')
),
gone as (
  delete from ops.jobs as j
  where j.name not in (select l.name from listed as l)
)
insert into ops.jobs (name, schedule, command, per_enterprise, max_lateness, max_duration, description)
select l.name, l.schedule, l.command, l.per_enterprise, l.max_lateness, l.max_duration, l.description
from listed as l
on conflict (name) do update
  set schedule = excluded.schedule,
      command = excluded.command,
      per_enterprise = excluded.per_enterprise,
      max_lateness = excluded.max_lateness,
      max_duration = excluded.max_duration,
      description = excluded.description;
