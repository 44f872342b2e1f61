-- When a schedule was last due (cron(5), GMT).
begin;
select plan(12);

create function test.due(p_schedule text) returns text language sql
return to_char(ops.last_due(p_schedule, '2026-11-25 18:07:30+00') at time zone 'UTC', 'YYYY-MM-DD HH24:MI');

select is(test.due('* * * * *'), '2026-11-25 18:07', 'every minute');
select is(test.due('*/15 * * * *'), '2026-11-25 18:00', 'every quarter of an hour');
select is(test.due('8 18 * * *'), '2026-11-24 18:08', 'a minute from now means yesterday');
select is(test.due('7 18 * * *'), '2026-11-25 18:07', 'this minute counts');
select is(test.due('0 0 1 * *'), '2026-11-01 00:00', 'the first of the month');
select is(test.due('0 6 * * 1'), '2026-11-23 06:00', 'Mondays');
select is(test.due('0 12 * * 7'), test.due('0 12 * * 0'), 'Sunday is 0 and 7');
select is(test.due('0 0 13 * 5'), '2026-11-20 00:00', 'a day of the month or a day of the week');
select is(test.due('5 0-3/2 * * *'), '2026-11-25 02:05', 'a step in a range');
select is(test.due('30 4 29 2 *'), null, 'no leap day within a year');
select throws_ok($$ select ops.last_due('60 * * * *', now()) $$, 'CP109', null, 'a minute that isn''t one is refused');
select throws_ok($$ update ops.jobs set schedule = 'a * * * *' where name = 'ops-watch-jobs' $$, 'CP109', null, 'also in the catalogue');

select * from finish();
rollback;
