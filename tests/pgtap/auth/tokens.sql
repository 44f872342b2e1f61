-- Pooled applications: a token, and nothing else, makes a pool's login somebody, for one transaction. (Other transactions,
-- processes and parallel workers: tests/integration/test_tokens.py.)
begin;
select plan(90);
select test.fixture();

-- Pools of this session's own, with their roles; the fixture's people behind them.
create function test.make_pool(p_name text, p_role auth.app_role)
returns setof void
language plpgsql
as $$
begin
  if not exists (select from pg_roles where rolname = test.login(p_name)) then
    execute format('create role %I login in role %I', test.login(p_name),
      case p_role when 'service_role' then 'crewpay_service' else 'crewpay_' || p_role end);
  end if;
  perform auth.create_pool(test.login(p_name), p_role);
end $$;
select test.make_pool('pool_crew', 'crew');
select test.make_pool('pool_crew2', 'crew');
select test.make_pool('pool_payroll', 'payroll');
select test.make_pool('pool_admin', 'admin');
select test.make_pool('pool_service', 'service_role');

create table test.tokens (name text primary key, token text, context text);
grant select, update on test.tokens to public;

-- A token as mint_token makes it, with some fields changed before it is signed. ("seconds": life.)
create function test.sign(p_change jsonb default '{}', p_key bytea default null)
returns text
language plpgsql
as $$
declare
  v_body text;
begin
  v_body := concat_ws('|',
    coalesce(p_change ->> 'version', 'v1'),
    coalesce(p_change ->> 'kid', (select kid from auth.signing_keys where state = 'active')),
    coalesce(p_change ->> 'jti', gen_random_uuid()::text),
    coalesce(p_change ->> 'uid', test.id('alpha_crew1')::text),
    coalesce(p_change ->> 'enterprise', test.id('alpha')::text),
    coalesce(p_change ->> 'role', 'crew'),
    coalesce(p_change ->> 'login', test.login('pool_crew')),
    coalesce(p_change ->> 'exp', (floor(extract(epoch from clock_timestamp())) + coalesce((p_change ->> 'seconds')::integer, 600))::text));
  return v_body || '|' || encode(ext.hmac(
    convert_to(v_body, 'UTF8'),
    coalesce(p_key, (select secret from auth.signing_keys where kid = coalesce(p_change ->> 'kid', kid) and state <> 'revoked' order by state limit 1)),
    'sha256'), 'hex');
end $$;
grant execute on all functions in schema test to public;

insert into test.tokens (name, token)
values
  ('crew', auth.mint_token(test.login('pool_crew'), test.id('alpha'), test.id('alpha_crew1'))),
  ('crew2', auth.mint_token(test.login('pool_crew'), test.id('alpha'), test.id('alpha_crew2'), 5)),
  ('beta', auth.mint_token(test.login('pool_crew'), test.id('beta'), test.id('beta_crew1'))),
  ('payroll', auth.mint_token(test.login('pool_payroll'), test.id('alpha'), test.id('alpha_payroll'))),
  ('admin', auth.mint_token(test.login('pool_admin'), test.id('alpha'), test.id('alpha_admin'))),
  ('service', auth.mint_token(test.login('pool_service'), test.id('alpha'))),
  ('own', test.sign()),
  ('unknown key', test.sign('{"kid": "0123456789abcdef"}', 'not the key of this database, but long enough')),
  ('other key', test.sign('{}', 'not the key of this database, but long enough')),
  ('expired', test.sign('{"seconds": -1}')),
  ('long', test.sign('{"seconds": 3600}')),
  ('version', test.sign('{"version": "v2"}')),
  ('role', test.sign('{"role": "admin"}')),
  ('no role', test.sign('{"role": "superuser"}')),
  ('login', test.sign(jsonb_build_object('login', test.login('pool_crew2')))),
  ('nobody', test.sign(jsonb_build_object('uid', gen_random_uuid()))),
  ('other tenant', test.sign(jsonb_build_object('uid', test.id('beta_crew1')))),
  ('no uid', test.sign('{"uid": ""}')),
  ('direct', test.sign(jsonb_build_object('login', test.login('alpha_crew1')))),
  ('revoked', test.sign(jsonb_build_object('jti', test.id('revoked')))),
  ('operator', test.sign('{"login": "postgres"}'));
