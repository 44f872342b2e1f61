-- Who works in payroll and flies as well neither books nor approves what is paid to the own person.
begin;
select plan(7);
select test.fixture();
insert into platform.users (enterprise_id, id, email, person_id)
select test.id('alpha'), test.id('alpha_' || u), u || '@example.org', c.person_id
from (values ('captain')) as x (u), crew.crew_members as c where c.id = test.id('alpha_crew1');
select test.make_login('alpha_captain', 'alpha', 'admin', 'alpha_captain');
insert into platform.users (enterprise_id, id, email) values (test.id('alpha'), test.id('alpha_chief'), 'chief@example.org');
select test.make_login('alpha_chief', 'alpha', 'admin', 'alpha_chief');
create function test.adjust(p_crew text, p_amount numeric) returns text language sql
  return (pay.adjust(test.id('alpha'), test.id(p_crew), test.id('alpha_period'), p_amount, 'for a reason')).state;
grant execute on function test.adjust(text, numeric) to public;

select test.act_as('alpha_captain');
select is(test.adjust('alpha_crew2', 10), 'APPROVED', 'a small amount for somebody else needs nobody');
select is(test.adjust('alpha_crew1', 10), 'PROPOSED', 'for oneself it does');
select throws_ok($$ select pay.approve_adjustment(id) from pay.adjustments where state = 'PROPOSED' $$, 'CP310', null, 'who asked can''t approve');
select test.act_as('alpha_payroll');
select is(test.adjust('alpha_crew1', 600), 'PROPOSED', 'a large amount waits');
select test.act_as('alpha_captain');
select throws_ok($$ select pay.approve_adjustment(id) from pay.adjustments where amount = 600 $$, 'CP310', null, 'who gets it can''t approve');
select test.act_as('alpha_chief');
select lives_ok($$ select pay.approve_adjustment(id) from pay.adjustments where amount = 600 $$, 'somebody else does');
select is((select count(*) from pay.adjustments where state = 'PROPOSED'), 1::bigint, 'the other waits');
select test.act_as_operator();
select * from finish();
rollback;
