-- Who is told what, once, through which channels and when.
begin;
select plan(30);
select test.fixture();
create function test.post(p_name text, p_key text default null, p_entity_type text default null, p_entity uuid default null)
returns uuid language sql security definer set search_path = pg_catalog, pg_temp
return notify.post(test.id(p_name), 'DISCREPANCY', 'discrepancy_found',
  '{"period": "January", "what": "per diem {period}", "amount": "$5.00"}', p_entity_type, p_entity, p_key);
alter function test.post(text, text, text, uuid) owner to crewpay_definer;
grant execute on function test.post(text, text, text, uuid) to public;

select is(notify.fill('{a} and {b}{', '{"a": "{b}", "b": "x"}', 'UTC'), '{b} and x', 'values are filled in once');
select throws_ok($$ select notify.fill('{a}', '{}', 'UTC') $$, 'CP340', null, 'a missing value is refused');
select is(notify.fill('{sent_at}', '{"sent_at": "2026-01-15T20:00:00Z"}', 'America/Los_Angeles'), '2026-01-15 12:00', 'moments are on the base''s clock');
create function test.after(p_clock text, p_from time, p_to time) returns text language sql
return to_char(notify.after_quiet_hours(('2026-01-15 ' || p_clock)::timestamp at time zone 'America/New_York', 'America/New_York', p_from, p_to) at time zone 'America/New_York', 'DD HH24:MI');
select is(test.after('23:30', '22:00', '07:00'), '16 07:00', 'quiet before midnight: until tomorrow');
select is(test.after('06:59', '22:00', '07:00'), '15 07:00', 'quiet after midnight: until today');
select is(test.after('07:00', '22:00', '07:00'), '15 07:00', 'the end is no longer quiet');
select is(test.after('13:00', '12:00', '14:00'), '15 14:00', 'quiet at noon');
select is(test.after('11:59', '12:00', '14:00'), '15 11:59', 'not before');
select is(test.after('23:30', null, null), '15 23:30', 'no quiet hours');

-- Crew choose.
select test.act_as('alpha_crew1');
select throws_ok($$ select notify.set_contact('EMAIL', 'nobody') $$, 'CP109', null, 'no e-mail address');
select throws_ok($$ select notify.set_contact('SMS', '555') $$, 'CP109', null, 'no telephone number');
select throws_ok($$ select notify.set_contact('EMAIL', 'x@example.org', test.id('alpha_crew2')) $$, 'CP214', null, 'somebody else''s address is not one''s own to set');
select throws_ok($$ select notify.set_preferences('{EMAIL}', '{}', '22:00', null) $$, 'CP109', null, 'quiet hours have an end');
select notify.set_contact('EMAIL', 'e001@example.org');
select notify.set_contact('SMS', '+12125550123');
-- Quiet hours about the present moment of the base, whatever o'clock it is.
select notify.set_preferences('{EMAIL,SMS}', '{SYSTEM}', l.clock - interval '1 hour', l.clock + interval '1 hour')
from (select (now() at time zone 'America/Los_Angeles')::time(0)) as l (clock);
select is((select count(*) from notify.contacts), 2::bigint, 'one''s own addresses are there');
select test.act_as('alpha_admin');
select throws_ok($$ select count(*) from notify.contacts $$, '42501', null, 'an administrator doesn''t read them');
select lives_ok($$ select notify.set_contact('EMAIL', 'e002@example.org', test.id('alpha_crew2')) $$, 'but may set them');
select throws_ok($$ select notify.set_contact('EMAIL', 'e002@example.org', test.id('beta_crew2')) $$, 'CP214', null, 'in the own airline only');

-- One is told, by the channels chosen, after the quiet hours.
select test.act_as('alpha_payroll');
select throws_ok($$ select notify.post(test.id('alpha_crew1'), 'SYSTEM', 'announcement', '{}') $$, '42501', null, 'nobody writes a message by hand');
select throws_ok($$ select test.post('beta_crew1') $$, 'CP214', null, 'nor to another airline');
select throws_ok($$ select test.post('alpha_crew1', null, 'claim', test.id('beta_claim')) $$, 'CP342', null, 'nor about another airline''s claim');
select throws_ok($$ select test.post('alpha_crew1', null, 'secret', test.id('alpha_claim')) $$, 'CP342', null, 'nor about what can''t be looked up');
select isnt(test.post('alpha_crew1', 'once', 'claim', test.id('alpha_claim')), null, 'an event is told');
select is(test.post('alpha_crew1', 'once', 'claim', test.id('alpha_claim')), null, 'once');
select is(notify.announce('Hello', 'All'), 2, 'all crew are told');
select test.act_as_operator();
select is(
  (select string_agg(concat_ws(' ', n.event, n.delivery_method, case when d.due_at > now() then 'later' end), ', ' order by n.event, n.delivery_method)
   from notify.notifications as n left join notify.deliveries as d on d.enterprise_id = n.enterprise_id and d.notification_id = n.id
   where n.crew_member_id = test.id('alpha_crew1') and n.event is not null),
  'announcement IN_APP, discrepancy_found EMAIL later, discrepancy_found SMS later, discrepancy_found IN_APP',
  'a muted type comes in the application only');

-- What is read is read.
select test.act_as('alpha_crew1');
select is(
  (select notify.related_entity(id) ->> 'claim_number' from notify.notifications where event = 'discrepancy_found' and delivery_method = 'IN_APP'),
  'CLM-2026-0001', 'what it is about can be looked up');
select is(notify.mark_read((select id from notify.notifications where event = 'discrepancy_found' and delivery_method = 'IN_APP')), 1, 'read receipts');
select is(notify.mark_read(), 1, 'all that was told in the application');
select test.act_as('alpha_crew2');
select is(notify.mark_read((select test.id('alpha_claim'))), 0, 'nothing of somebody else''s');
select throws_ok($$ select notify.claim_deliveries() $$, '42501', null, 'crew take nothing from the outbox');

select * from finish();
rollback;