select auth.revoke_token(test.id('revoked'));

create function test.token(p_name text)
returns text
language sql stable
return (select token from test.tokens where name = p_name);
create function test.keep_context(p_name text)
returns setof void
language sql
begin atomic
  update test.tokens set context = current_setting('app.context') where name = p_name;
end;
create function test.set_context(p_context text)
returns setof void
language plpgsql
as $$
begin
  perform set_config('app.context', p_context, true);
end $$;
create function test.drop_context()
returns setof void
language sql
begin atomic
  select set_config('app.context', '', true);
end;
grant execute on all functions in schema test to public;

-- A pool without a token.
select test.act_as('pool_crew');
select is(auth.uid(), null, 'a pool without token is nobody');
select is(auth.role(), null, 'has no role');
select is(auth.enterprise_id(), null, 'and no enterprise');
select is((select count(*) from crew.crew_members), 0::bigint, 'sees no crew');
select is((select count(*) from pay.pay_calculations), 0::bigint, 'no pay');
select is((select count(*) from auth.enterprises()), 0::bigint, 'belongs to no enterprise');
select test.select_enterprise('alpha');
select throws_ok($$ select count(*) from crew.crew_members $$, '28000', null, 'and can select none');

-- With one.
select test.act_as('pool_crew');
select lives_ok($$ select auth.login(test.token('crew')) $$, 'a token logs in');
select is(auth.uid(), test.id('alpha_crew1'), 'uid is the token''s');
select is(auth.role(), 'crew', 'role is the pool''s');
select is(auth.enterprise_id(), test.id('alpha'), 'enterprise is the token''s');
select is((select array_agg(e) from auth.enterprises() e), array[test.id('alpha')], 'and the only one');
select is((select array_agg(id) from crew.crew_members), array[test.id('alpha_crew1')], 'crew see themselves');
select is((select count(*) from crew.flights), 1::bigint, 'their flights');
select is((select person_id from crew.crew_members), auth.person(), 'as the person they are');
select test.select_enterprise('alpha');
select lives_ok($$ select auth.uid() $$, 'the token''s own enterprise may be selected');
select test.select_enterprise('beta');
select throws_ok($$ select auth.uid() $$, '28000', null, 'another may not');
set local app.current_enterprise_id = '';
select test.keep_context('crew');
select lives_ok($$ select auth.login(test.token('crew2')) $$, 'another token in the same transaction logs in as well');
select is(auth.uid(), test.id('alpha_crew2'), 'and replaces the first');
select test.keep_context('crew2');
select lives_ok($$ select auth.login(test.token('beta')) $$, 'so does one of another airline');
select is((select array_agg(distinct enterprise_id) from crew.flights), array[test.id('beta')], 'and shows that one''s rows only');
select lives_ok($$ select auth.login(test.token('own')) $$, 'a token signed in this test logs in: the refusals below are not its fault');

select test.drop_context();
select test.act_as('pool_payroll');
select lives_ok($$ select auth.login(test.token('payroll')) $$, 'a payroll clerk logs in');
select is((select count(*) from pay.pay_calculations), 2::bigint, 'and sees all pay of the airline');
select lives_ok(
  format($$ insert into pay.payroll_payments (enterprise_id, crew_member_id, pay_period_id, component, amount, reference)
            values (%L, %L, %L, 'flight_pay', 1, 'P2') $$, test.id('alpha'), test.id('alpha_crew1'), test.id('alpha_period')),
  'and records a payment');
