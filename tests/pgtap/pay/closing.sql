-- Approving, closing, paying, reopening: who may, on what, and what the closed period refuses.
begin;
select plan(65);
select test.fixture();

insert into platform.users (enterprise_id, id, email) values
  (test.id('alpha'), test.id('alpha_clerk'), 'clerk@example.org'), (test.id('alpha'), test.id('alpha_chief'), 'chief@example.org');
select test.make_login('alpha_clerk', 'alpha', 'payroll', 'alpha_clerk');
select test.make_login('alpha_chief', 'alpha', 'admin', 'alpha_chief');
select test.make_login('alpha_boss', 'alpha', 'admin', 'alpha_payroll');  -- the payroll clerk's other login
select test.make_login('alpha_robot', 'alpha', 'admin');                  -- no person
insert into pay.pay_periods (enterprise_id, id, start_date, end_date) values (test.id('alpha'), test.id('alpha_february'), '2026-02-01', '2026-02-28');
insert into crew.flights (enterprise_id, id, flight_number, origin_airport, destination_airport, scheduled_departure, scheduled_arrival)
values
  (test.id('alpha'), test.id('alpha_f3'), 'XP103', 'BUR', 'HVN', '2026-02-10 15:00+00', '2026-02-10 20:00+00'),
  (test.id('alpha'), test.id('alpha_f4'), 'XP104', 'BUR', 'HVN', '2026-02-01 09:00+00', '2026-02-01 14:00+00'),
  (test.id('alpha'), test.id('alpha_f5'), 'XP105', 'BUR', 'HVN', '2026-01-20 09:00+00', '2026-01-20 14:00+00');
-- Reports on 31 January at 23:00 in Burbank: January's, though the flight leaves on 1 February.
insert into crew.crew_assignments (enterprise_id, id, crew_member_id, flight_id, duty_start_time)
values
  (test.id('alpha'), test.id('alpha_a4'), test.id('alpha_crew1'), test.id('alpha_f4'), '2026-02-01 07:00+00'),
  (test.id('alpha'), test.id('alpha_a5'), test.id('alpha_crew1'), test.id('alpha_f3'), '2026-02-10 14:00+00');
update pay.pay_runs as r
set result_hash = pay.result_hash(r.enterprise_id, r.pay_period_id), requested_by = test.login('alpha_payroll'),
  requested_by_person = (select u.person_id from platform.users as u where u.id = test.id('alpha_payroll'))
where r.id = test.id('alpha_run');
create view test.january as select status from pay.pay_periods where id = test.id('alpha_period');
grant select on test.january to public;
create function test.force(p_status pay.pay_period_status) returns void language sql security definer set search_path = pg_catalog, pg_temp
  as $$ update pay.pay_periods set status = p_status where id = test.id('alpha_period') $$;
alter function test.force(pay.pay_period_status) owner to crewpay_definer;
grant execute on function test.force(pay.pay_period_status) to public;

-- Who approves.
select test.act_as('alpha_crew1');
select throws_ok($$ select pay.approve_run(test.id('alpha_run')) $$, '42501', null, 'crew can''t approve');
select test.act_as('alpha_agent');
select throws_ok($$ select pay.approve_run(test.id('alpha_run')) $$, '42501', null, 'an agent can''t approve');
select test.act_as('alpha_robot');
select throws_ok($$ select pay.approve_run(test.id('alpha_run')) $$, 'CP310', null, 'an administrator''s login without a person can''t approve');
select test.act_as('alpha_payroll');
select throws_ok($$ select pay.approve_run(test.id('alpha_run')) $$, 'CP310', null, 'who ran it can''t approve');
select throws_ok($$ select pay.close_period(test.id('alpha_period')) $$, 'CP312', null, 'nobody closes what is not approved');
select throws_ok($$ select test.force('CLOSED') $$, 'CP312', null, 'nor does any function');
select throws_ok($$ select pay.mark_paid(test.id('alpha_period')) $$, 'CP314', null, 'an open period is not paid');
select throws_ok($$ select pay.request_reopen(test.id('alpha_period'), 'why not') $$, 'CP314', null, 'an open period is not reopened');
select throws_ok($$ select pay.close_period(test.id('alpha_february')) $$, 'CP311', null, 'a period without a run is not closed');
select throws_ok($$ select pay.close_period(test.id('beta_period')) $$, 'CP214', null, 'another airline''s period is unknown');
select test.act_as('alpha_boss');
select throws_ok($$ select pay.approve_run(test.id('alpha_run')) $$, 'CP310', null, 'nor under another login: persons are compared');
select test.act_as('alpha_clerk');
select throws_ok($$ select pay.approve_run(test.id('alpha_run')) $$, '42501', null, 'a payroll clerk without delegation can''t approve');
select test.act_as('beta_admin');
select throws_ok($$ select pay.approve_run(test.id('alpha_run')) $$, 'CP311', null, 'another airline''s run is unknown');

