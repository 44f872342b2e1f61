-- What our functions use of pg_cron 1.4, for checking them: the extension itself lives in one database of a cluster.
create schema if not exists cron;
create table cron.job (
  jobid bigint primary key, schedule text, command text, nodename text, nodeport integer, database text, username text,
  active boolean, jobname name
);
create table cron.job_run_details (
  jobid bigint, runid bigint primary key, job_pid integer, database text, username text, command text, status text,
  return_message text, start_time timestamptz, end_time timestamptz
);
create function cron.schedule(schedule text, command text) returns bigint language sql as 'select 1::bigint';
create function cron.schedule(job_name text, schedule text, command text) returns bigint language sql as 'select 1::bigint';
create function cron.unschedule(job_id bigint) returns boolean language sql as 'select true';
create function cron.unschedule(job_name name) returns boolean language sql as 'select true';
create function cron.alter_job(
  job_id bigint, schedule text default null, command text default null, database text default null,
  username text default null, active boolean default null
) returns void language sql as 'select';
grant usage on schema cron to public;
grant all on all tables in schema cron to public;
