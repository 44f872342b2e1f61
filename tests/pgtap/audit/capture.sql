-- Every change is recorded once, with who did it and only what changed.
begin;
select plan(28);
select test.fixture();

create view test.last_entry as
select a.*
from audit.audit_log a
where a.transaction_id = pg_current_xact_id();

select is(
  (select count(*) from test.last_entry a
   where a.entity_type = 'crew.crew_members' and a.action = 'CREATED' and a.enterprise_id = test.id('alpha')),
  2::bigint, 'an insert records every row');
select is(
  (select a.changes from test.last_entry a where a.entity_type = 'crew.flights' and a.entity_id = test.id('alpha_f2')),
  '{"source": "recorded", "status": "ARRIVED", "flight_number": "XP102", "delay_minutes": 0, "origin_airport": "HVN",
    "destination_airport": "BUR", "actual_arrival": "2026-01-11T21:00:00+00:00", "actual_departure": "2026-01-11T15:00:00+00:00",
    "scheduled_arrival": "2026-01-11T21:00:00+00:00", "scheduled_departure": "2026-01-11T15:00:00+00:00"}'::jsonb,
  'an insert records the columns that have a value');
select is(
  (select array_agg(distinct (a.actor_id, a.actor_type)::text) from test.last_entry a),
  array[format('(%s,SYSTEM)', session_user)], 'an operator acts as SYSTEM, under the login''s name');
select is(
  (select a.entity_key from test.last_entry a
   where a.entity_type = 'crew.crew_months' and a.entity_key like test.id('alpha_crew1') || '%'),
  test.id('alpha_crew1') || '/2026-01-01', 'a key of several columns is recorded whole');
select is(
  (select count(*) from test.last_entry a where a.entity_type = 'platform.enterprises' and a.enterprise_id = a.entity_id),
  2::bigint, 'a tenant''s own row belongs to the tenant');

select test.act_as('alpha_admin');
set local app.reason = 'new rate';
set local app.request_id = 'r-1';
set local app.current_user_id = 'somebody else';
set local application_name = 'test client';
update crew.crew_members set base_hourly_rate = 210, attributes = '{"x": null}' where employee_id = 'E001';
select test.act_as_operator();
select is((select count(*) from test.last_entry a where a.action = 'UPDATED'), 1::bigint, 'an update records one entry per row');
create temp table entry on commit drop as select a.* from test.last_entry a where a.action = 'UPDATED';
select is((select changes from entry), '{"base_hourly_rate": [200.00, 210.00], "attributes": [{}, {"x": null}]}'::jsonb,
  'only what changed, before and after, nested nulls included');
select is((select actor_id from entry), test.login('alpha_admin')::varchar, 'the actor is the login');
select is((select actor_type from entry), 'ADMIN', 'an administrator acts as ADMIN');
select is((select reason from entry), 'new rate', 'the reason is recorded');
select is((select request_id from entry), 'r-1', 'the request id is recorded');
select is((select user_agent from entry), 'test client', 'the client''s name is recorded');
select is((select claimed from entry), '{"user_id": "somebody else"}'::jsonb, 'what the client claims is recorded as a claim');
select is((select enterprise_id from entry), test.id('alpha'), 'the tenant is recorded');

update crew.crew_members set base_hourly_rate = base_hourly_rate where id = test.id('alpha_crew1');
select is((select count(*) from test.last_entry a where a.action = 'UPDATED'), 1::bigint, 'an update that changes nothing is not recorded');

delete from notify.notifications where enterprise_id = test.id('alpha');
select is(
  (select a.changes ->> 'title' from test.last_entry a where a.action = 'DELETED' and a.entity_type = 'notify.notifications'),
  'Hello', 'a delete records the last values');

select throws_ok(
  format($$ update crew.crew_members set id = gen_random_uuid() where id = %L $$, test.id('alpha_crew2')),
  'CP002', null, 'a primary key cannot change');
select lives_ok(
  format($$ update crew.crew_members set id = id where id = %L $$, test.id('alpha_crew2')),
  'setting it to itself is harmless');

update review.claims
set decision = 'PARTIAL_APPROVE', approved_amount = 100, reviewed_at = now(), reviewed_by = 'x', decision_rationale = 'x', status = 'APPROVED'
where id = test.id('alpha_claim');
select is(
  (select a.action from test.last_entry a where a.entity_id = test.id('alpha_claim') order by a.action desc limit 1),
  'APPROVED', 'a decision on a claim is recorded as such');

-- Pay runs write many rows: one entry per run.
select is(
  (select a.changes from test.last_entry a
   where a.entity_type = 'pay.pay_calculations' and a.enterprise_id = test.id('alpha') and a.action = 'CREATED' limit 1),
  '{"rows": 1}'::jsonb, 'a run''s rows are recorded in one entry per statement');
insert into pay.pay_runs (
  enterprise_id, id, pay_period_id, kind, state, whole_period, engine_version, requested_by)
values (test.id('alpha'), test.id('alpha_new_run'), test.id('alpha_period'), 'REGULAR', 'building', true, 'test', 'test');
update pay.pay_calculations set run_id = test.id('alpha_new_run') where enterprise_id = test.id('alpha');
select is(
  (select a.changes from test.last_entry a where a.entity_type = 'pay.pay_calculations' and a.entity_id = test.id('alpha_new_run')),
  '{"rows": 2}'::jsonb, 'rows that a new run replaces are recorded in one entry');
update pay.pay_calculations set validated_at = now(), validated_by = 'clerk' where id = test.id('alpha_calc_crew1');
select is(
  (select a.action || ' ' || (a.changes -> 'validated_by')::text from test.last_entry a where a.entity_id = test.id('alpha_calc_crew1')),
  'APPROVED [null, "clerk"]', 'a row validated by hand is recorded by itself');

-- Who may read it.
select test.act_as('alpha_admin');
select is((select count(distinct enterprise_id) from audit.audit_log), 1::bigint, 'an administrator reads the own tenant''s trail only');
select is(
  (select (v.operation, v.old_values ->> 'base_hourly_rate', v.new_values ->> 'base_hourly_rate', v.user_id)::text
   from audit.audit_log_layoverhq v where v.row_id = test.id('alpha_crew1') and v.operation = 'UPDATE'),
  format('(UPDATE,200.00,210.00,%s)', test.id('alpha_admin')), 'old and new values in the shape of the LayoverHQ document');
select is((select count(distinct enterprise_id) from audit.audit_log_layoverhq), 1::bigint, 'of the own tenant only');
select test.act_as('alpha_payroll');
select is((select count(distinct enterprise_id) from audit.audit_log), 1::bigint, 'payroll reads the own tenant''s trail');
select is((select count(*) from audit.audit_log where entity_type = 'auth.principals'), 0::bigint, 'but not who may log in');
select test.act_as('alpha_agent');
select throws_ok($$ select count(*) from audit.audit_log $$, '42501', null, 'agents cannot read the trail');

select * from finish();
rollback;