select test.drop_context();
select test.act_as('pool_service');
select lives_ok($$ select auth.login(test.token('service')) $$, 'a service logs in without a person');
select is((auth.role(), auth.uid(), auth.person())::text, '(service_role,,)', 'and is nobody in particular');
select test.drop_context();
select test.act_as('pool_admin');
select lives_ok($$ select auth.login(test.token('admin')) $$, 'an administrator logs in');
select is(
  (select array_agg(distinct actor_id) from audit.audit_log where entity_type = 'pay.payroll_payments' and (changes ->> 'reference') = 'P2'),
  array[(test.login('pool_payroll') || '/' || test.id('alpha_payroll'))::varchar], 'the trail names the pool and the person');
select is(
  (select user_id from audit.audit_log_layoverhq where table_name = 'pay.payroll_payments' and new_values ->> 'reference' = 'P2'),
  test.id('alpha_payroll'), 'also in the shape of the document');
select throws_ok($$ select * from auth.pools $$, '42501', null, 'an administrator cannot see pools');
select test.drop_context();
select test.act_as_operator();

-- Refused tokens: 28000, each for its own reason, and nobody logged in.
create function test.refused(p_token text, p_login text, p_message text, p_why text)
returns setof text
language plpgsql
as $$
begin
  perform test.act_as(p_login);
  return next throws_ok(format('select auth.login(%L)', p_token), '28000', p_message, p_why);
end $$;
grant execute on all functions in schema test to public;
select test.refused(null, 'pool_crew', 'the token is refused: malformed', 'null is refused');
select test.refused('', 'pool_crew', 'the token is refused: malformed', 'nothing is refused');
select test.refused('garbage', 'pool_crew', 'the token is refused: malformed', 'garbage is refused');
select test.refused(repeat('x', 10000000), 'pool_crew', 'the token is refused: malformed', 'ten megabytes are refused');
select test.refused(test.token('crew') || e'\n', 'pool_crew', 'the token is refused: forged', 'a line end too many is refused');
select test.refused(upper(test.token('crew')), 'pool_crew', 'the token is refused: malformed', 'capitals are refused');
select test.refused(replace(test.token('crew'), '|', '||'), 'pool_crew', 'the token is refused: malformed', 'doubled bars are refused');
select test.refused(test.token('version'), 'pool_crew', 'the token is refused: malformed', 'another version is refused');
select test.refused(test.token('unknown key'), 'pool_crew', 'the token is refused: unknown key', 'an unknown key is refused');
select test.refused(test.token('other key'), 'pool_crew', 'the token is refused: forged', 'a signature by another key is refused');
select test.refused(
  replace(test.token('crew'), test.id('alpha_crew1')::text, test.id('alpha_crew2')::text), 'pool_crew', 'the token is refused: forged',
  'another crew member in the token is refused');
select test.refused(
  replace(test.token('crew'), test.id('alpha')::text, test.id('beta')::text), 'pool_crew', 'the token is refused: forged',
  'another enterprise in the token is refused');
select test.refused(
  replace(test.token('crew'), '|crew|', '|admin|'), 'pool_crew', 'the token is refused: forged', 'another role in the token is refused');
select test.refused(
  regexp_replace(test.token('crew'), '\|(\d+)\|', '|9\1|'), 'pool_crew', 'the token is refused: forged', 'a longer life in the token is refused');
select test.refused(
  left(test.token('crew'), -1) || translate(right(test.token('crew'), 1), '0123456789abcdef', '123456789abcdef0'), 'pool_crew',
  'the token is refused: forged', 'a changed signature is refused');
