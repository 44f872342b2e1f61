-- Claims above the limit are paid by two people; the approval covers payee and amount.
begin;
select plan(38);
select test.fixture();
insert into platform.users (enterprise_id, id, email) values (test.id('alpha'), test.id('alpha_chief'), 'chief@example.org'), (test.id('alpha'), test.id('alpha_clerk'), 'clerk@example.org');
select test.make_login('alpha_chief', 'alpha', 'admin', 'alpha_chief');
select test.make_login('alpha_clerk', 'alpha', 'payroll', 'alpha_clerk');
-- The captain who claims is an administrator as well, under another login.
insert into platform.users (enterprise_id, id, email, person_id)
select test.id('alpha'), test.id('alpha_captain'), 'captain@example.org', c.person_id from crew.crew_members as c where c.id = test.id('alpha_crew1');
select test.make_login('alpha_captain', 'alpha', 'admin', 'alpha_captain');
-- What a function of the claims' flow does.
create function test.pay(p_status review.payment_status default 'PAID') returns void language sql security definer set search_path = pg_catalog, pg_temp
  as $$ update review.claims set payment_status = p_status where id = test.id('alpha_claim') $$;
create function test.decide(p_decision review.claim_decision, p_amount numeric, p_by text) returns void language sql security definer set search_path = pg_catalog, pg_temp
  as $$ update review.claims set decision = p_decision, approved_amount = p_amount, reviewed_at = now(), reviewed_by = p_by, decision_rationale = 'x' where id = test.id('alpha_claim') $$;
create function test.gate() returns numeric language sql security definer set search_path = pg_catalog, pg_temp
  as $$ select (pay.require_claim_payment(test.id('alpha_claim'))).approved_amount $$;
create function test.waiting() returns uuid language sql security definer set search_path = pg_catalog, pg_temp
  as $$ select a.id from pay.approvals as a where a.subject_kind = 'CLAIM_PAYMENT' and a.state = 'PENDING' $$;
alter function test.pay(review.payment_status) owner to crewpay_definer;
alter function test.decide(review.claim_decision, numeric, text) owner to crewpay_definer;
alter function test.gate() owner to crewpay_definer;
alter function test.waiting() owner to crewpay_definer;
update platform.system_configs set value = '500' where key = 'pay.adjustment_limit' and tenant_id is null;

select test.act_as('alpha_payroll');
select throws_ok($$ select test.gate() $$, 'CP311', null, 'an undecided claim is not paid');
select throws_ok($$ select test.pay() $$, 'CP311', null, 'nor marked as paid');
select lives_ok($$ select test.decide('DENY', null, 'alpha_x') $$, 'a claim is denied');
select throws_ok($$ select test.pay() $$, 'CP311', null, 'a denied claim is not paid');
select test.decide('APPROVE', 500, test.login('alpha_clerk'));
select is(test.gate(), 500.00, 'up to the limit one person is enough');
select throws_ok($$ select pay.request_claim_payment(test.id('alpha_claim'), 'x') $$, 'CP311', null, 'and nothing is asked');
select test.decide('APPROVE', 500.01, test.login('alpha_clerk'));
select throws_ok($$ select test.gate() $$, 'CP312', null, 'above it another person approves first');
select throws_ok($$ select test.pay('PROCESSING') $$, 'CP312', null, 'before it is being paid');
select throws_ok($$ select test.pay('PAID') $$, 'CP312', null, 'or paid');
select lives_ok($$ select test.pay('PENDING') $$, 'waiting is no payment');

-- An enterprise may lower the limit, and not raise it.
select test.act_as('alpha_admin');
select platform.put_config('pay.adjustment_limit', '100000');
select test.act_as('alpha_payroll');
select throws_ok($$ select test.gate() $$, 'CP312', null, 'an administrator can''t raise the limit');
select test.act_as('alpha_admin');
select platform.put_config('pay.adjustment_limit', '10');
select test.decide('APPROVE', 11, test.login('alpha_clerk'));
select throws_ok($$ select test.gate() $$, 'CP312', null, 'but lower it');
select test.decide('APPROVE', 900, test.login('alpha_clerk'));

