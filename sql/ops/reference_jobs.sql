-- The catalogue of jobs (GMT). A job that an operator disabled stays disabled.

insert into ops.jobs (name, schedule, command, description)
values
  ('audit-ensure-partitions', '10 2 * * *', 'select audit.ensure_partitions()', 'Partitions of the audit trail for the next twelve months.'),
  ('auth-collect-refusals', '* * * * *', 'select auth.collect_refusals()', 'Keeps refused logins as rows of auth.token_events.'),
  ('ops-purge-cron-history', '20 3 * * *', 'select ops.purge_cron_history()', 'Keeps thirty days of pg_cron''s history.'),
  ('pay-purge-runs', '*/15 * * * *', 'select pay.purge_runs()', 'Removes what pay runs left behind whose sessions died.')
on conflict (name) do update
  set schedule = excluded.schedule,
      command = excluded.command,
      description = excluded.description;