select test.refused(test.token('login'), 'pool_crew', 'the token is refused: made for another login', 'another pool''s token is refused, even of the same role');
select test.refused(test.token('crew'), 'pool_payroll', 'the token is refused: made for another login', 'a crew token is refused by the payroll pool');
select test.refused(test.token('crew'), 'alpha_crew2', 'the token is refused: made for another login', 'by a direct login as well');
select test.refused(test.token('direct'), 'alpha_crew1', 'the token is refused: not the login of a pool', 'a token made for a direct login is refused');
select test.refused(test.token('role'), 'pool_crew', 'the token is refused: made for another role', 'a token of another role is refused');
select test.refused(test.token('no role'), 'pool_crew', 'the token is refused: made for another role', 'a role that does not exist is refused');
select test.refused(test.token('expired'), 'pool_crew', 'the token is refused: expired', 'an expired token is refused');
select test.refused(test.token('long'), 'pool_crew', 'the token is refused: lives too long', 'a token that would live an hour is refused');
select test.refused(test.token('revoked'), 'pool_crew', 'the token is refused: revoked', 'a revoked token is refused');
select test.refused(test.token('nobody'), 'pool_crew', 'the token is refused: nobody who may log in', 'an unknown crew member is refused');
select test.refused(test.token('other tenant'), 'pool_crew', 'the token is refused: nobody who may log in', 'another airline''s crew member is refused');
select test.refused(test.token('no uid'), 'pool_crew', 'the token is refused: nobody who may log in', 'crew without crew member are refused');
select is(auth.uid(), null, 'and nobody is logged in');
select test.act_as_operator();

-- The context.
create function test.context_refused(p_context text, p_why text)
returns setof text
language plpgsql
as $$
begin
  perform set_config('app.context', p_context, true);
  return next throws_ok('select count(*) from crew.crew_members', '28000', null, p_why);
  perform set_config('app.context', '', true);
end $$;
grant execute on all functions in schema test to public;
select test.act_as('pool_crew');
select test.set_context((select context from test.tokens where name = 'crew'));
select is(auth.uid(), test.id('alpha_crew1'), 'a context counts for its login within its transaction');
select test.context_refused('x', 'garbage as context is refused');
select test.context_refused(repeat('x', 1000000), 'a megabyte of it is');
select test.context_refused((select token from test.tokens where name = 'crew'), 'a token is no context');
select test.context_refused(
  (select replace(context, test.id('alpha_crew1')::text, test.id('alpha_crew2')::text) from test.tokens where name = 'crew'),
  'a context with another crew member is refused');
select test.context_refused((select regexp_replace(context, '^crew', 'admin') from test.tokens where name = 'crew'), 'or another role');
select test.act_as('pool_crew2');
select test.context_refused((select context from test.tokens where name = 'crew'), 'a context stolen by another pool is refused');
select test.act_as('alpha_crew2');
select is(auth.uid(), test.id('alpha_crew2'), 'a direct login is itself');
select test.context_refused((select context from test.tokens where name = 'crew'), 'and is refused with a stolen context');
select test.act_as_operator();
select test.drop_context();

-- Deactivated in the database, out at once; no token for whom it doesn't know.
update auth.principals set active = false where login in (test.login('alpha_payroll'), test.login('alpha_crew1'));
select test.refused(test.token('payroll'), 'pool_payroll', 'the token is refused: nobody who may log in', 'a deactivated clerk''s token is refused');
select test.refused(test.token('crew'), 'pool_crew', 'the token is refused: nobody who may log in', 'so is that of a deactivated crew member');
select test.act_as_operator();
select throws_ok(
  format('select auth.mint_token(%L, %L, %L)', test.login('pool_payroll'), test.id('alpha'), test.id('alpha_payroll')),
  'CP302', null, 'and no new one is made');
select throws_ok(
  format('select auth.mint_token(%L, %L, %L)', test.login('pool_payroll'), test.id('alpha'), test.id('alpha_admin')),
  'CP302', null, 'nor one for a user without the role');
select throws_ok(
  format('select auth.mint_token(%L, %L, %L, 16)', test.login('pool_crew'), test.id('alpha'), test.id('alpha_crew2')),
  'CP303', null, 'nor one that lives too long');
select throws_ok(
  format($$ select auth.create_principal(%L, %L, 'crew', %L) $$, test.login('pool_crew'), test.id('alpha'), test.id('alpha_crew1')),
  'CP301', null, 'a pool is no principal');
select throws_ok(
  format($$ select auth.create_pool(%L, 'crew') $$, test.login('alpha_crew1')), 'CP301', null, 'nor a principal a pool');