-- What is approved.
select test.act_as('alpha_admin');
select throws_ok($$ select pay.approve_run(test.id('alpha_old_run')) $$, 'CP311', null, 'a superseded run is nothing to approve');
select throws_ok($$ select pay.approve_run(test.id('alpha_what_if')) $$, 'CP311', null, 'nor is a what-if');
select test.act_as_operator();
update pay.pay_runs set as_of = now() - interval '1 hour' where id = test.id('alpha_run');
select test.act_as('alpha_admin');
select throws_ok($$ select pay.approve_run(test.id('alpha_run')) $$, 'CP319', null, 'facts that changed after the run stop the approval');
select test.act_as_operator();
update pay.pay_runs set as_of = now() where id = test.id('alpha_run');
update pay.pay_calculations set flight_pay_amount = 1001, total_gross_pay = 1501, line_cents = '{100100,50000}' where id = test.id('alpha_calc_crew1');
select test.act_as('alpha_admin');
select throws_ok($$ select pay.approve_run(test.id('alpha_run')) $$, 'CP313', null, 'so do results that are not the run''s');
select test.act_as_operator();
update pay.pay_calculations set flight_pay_amount = 1000, total_gross_pay = 1500, line_cents = '{100000,50000}' where id = test.id('alpha_calc_crew1');
savepoint edited;
select test.act_as('alpha_admin');
update crew.flights set delay_code = 'WX' where id = test.id('alpha_f1');
select throws_ok($$ select pay.approve_run(test.id('alpha_run')) $$, 'CP310', null, 'who edited facts of the period can''t approve');
rollback to edited;

-- Delegation.
select test.act_as('alpha_admin');
select throws_ok($$ select pay.delegate(test.login('alpha_admin')::text, now() + interval '1 day', 'leave') $$, 'CP310', null, 'nobody delegates to himself');
select throws_ok($$ select pay.delegate(test.login('alpha_crew1')::text, now() + interval '1 day', 'leave') $$, 'CP310', null, 'nor to crew');
select throws_ok($$ select pay.delegate(test.login('beta_admin')::text, now() + interval '1 day', 'leave') $$, 'CP310', null, 'nor to another airline');
select throws_ok($$ select pay.delegate(test.login('alpha_clerk')::text, now(), 'leave') $$, 'CP317', null, 'a delegation ends in the future');
select throws_ok($$ select pay.delegate(test.login('alpha_clerk')::text, now() + interval '1 day', ' ') $$, 'CP318', null, 'and has a reason');
select test.act_as('alpha_payroll');
select throws_ok($$ select pay.delegate(test.login('alpha_clerk')::text, now() + interval '1 day', 'leave') $$, '42501', null, 'a clerk has nothing to delegate');
select test.act_as('alpha_boss');
select lives_ok($$ select pay.delegate(test.login('alpha_clerk')::text, now() + interval '1 day', 'leave') $$, 'an administrator delegates');
select test.act_as('alpha_clerk');
select throws_ok($$ select pay.approve_run(test.id('alpha_run')) $$, 'CP310', null, 'who delegated must not have run it either');
select test.act_as('alpha_admin');
select lives_ok($$ select pay.delegate(test.login('alpha_clerk')::text, clock_timestamp() + interval '1 day', 'on leave') $$, 'another administrator delegates');
savepoint delegated;
select test.act_as_operator();
update pay.delegations set created_at = now() - interval '2 days', until = now() - interval '1 day';
select test.act_as('alpha_clerk');
select throws_ok($$ select pay.approve_run(test.id('alpha_run')) $$, 'CP317', null, 'a delegation that has ended counts no more');
rollback to delegated;
select test.act_as('alpha_chief');
select lives_ok($$ select pay.revoke_delegation(id) from pay.delegations where from_login = test.login('alpha_admin') $$, 'an administrator takes one back');
select throws_ok($$ select pay.revoke_delegation(test.id('nothing')) $$, 'CP311', null, 'one that is not in force can''t be taken back');
rollback to delegated;
select test.act_as('alpha_clerk');
select lives_ok($$ select pay.approve_run(test.id('alpha_run'), 'looked through') $$, 'within it the clerk approves');
select test.act_as_operator();
select is(
  (select on_behalf_of_person from pay.approvals where subject_id = test.id('alpha_run')),
  (select person_id from platform.users where id = test.id('alpha_admin')), 'for the administrator');
rollback to delegated;

-- The approval, closing, paying.
select test.act_as('alpha_chief');
select lives_ok($$ select pay.approve_run(test.id('alpha_run'), 'looked through') $$, 'another person approves');
select throws_ok($$ select pay.approve_run(test.id('alpha_run')) $$, 'CP311', null, 'once');
select is((select count(*) from pay.pay_calculations where validated_by = test.login('alpha_chief') and validated_at is not null), 2::bigint, 'results say who validated them');
select test.act_as('alpha_payroll');
select lives_ok($$ select pay.begin_processing(test.id('alpha_period')) $$, 'processing begins');
select lives_ok($$ select pay.resume_period(test.id('alpha_period')) $$, 'and ends');
select lives_ok($$ select pay.close_period(test.id('alpha_period')) $$, 'an approved period is closed');
select is((select status::text from test.january), 'CLOSED', 'it is closed');
select throws_ok($$ select pay.close_period(test.id('alpha_period')) $$, 'CP314', null, 'once');
select throws_ok($$ select pay.approve_run(test.id('alpha_run')) $$, 'CP314', null, 'what is closed is not approved again');

