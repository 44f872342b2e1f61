-- What a line cites can't be deleted, and a period lies inside one contract month.
begin;
select plan(4);
select test.fixture();

select lives_ok($$
  insert into pay.pay_periods (enterprise_id, start_date, end_date)
  select id, '2031-04-01', '2031-04-15' from platform.enterprises order by slug limit 1$$,
  'a period without a month gets one');
select is(
  (select contract_month from pay.pay_periods where start_date = '2031-04-01' limit 1), date '2031-04-01',
  'the month of its first day');
select throws_ok($$
  insert into pay.pay_periods (enterprise_id, start_date, end_date)
  select id, '2031-04-20', '2031-05-05' from platform.enterprises order by slug limit 1$$,
  'CP112', null, 'a period over a month''s end is refused');
select ok(
  exists (select from pg_trigger where tgrelid = 'crew.crew_assignments'::regclass and tgname = 'crew_assignments_10_cited'),
  'assignments are guarded against deletion of cited legs');
select * from finish();
rollback;