select throws_ok($$ select auth.create_pool('postgres', 'crew') $$, 'CP301', null, 'nor a superuser');
select throws_ok(
  format($$ select auth.create_pool(%L, 'admin') $$, test.login('pool_crew')), 'CP301', null, 'and its role is its group''s');

-- Rotation: the newest key signs, the one before it is still accepted.
select auth.rotate_key();
select test.act_as('pool_crew');
select lives_ok($$ select auth.login(test.token('crew2')) $$, 'after a rotation the old token is still good');
select test.drop_context();
select test.act_as_operator();
select auth.rotate_key();
select test.refused(test.token('crew2'), 'pool_crew', 'the token is refused: unknown key', 'after two it is not');
select test.act_as_operator();
select is((select count(*) from auth.signing_keys where secret is not null), 2::bigint, 'two keys are in use, and others erased');
select set_config('test.context_key', (select encode(secret, 'hex') from auth.context_keys), true);
select auth.rotate_key();
select is((select encode(secret, 'hex') from auth.context_keys), current_setting('test.context_key'), 'contexts keep their key');
delete from auth.context_keys;
select auth.rotate_key();
select is((select count(*) from auth.context_keys), 1::bigint, 'and get one where a dump had left it out');

-- Keys are nobody's to read.
select is_empty($$
  select r.rolname, c.relname
  from pg_class c
  cross join pg_roles r
  where c.relnamespace = 'auth'::regnamespace
    and c.relname ~ '^(pools|signing_keys|context_keys|revoked_tokens|token_events|refusal)'
    and c.relkind in ('r', 'S')
    and r.rolname ~ '^crewpay_'
    and r.rolname not in ('crewpay_owner', 'crewpay_backup')  -- a dump holds everything
    and case c.relkind
      when 'S' then has_sequence_privilege(r.oid, c.oid, 'usage, select, update')
      else has_any_column_privilege(r.oid, c.oid, 'select, insert, update, references') or has_table_privilege(r.oid, c.oid, 'delete, truncate, trigger')
    end
$$, 'no role of CrewPay may read or write keys, pools, tokens and counters: not even functions of crewpay_definer');
select is_empty($$
  select f.signature, r.rolname
  from test.functions f
  cross join pg_roles r
  where f.name in ('auth.mint_token', 'auth.revoke_token', 'auth.rotate_key', 'auth.create_pool', 'auth.token_crew', 'auth.token_staff', 'auth.token_minutes')
    and r.rolname ~ '^crewpay_'
    and r.rolname <> 'crewpay_owner'
    and not (r.rolname = 'crewpay_issuer' and f.name in ('auth.mint_token', 'auth.revoke_token'))
    and has_function_privilege(r.oid, f.oid, 'execute')
$$, 'tokens are made by operators and issuers only');
select is_empty($$
  select p.oid::regprocedure
  from pg_proc p
  cross join (select secret from auth.signing_keys where secret is not null union all select secret from auth.context_keys) k
  where strpos(p.prosrc, encode(k.secret, 'hex')) > 0 or strpos(p.prosrc, encode(k.secret, 'base64')) > 0
$$, 'no key stands in a function');
select is_empty($$
  select s.name
  from pg_settings s
  cross join (select secret from auth.signing_keys where secret is not null union all select secret from auth.context_keys) k
  where strpos(s.setting, encode(k.secret, 'hex')) > 0
$$, 'nor in a setting');
select test.act_as('alpha_admin');
select throws_ok($$ select secret from auth.signing_keys $$, '42501', null, 'an administrator cannot read keys');
select throws_ok($$ select last_value from auth.refusals $$, '42501', null, 'nor counters');
select test.act_as_operator();

insert into auth.token_events (event, reason, happened_at) values ('rotated', 'old', now() - interval '14 months'), ('rotated', 'young', now() - interval '12 months');
select lives_ok($$ select auth.collect_refusals() $$, 'collecting forgets what is old');
select is((select array_agg(reason) from auth.token_events where reason in ('old', 'young')), array['young'], 'and that only');

select * from finish();
rollback;
