-- Row-level security on every table and every partition, by policies of the agreed shape.
begin;
select plan(12);

select is_empty($$
  select name from test.tables where not (relrowsecurity and relforcerowsecurity)
$$, 'every table has row-level security enabled and forced');

select is_empty($$
  select t.name
  from test.tables t
  where not exists (
    select
    from pg_policies p
    where (p.schemaname, p.tablename, p.policyname) = (t.schema_name, t.table_name, 'owner_all')
      and p.roles = '{crewpay_owner}'
      and p.cmd = 'ALL'
      and p.qual = 'true'
      and p.with_check = 'true')
$$, 'every table lets its owner see all rows (owner_all): without it foreign keys validate vacuously');

select is_empty($$
  select t.name
  from test.tables t
  where not exists (
    select
    from pg_policies p
    where (p.schemaname, p.tablename) = (t.schema_name, t.table_name)
      and p.policyname <> 'owner_all')
    -- Nobody but the owner may touch these: keys, and what decides whether a token is believed.
    and t.name not in (
      'auth.pools', 'auth.signing_keys', 'auth.context_keys', 'auth.revoked_tokens', 'auth.token_events')
$$, 'every table has a policy beside owner_all');

select is_empty($$
  select p.schemaname || '.' || p.tablename as name, p.policyname
  from pg_policies p
  where p.schemaname = any (test.schemas())
    and p.policyname <> 'owner_all'
    and (p.qual = 'true' or p.with_check = 'true')
    and (regexp_replace(p.schemaname || '.' || p.tablename, '_20\d\d_\d\d$', ''), p.policyname) not in (
      ('audit.audit_log',     'audit_append_only'),  -- capture must never fail; functions alone may insert
      ('crew.airports',       'global_read'),
      ('rules.faa_rules',     'global_read'),
      ('rules.facts',         'global_read'),
      ('rules.formula_types', 'global_read'),
      ('rules.formula_parameters', 'global_read'),
      ('ops.error_codes',     'global_read'),
      ('review.checks',       'global_read'),
      ('ops.jobs',            'global_read'),
      ('notify.templates',    'global_read'))
$$, 'no policy lets everything through, but for owner_all and the global tables');

select is_empty($$
  select p.schemaname || '.' || p.tablename as name, p.policyname, r as role
  from pg_policies p
  cross join unnest(p.roles) r
  where p.schemaname = any (test.schemas())
    and r::text !~ '^crewpay_'
    and p.policyname not in ('audit_no_update', 'audit_no_delete')
$$, 'every policy names the roles it is for');

select is_empty($$
  select p.schemaname || '.' || p.tablename as name, p.policyname
  from pg_policies p
  where p.schemaname = any (test.schemas())
    and p.permissive = 'PERMISSIVE'
    and regexp_replace(
          concat_ws(' ', p.qual, p.with_check), '\( SELECT (auth\.\w+\(\) AS \w+|\(auth\.role\(\) = [^()]*(\(ARRAY\[[^]]*\]\))?\))\)', '', 'g')
        ~ 'auth\.|current_setting'
$$, 'identity functions stand as (select auth.…()): once per statement, not once per row');

select is_empty($$
  select p.schemaname || '.' || p.tablename as name, p.policyname
  from pg_policies p
  where p.schemaname = any (test.schemas())
    and concat_ws(' ', p.qual, p.with_check) ~ '\( SELECT auth\.role\(\) AS role\)'
$$, 'write (select auth.role() = …) or (select auth.role() in (…)): compared outside, the planner expects one row in two hundred, and plans for it');

select is_empty($$
  with commands as (
    select p.schemaname, p.tablename, r as role, c as command, p.policyname
    from pg_policies p
    cross join unnest(p.roles) r
    cross join unnest(case p.cmd when 'ALL' then '{SELECT,INSERT,UPDATE,DELETE}'::text[] else array[p.cmd] end) c
    where p.schemaname = any (test.schemas())
      and r <> 'public'
  )
  select schemaname || '.' || tablename as name, role, command, array_agg(policyname) as policies
  from commands
  group by 1, 2, 3
  having count(*) > 1
$$, 'a role has one policy for a command: several are joined by OR, which costs and confuses');

select is_empty($$
  select t.name, p.policyname
  from test.tables t
  join pg_policies p on (p.schemaname, p.tablename) = (t.schema_name, t.table_name)
  join information_schema.columns c
    on (c.table_schema, c.table_name, c.column_name) = (t.schema_name, t.table_name, 'enterprise_id')
  where p.policyname not in ('owner_all', 'definer_self', 'audit_append_only', 'audit_no_update', 'audit_no_delete')
    and coalesce(p.qual, '') || coalesce(p.with_check, '') !~ 'enterprise_id = \( SELECT auth\.enterprise_id\(\)'
$$, 'policies of tenant tables compare the tenant');

select is_empty($$
  select p.schemaname || '.' || p.tablename as name, p.policyname
  from pg_policies p
  where p.schemaname = any (test.schemas())
    and not p.roles <@ '{crewpay_owner,crewpay_definer,public}'
    and p.policyname <> 'global_read'
    and coalesce(p.qual, '') || coalesce(p.with_check, '') !~ 'auth\.role\(\)'
$$, 'policies of logins test the role of the principal, not only the database role');

select is_empty($$
  select parent.policyname, child.oid::regclass
  from pg_inherits i
  join pg_class child on child.oid = i.inhrelid
  join pg_namespace n on n.oid = child.relnamespace
  join pg_class up on up.oid = i.inhparent
  join pg_policies parent on parent.schemaname = n.nspname and parent.tablename = up.relname
  where n.nspname = any (test.schemas())
    and child.relkind = 'r'
    and not exists (
      select
      from pg_policies p
      where (p.schemaname, p.tablename, p.policyname) = (n.nspname, child.relname, parent.policyname)
        and (p.cmd, p.roles, p.qual, p.with_check) is not distinct from (parent.cmd, parent.roles, parent.qual, parent.with_check))
$$, 'partitions carry the policies of their parent');

-- The proof of owner_all: a FORCEd owner without it would accept the key below without looking at a row.
-- (Locks in the order in which test.fixture() takes them: other tests run meanwhile.)
lock table crew.crew_members, crew.crew_months in access exclusive mode;
alter table crew.crew_months drop constraint crew_months_crew_member_fkey;
set local role crewpay_owner;
insert into platform.enterprises (id, name, slug) values (test.id('dangling'), 'dangling', 'dangling');
insert into crew.crew_months (enterprise_id, crew_member_id, month) values (test.id('dangling'), test.id('nobody'), '2026-01-01');
select throws_ok($$
  alter table crew.crew_months add constraint crew_months_crew_member_fkey
    foreign key (enterprise_id, crew_member_id) references crew.crew_members (enterprise_id, id)
$$, '23503', null, 'a dangling row makes adding a foreign key fail, as the owner');
reset role;

select * from finish();
rollback;