-- Asking.
select test.act_as('alpha_crew1');
select throws_ok($$ select pay.request_claim_payment(test.id('alpha_claim'), 'mine') $$, '42501', null, 'crew don''t ask');
select test.act_as('beta_admin');
select throws_ok($$ select pay.request_claim_payment(test.id('alpha_claim'), 'x') $$, 'CP311', null, 'another airline''s claim is unknown');
select throws_ok($$ select pay.approve_claim_payment(test.id('alpha_claim')) $$, 'CP311', null, 'to who approves as well');
select test.act_as('alpha_payroll');
select throws_ok($$ select pay.request_claim_payment(test.id('alpha_claim'), null) $$, 'CP318', null, 'a reason is needed');
select lives_ok($$ select pay.request_claim_payment(test.id('alpha_claim'), 'guarantee of January') $$, 'payroll asks');
select throws_ok($$ select pay.request_claim_payment(test.id('alpha_claim'), 'guarantee of January') $$, 'CP314', null, 'once');
select throws_ok($$ select pay.approve_claim_payment(test.id('alpha_claim')) $$, 'CP310', null, 'who asked can''t approve');
select throws_ok($$ select test.gate() $$, 'CP312', null, 'asking is not approving');
select test.act_as('alpha_captain');
select throws_ok($$ select pay.approve_claim_payment(test.id('alpha_claim')) $$, 'CP310', null, 'nor who claims, under any login');
select test.act_as('alpha_chief');
select pay.delegate(test.login('alpha_clerk'), now() + interval '1 day', 'leave');
select test.act_as('alpha_clerk');
select throws_ok($$ select pay.approve_claim_payment(test.id('alpha_claim')) $$, 'CP310', null, 'nor who decided the claim, even delegated to');

-- Approving.
select test.act_as('alpha_admin');
select is((pay.approve_claim_payment(test.id('alpha_claim'), 'checked')).state, 'APPROVED', 'an administrator approves');
select is(test.gate(), 900.00, 'the claim may be paid');
select throws_ok($$ select pay.approve_claim_payment(test.id('alpha_claim')) $$, 'CP311', null, 'once');
select throws_ok($$ select pay.request_claim_payment(test.id('alpha_claim'), 'x') $$, 'CP311', null, 'what is approved as it is isn''t asked for');
select test.decide('PARTIAL_APPROVE', 901, test.login('alpha_clerk'));
select throws_ok($$ select test.gate() $$, 'CP313', null, 'another amount asks again');
select throws_ok($$ select test.pay() $$, 'CP313', null, 'and isn''t paid');
select test.act_as('alpha_payroll');
select lives_ok($$ select pay.request_claim_payment(test.id('alpha_claim'), 'more hours') $$, 'it is asked for again');
select test.decide('PARTIAL_APPROVE', 902, test.login('alpha_clerk'));
select test.act_as('alpha_admin');
select throws_ok($$ select pay.approve_claim_payment(test.id('alpha_claim')) $$, 'CP313', null, 'a change after asking asks again, too');
select lives_ok($$ select pay.deny_approval(test.waiting(), 'not as asked') $$, 'it is denied');
select test.act_as('alpha_payroll');
select lives_ok($$ select pay.request_claim_payment(test.id('alpha_claim'), 'more hours') $$, 'and asked for as it is');
select test.act_as('alpha_chief');
select is((pay.approve_claim_payment(test.id('alpha_claim'))).decided_by::text, test.login('alpha_chief')::text, 'another administrator approves');
select lives_ok($$ select test.pay() $$, 'it is paid');
select throws_ok($$ select test.decide('APPROVE', 5000, test.login('alpha_clerk')) $$, 'CP313', null, 'what is paid doesn''t grow');
select lives_ok($$ select test.pay() $$, 'paid stays paid');
select test.act_as_operator();
select is((select count(*) from pay.approvals where subject_kind = 'CLAIM_PAYMENT' and decision = 'APPROVED'), 2::bigint, 'both approvals are on record');
select throws_ok($$ select pay.require_claim_payment(test.id('alpha_claim')) $$, 'CP311', null, 'operators have no enterprise');
select * from finish();
rollback;
