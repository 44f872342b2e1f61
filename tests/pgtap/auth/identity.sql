-- Who is asking comes from the login; a setting only selects among the login's own enterprises.
begin;
select plan(27);
select test.fixture();

select test.act_as('alpha_crew1');
select is(auth.uid(), test.id('alpha_crew1'), 'uid of crew is the crew member');
select is(auth.role(), 'crew', 'crew have role crew');
select is(auth.enterprise_id(), test.id('alpha'), 'one membership: its enterprise');
select is(auth.person(), (select person_id from crew.crew_members where id = auth.uid()), 'person is the crew member''s');
select throws_ok($$ set local role crewpay_admin $$, '42501', null, 'crew cannot become administrators');
set local "request.jwt.claims" = '{"role": "admin"}';
select is(auth.role(), 'crew', 'claims do not change the role');
select test.select_enterprise('beta');
select throws_ok($$ select auth.enterprise_id() $$, '28000', null, 'crew cannot select another enterprise');
select throws_ok($$ select count(*) from crew.crew_members $$, '28000', null, 'nor read with that selection');
set local app.current_enterprise_id = 'x'' or true --';
select throws_ok($$ select auth.enterprise_id() $$, '28000', null, 'a selection that is no uuid is refused');

select test.act_as('alpha_admin');
select is(auth.uid(), test.id('alpha_admin'), 'uid of an administrator is the user');
select lives_ok($$ select auth.require_role('payroll', 'admin') $$, 'require_role lets a named role pass');
select throws_ok($$ select auth.require_role('payroll') $$, '42501', null, 'require_role refuses others');

select test.act_as('both_payroll');
select is(auth.enterprise_id(), null, 'several memberships, none selected: no enterprise');
select is(auth.role(), 'payroll', 'the role is common to all memberships');
select is((select count(*) from crew.crew_members), 0::bigint, 'several memberships, none selected: no rows');
select is(
  (select array_agg(e order by e = test.id('beta')) from auth.enterprises() e), array[test.id('alpha'), test.id('beta')],
  'enterprises() lists the memberships');
select test.select_enterprise('beta');
select is(auth.enterprise_id(), test.id('beta'), 'a member selects an own enterprise');
select is((select count(distinct enterprise_id) from crew.crew_members), 1::bigint, 'and sees that one only');

select test.act_as('alpha_agent');
select is(auth.role(), 'service_role', 'agents have role service_role');
select is(auth.uid(), null, 'a service is nobody');

select test.act_as('stranger');
select is(auth.role(), null, 'an unknown login has no role');
select is((select count(*) from crew.crew_members), 0::bigint, 'an unknown login sees no rows');
select throws_ok($$ select auth.require_role('crew') $$, '42501', null, 'require_role refuses an unknown login');

select test.act_as_operator();
update auth.principals set active = false where login = test.login('alpha_crew1');
select test.act_as('alpha_crew1');
select is(auth.role(), null, 'an inactive login has no role');
select is((select count(*) from crew.crew_members), 0::bigint, 'an inactive login sees no rows');

select test.act_as_operator();
select throws_ok(
  format($$ select auth.create_principal(%L, %L, 'admin', p_user_id => %L) $$,
         test.login('alpha_payroll'), test.id('beta'), test.id('beta_admin')),
  'CP301', null, 'one login has one role');
select is(
  (select person_id from auth.principals where login = test.login('alpha_admin')),
  (select person_id from platform.users where id = test.id('alpha_admin')),
  'a principal''s person is the user''s');

select * from finish();
rollback;
