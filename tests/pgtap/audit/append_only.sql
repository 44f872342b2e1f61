-- Nobody changes or removes an entry: not a login, not a function, not the owner.
begin;
select plan(13);
select test.fixture();

select throws_ok($$ update audit.audit_log set reason = 'x' $$, 'CP001', null, 'a superuser cannot update by accident');
select throws_ok($$ delete from audit.audit_log $$, 'CP001', null, 'nor delete');
select throws_ok($$ truncate audit.audit_log $$, 'CP001', null, 'nor truncate');
select throws_ok(
  format($$ update audit.%I set reason = 'x' $$, 'audit_log_' || to_char(now() at time zone 'UTC', 'YYYY_MM')),
  'CP001', null, 'nor update a partition');
select throws_ok(
  format($$ delete from audit.%I $$, 'audit_log_' || to_char(now() at time zone 'UTC', 'YYYY_MM')),
  'CP001', null, 'nor delete from it');
select throws_ok(
  format($$ truncate audit.%I $$, 'audit_log_' || to_char(now() at time zone 'UTC', 'YYYY_MM')),
  'CP001', null, 'nor truncate it');

set local role crewpay_owner;
select throws_ok($$ update audit.audit_log set reason = 'x' $$, 'CP001', null, 'the owner cannot update');
set local role crewpay_definer;
select throws_ok($$ update audit.audit_log set reason = 'x' $$, '42501', null, 'functions cannot update');
select throws_ok($$ delete from audit.audit_log $$, '42501', null, 'functions cannot delete');
reset role;

select test.act_as('alpha_admin');
select throws_ok($$ delete from audit.audit_log $$, '42501', null, 'an administrator cannot delete');
select throws_ok(
  $$ insert into audit.audit_log (entity_type, entity_key, action, actor_id, actor_type) values ('x', 'x', 'CREATED', 'x', 'CREW') $$,
  '42501', null, 'an administrator cannot write entries');
select throws_ok(
  format($$ select count(*) from audit.%I $$, 'audit_log_' || to_char(now() at time zone 'UTC', 'YYYY_MM')),
  '42501', null, 'an administrator cannot read a partition past the parent');

select test.act_as_operator();
select ok(
  (select count(*) >= 13 from pg_inherits where inhparent = 'audit.audit_log'::regclass)
  and audit.ensure_partitions() = 0,
  'partitions for a year ahead exist, and making them again makes none');

select * from finish();
rollback;
