-- Who may do what at all: grants are explicit, minimal, and on parents only.
begin;
select plan(14);

create view test.grants as
select t.oid, t.name, t.relispartition, pg_get_userbyid(a.grantee) as role, a.grantee, a.privilege_type
from test.tables t
cross join lateral aclexplode(t.relacl) a
where a.grantee <> (select c.relowner from pg_class c where c.oid = t.oid);

select is_empty($$ select name, role, privilege_type from test.grants where privilege_type in ('TRUNCATE', 'REFERENCES', 'TRIGGER') $$,
  'nobody may truncate, refer to or put triggers on a table');
select is_empty($$ select name, role from test.grants where relispartition $$, 'nobody has grants on a partition');
select is_empty($$ select name from test.grants where grantee = 0 $$, 'PUBLIC has no grants on tables');
select is_empty($$
  select n.nspname
  from pg_namespace n
  cross join lateral aclexplode(n.nspacl) a
  where (n.nspname = any (test.schemas()) or n.nspname = 'public')
    and a.grantee = 0
$$, 'PUBLIC may use no schema of ours, nor public');
select is_empty($$
  select name, role, privilege_type from test.grants where role !~ '^crewpay_'
$$, 'grants go to CrewPay''s groups, not to logins');
select is_empty($$
  select name, role, privilege_type from test.grants
  where privilege_type = 'DELETE' and role <> 'crewpay_definer'
$$, 'nobody deletes but functions');
select is_empty($$
  select name, role, privilege_type from test.grants
  where role in ('crewpay_crew', 'crewpay_service', 'crewpay_bi', 'crewpay_sync', 'crewpay_jobs', 'crewpay_backup')
    and privilege_type <> 'SELECT'
$$, 'crew, agents, BI, sync and jobs write through functions only');
select is_empty($$
  select n.nspname
  from pg_namespace n
  where n.nspname = any (test.schemas())
    and n.nspname <> 'bi'
    and has_schema_privilege('crewpay_bi', n.oid, 'usage')
$$, 'BI may use schema bi only');
select is_empty($$
  select n.nspname, r.rolname
  from pg_namespace n
  cross join pg_roles r
  where (n.nspname = any (test.schemas()) or n.nspname = 'public')
    and r.rolname ~ '^crewpay_'
    and r.rolname <> 'crewpay_owner'
    and has_schema_privilege(r.oid, n.oid, 'create')
$$, 'nobody makes objects but the owner');
select is_empty($$
  select r.rolname
  from pg_roles r
  where r.rolname ~ '^crewpay_'
    and r.rolname not in ('crewpay_owner', 'crewpay_definer')
    and has_database_privilege(r.oid, current_database(), 'temporary')
$$, 'logins have no temporary tables: a trigger on one would run inside a definer function');
select is_empty($$
  select r.rolname
  from pg_roles r
  where r.rolname ~ '^crewpay_'
    and (r.rolsuper or r.rolcreaterole or r.rolcreatedb or r.rolreplication
         or (r.rolbypassrls and r.rolname <> 'crewpay_backup')
         or (r.rolcanlogin and r.rolname not in ('crewpay_jobs', 'crewpay_backup')))
$$, 'CrewPay''s roles have no power over the cluster; only backup bypasses row-level security');
select is_empty($$
  select g.rolname as of_group, m.rolname as member
  from pg_auth_members a
  join pg_roles g on g.oid = a.roleid
  join pg_roles m on m.oid = a.member
  where g.rolname in ('crewpay_owner', 'crewpay_definer')
    and m.rolname ~ '^crewpay_'
    and (g.rolname, m.rolname) <> ('crewpay_definer', 'crewpay_owner')
$$, 'no group is a member of the owners');
select is_empty($$
  select c.oid::regclass, a.privilege_type
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  cross join lateral aclexplode(c.relacl) a
  where n.nspname = any (test.schemas())
    and c.relkind = 'm'
    and a.grantee not in (c.relowner, 'crewpay_definer'::regrole)
$$, 'materialized views, which have no row-level security, are granted to no login');
select is_empty($$
  select t.name, a.attname, pg_get_userbyid(x.grantee)
  from test.tables t
  join pg_attribute a on a.attrelid = t.oid and a.attacl is not null
  cross join lateral aclexplode(a.attacl) x
  where a.attname in ('person_id', 'recorded_at', 'validated_by', 'validated_at', 'status')
    -- Of a flight, the status is a fact like its times.
    and (t.name, a.attname) <> ('crew.flights', 'status')
    and x.privilege_type in ('INSERT', 'UPDATE')
$$, 'who a person is, what was known when, approvals and states are written by functions only');

select * from finish();
rollback;
