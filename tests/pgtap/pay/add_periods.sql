-- Making pay periods: whole and half months, bid months, months of four weeks.
begin;
select plan(13);
select test.fixture();

select test.act_as('alpha_payroll');
select throws_ok($$select pay.add_periods('{2031-01-01,2031-02-01}')$$, '42501', null, 'administrators make periods');

select test.act_as('alpha_admin');
select throws_ok($$select pay.add_periods('{2031-01-01}')$$, '22023', null, 'one day is no month');
select throws_ok($$select pay.add_periods('{2031-02-01,2031-01-01}')$$, '22023', null, 'days go forward');

select results_eq(
  $$select start_date::text, end_date::text, pay_date::text, contract_month::text from pay.add_periods('{2031-01-01,2031-02-01,2031-03-01}', true)$$,
  $$values ('2031-01-01', '2031-01-15', '2031-01-25', '2031-01-01'), ('2031-01-16', '2031-01-31', '2031-02-10', '2031-01-01'),
    ('2031-02-01', '2031-02-15', '2031-02-25', '2031-02-01'), ('2031-02-16', '2031-02-28', '2031-03-10', '2031-02-01')$$,
  'half months of the calendar');
select is((select count(*) from crew.contract_months where month >= '2031-01-01'), 0::bigint, 'the calendar needs no rows');
select is_empty($$select * from pay.add_periods('{2031-01-01,2031-02-01}', true)$$, 'what is there stays');
select throws_ok($$select pay.add_periods('{2031-01-01,2031-02-01}')$$, 'CP112', null, 'nothing overlaps it');

select results_eq(
  $$select start_date::text, end_date::text, contract_month::text from pay.add_periods('{2032-01-01,2032-01-31,2032-03-01,2032-04-01}')$$,
  $$values ('2032-01-01', '2032-01-30', '2032-01-01'), ('2032-01-31', '2032-02-29', '2032-01-31'), ('2032-03-01', '2032-03-31', '2032-03-01')$$,
  'bid months');
select results_eq(
  $$select month::text, last_day::text, quarter::text from crew.contract_months where month >= '2032-01-01' order by month$$,
  $$values ('2032-01-01', '2032-01-30', '2032-01-01'), ('2032-01-31', '2032-02-29', '2032-01-01')$$,
  'those that aren''t of the calendar are on record, with their quarter');
select is(crew.named_month(test.id('alpha'), '2032-02-01'), date '2032-01-31', 'February is the bid month that holds its 15th');

select results_eq(
  $$select start_date::text, end_date::text from pay.add_periods(
      array(select day::date from generate_series(timestamp '2033-01-03', '2033-03-28', '28 days') as day))$$,
  $$values ('2033-01-03', '2033-01-30'), ('2033-01-31', '2033-02-27'), ('2033-02-28', '2033-03-27')$$,
  'months of four weeks');
select throws_ok($$select pay.add_periods('{2033-03-20,2033-04-17}')$$, 'CP112', null, 'contract months don''t overlap');
select throws_ok($$
  insert into crew.crew_months (enterprise_id, crew_member_id, month) select enterprise_id, id, '2033-01-15' from crew.crew_members limit 1$$,
  'CP112', null, 'what crew hold begins with a contract month');

select * from finish();
rollback;
