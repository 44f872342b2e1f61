-- What a job's status says, and which alerts the watch raises and clears.
begin;
select plan(14);
select test.fixture();
select test.act_as_operator();

-- A catalogue of one's own: due every minute, late after five, long after two.
delete from ops.jobs;
insert into ops.jobs (name, schedule, command, max_lateness, max_duration, enabled_at, description, per_enterprise)
values
  ('installation', '* * * * *', 'select 1', '5 minutes', '2 minutes', now() - interval '1 hour', 'test', false),
  ('airline', '* * * * *', 'select 1', '5 minutes', '2 minutes', now() - interval '1 hour', 'test', true),
  ('new', '* * * * *', 'select 1', '5 minutes', '2 minutes', now(), 'test', false),
  ('off', '* * * * *', 'select 1', '5 minutes', '2 minutes', now() - interval '1 hour', 'test', false);
update ops.jobs set enabled = false where name = 'off';
create function test.alerts() returns text language sql security definer set search_path = pg_catalog, pg_temp
return (select string_agg(concat_ws(' ', case when a.enterprise_id = test.id('alpha') then 'alpha' end, a.alert_key), ', ' order by a.enterprise_id nulls first, a.alert_key)
  from ops.alerts as a where a.state <> 'CLEARED' and (a.enterprise_id is null or a.enterprise_id = test.id('alpha')) and a.alert_key ~ '^job:');
grant execute on function test.alerts() to public;

set local session authorization crewpay_jobs;
select is((select array_agg(name order by name) from ops.job_status where late), '{installation}', 'a job that never ran is late; a new one and one that is off are not');
select ok(ops.watch_jobs() >= 2, 'the watch counts them');
select is(test.alerts(), 'job:installation:late, alpha job:airline:late', 'and alerts: about the installation, and about each airline');

select isnt(ops.begin_job('installation', null), null, 'it begins');
select is(ops.begin_job('installation', null), null, 'and can''t begin twice');
select throws_ok($$ select ops.begin_job('airline', test.id('alpha')) $$, '42501', null, 'for an airline, it is selected first');
select ops.watch_jobs();
select is(test.alerts(), 'alpha job:airline:late', 'what runs is no longer late');

select test.act_as_operator();
update ops.job_runs set started_at = now() - interval '3 minutes' where job_name = 'installation';
set local session authorization crewpay_jobs;
select ops.watch_jobs();
select is(test.alerts(), 'job:installation:long, alpha job:airline:late', 'what doesn''t end is told');

select ops.finish_job((select id from ops.job_runs where job_name = 'installation'), null, '22012', 'division by zero');
select ops.watch_jobs();
select is(test.alerts(), 'job:installation:failed, alpha job:airline:late', 'so is what fails');
select is((select last_state from ops.job_status where name = 'installation'), 'FAILED', 'the status says so');

-- A session that is gone: process numbers of servers don't reach that far.
select test.act_as_operator();
insert into ops.job_runs (job_name, started_at, backend_pid) values ('installation', now(), 2147483647);
set local session authorization crewpay_jobs;
select is(ops.lose_runs(), 1, 'a run whose session is gone is lost');
select ops.finish_job(ops.begin_job('installation', null), 'fine', null, null);
select ops.watch_jobs();
select is(test.alerts(), 'alpha job:airline:late', 'a success clears the alerts');
select test.act_as_operator();
update ops.job_runs set started_at = now() - interval '31 days', finished_at = now() - interval '31 days';
set local session authorization crewpay_jobs;
select is((select array[ops.purge_job_runs('30 days'), ops.purge_job_runs('15 days')]), '{1,2}', 'old successes are purged, failures later');

select test.act_as('alpha_admin');
select throws_ok($$ select ops.begin_job('installation', null) $$, '42501', null, 'an administrator runs no jobs');

select * from finish();
rollback;
