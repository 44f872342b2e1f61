-- The outbox as who delivers sees it: claims, tries, giving up.
begin;
select plan(14);
select test.fixture();
create function test.outbox() returns text language sql security definer set search_path = pg_catalog, pg_temp
return (select string_agg(concat_ws(' ', n.title, d.state, d.attempts, case when n.sent_at is not null then 'told' end), ', ' order by n.title)
  from notify.deliveries as d join notify.notifications as n on n.enterprise_id = d.enterprise_id and n.id = d.notification_id);
grant execute on function test.outbox() to public;
create function test.waiting(p_title text) returns uuid language sql security definer set search_path = pg_catalog, pg_temp
return (select n.id from notify.notifications as n where n.title = p_title and n.delivery_method = 'EMAIL');
grant execute on function test.waiting(text) to public;

select test.act_as('alpha_crew1');
select notify.set_contact('EMAIL', 'e001@example.org');
select test.act_as('alpha_payroll');
select notify.announce('One', 'First'), notify.announce('Two', 'Second');

set local session authorization crewpay_jobs;
select is((select count(*) from notify.claim_deliveries()), 0::bigint, 'without an enterprise there is nothing');
select test.select_enterprise('beta');
select is((select count(*) from notify.claim_deliveries()), 0::bigint, 'nor in another one');
select test.select_enterprise('alpha');
select is((select string_agg(concat_ws(' ', address, title, attempt), ', ' order by title) from notify.claim_deliveries()),
  'e001@example.org One 1, e001@example.org Two 1', 'what is due is taken');
select is((select count(*) from notify.claim_deliveries()), 0::bigint, 'once');
select is(notify.finish_delivery(test.waiting('One'), true, 'id-1'), 'SENT', 'sent');
select is(notify.finish_delivery(test.waiting('One'), false, 'late'), null, 'and done');
select is(notify.finish_delivery(test.waiting('Two'), false, 'connection refused'), 'WAITING', 'another try, later');
select is(test.outbox(), 'One SENT 1 told, Two WAITING 1', 'the notification knows when it was sent');
select is((select count(*) from notify.claim_deliveries()), 0::bigint, 'not at once');

select test.act_as_operator();
update notify.deliveries set due_at = now(), attempts = 7 where state = 'WAITING';
set local session authorization crewpay_jobs;
select test.select_enterprise('alpha');
select is((select attempt from notify.claim_deliveries()), 8, 'the last try');
select is(notify.finish_delivery(test.waiting('Two'), false, 'connection refused'), 'FAILED', 'given up');
select ok(exists (select from ops.alerts where alert_key = 'notify:EMAIL:failing' and state = 'OPEN'), 'with an alert');

select test.act_as_operator();
update notify.deliveries set state = 'WAITING', finished_at = null, created_at = now() - interval '4 days' where state = 'FAILED';
set local session authorization crewpay_jobs;
select test.select_enterprise('alpha');
select is(notify.expire_deliveries(), 1, 'old news are given up');
select is(notify.expire_deliveries('3 days', '-1 second') + (select count(*) from notify.claim_deliveries()), 0::bigint, 'and the outbox is emptied');

select * from finish();
rollback;