-- What a closed period refuses, to administrators and operators alike.
select test.act_as('alpha_admin');
select throws_ok($$ update crew.flights set delay_code = 'MX' where id = test.id('alpha_f1') $$, 'CP211', null, 'a flight stays');
select throws_ok($$ update crew.flights set delay_code = 'MX' where id = test.id('alpha_f4') $$, 'CP211', null, 'so does one that leaves later in a duty of the period');
select throws_ok($$ update crew.flights set delay_code = 'MX' where id = test.id('alpha_f5') $$, 'CP211', null, 'and one that nobody flies');
select throws_ok($$ update crew.trips set pickup = 'TRADE' where id = test.id('alpha_t1') $$, 'CP211', null, 'a trip stays');
select throws_ok($$ update crew.crew_months set work_days = 12 where month = '2026-01-01' $$, 'CP211', null, 'a crew month stays');
select throws_ok($$ update crew.crew_assignments set retired_at = now() where id = test.id('alpha_a2') $$, 'CP211', null, 'an assignment is not retired');
select throws_ok($$ update crew.crew_assignments set duty_start_time = '2026-01-12 15:00Z' where id = test.id('alpha_a5') $$, 'CP211', null, 'nor moved into it');
select throws_ok($$
  insert into crew.crew_assignments (enterprise_id, crew_member_id, flight_id, duty_start_time)
  values (test.id('alpha'), test.id('alpha_crew1'), test.id('alpha_f5'), '2026-01-20 08:00Z') $$, 'CP211', null, 'none is added');
select throws_ok($$
  insert into crew.flights (enterprise_id, flight_number, origin_airport, destination_airport, scheduled_departure, scheduled_arrival)
  values (test.id('alpha'), 'XP106', 'BUR', 'HVN', '2026-01-21 15:00Z', '2026-01-21 20:00Z') $$, 'CP211', null, 'nor is a flight');
select lives_ok($$ update crew.flights set delay_code = 'MX' where id = test.id('alpha_f3') $$, 'facts of an open period change');
select throws_ok($$ update pay.pay_periods set end_date = '2026-01-30' where id = test.id('alpha_period') $$, 'CP211', null, 'the days of a closed period stay');
select test.act_as_operator();
select throws_ok($$ delete from crew.crew_assignments where id = test.id('alpha_a4') $$, 'CP211', null, 'operators delete nothing there');
select throws_ok($$ delete from pay.pay_periods where id = test.id('alpha_period') $$, 'CP211', null, 'a closed period is not deleted');
select lives_ok($$ update crew.flights set delay_code = 'MX' where enterprise_id = test.id('beta') $$, 'another airline''s same days are open');
select throws_ok($$ update pay.pay_periods set status = 'PROCESSING' where id = test.id('alpha_period') $$, 'CP315', null, 'states follow the arrows');

-- Reopening.
select test.act_as('alpha_payroll');
select throws_ok($$ select test.force('OPEN') $$, 'CP312', null, 'no function reopens without approval');
select throws_ok($$ select pay.request_reopen(test.id('alpha_period'), '') $$, 'CP318', null, 'reopening has a reason');
select lives_ok($$ select pay.mark_paid(test.id('alpha_period')) $$, 'a closed period is paid');
select lives_ok($$ select pay.request_reopen(test.id('alpha_period'), 'two trips missing') $$, 'a paid one is reopened when one asks');
select throws_ok($$ select pay.request_reopen(test.id('alpha_period'), 'again') $$, 'CP314', null, 'once');
select throws_ok($$ select pay.approve_reopen(test.id('alpha_period')) $$, 'CP310', null, 'not by who asked');
select test.act_as('alpha_admin');
select lives_ok($$ select pay.approve_reopen(test.id('alpha_period')) $$, 'and another approves');
select test.act_as_operator();
select is(
  (select array_agg(distinct (p.status::text, a.state::text, c.validated_at is null, l.reason)::text)
   from pay.pay_periods as p
   join pay.approvals as a on a.subject_id = test.id('alpha_run')
   join pay.pay_calculations as c on c.pay_period_id = p.id
   join audit.audit_log as l on l.entity_id = p.id and l.changes -> 'status' = '["PAID", "OPEN"]' and l.actor_id = test.login('alpha_admin')
   where p.id = test.id('alpha_period')),
  array['(OPEN,SUPERSEDED,t,"two trips missing")'], 'it is open, its run no longer approved, the reason in the trail');
select test.act_as('alpha_payroll');
select throws_ok($$ select pay.close_period(test.id('alpha_period')) $$, 'CP312', null, 'and closes only after a new approval');

select * from finish();
rollback;
