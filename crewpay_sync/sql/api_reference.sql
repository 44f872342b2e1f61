-- What the SQL reference is made of: comments, signatures, grants and policies of the catalogue.

-- name: schemas
select n.nspname::text as name, obj_description(n.oid, 'pg_namespace') as comment
from pg_namespace n
where n.nspname in ('auth', 'audit', 'platform', 'crew', 'rules', 'graph', 'compliance', 'pay', 'review', 'notify', 'travel', 'ops', 'bi')
order by n.nspname collate "C";

-- name: functions
select
  n.nspname::text as schema,
  p.proname::text as name,
  pg_get_function_arguments(p.oid) as arguments,
  case p.prokind when 'p' then null else pg_get_function_result(p.oid) end as result,
  p.prorettype = 'trigger'::regtype as is_trigger,
  p.provolatile::text as volatility,
  obj_description(p.oid, 'pg_proc') as comment,
  (
    select coalesce(array_agg(substr(r.rolname, 9) order by r.rolname collate "C"), '{}')
    from pg_roles r
    where r.rolname in ('crewpay_crew', 'crewpay_admin', 'crewpay_payroll', 'crewpay_service', 'crewpay_bi', 'crewpay_sync', 'crewpay_jobs')
      and has_function_privilege(r.oid, p.oid, 'execute')
      and has_schema_privilege(r.oid, n.oid, 'usage')
  ) as callers
from pg_proc p
join pg_namespace n on n.oid = p.pronamespace
order by n.nspname collate "C", p.proname collate "C";

-- name: relations
select
  c.oid,
  n.nspname::text as schema,
  c.relname::text as name,
  case c.relkind when 'v' then 'view' when 'm' then 'materialized view' else 'table' end as kind,
  obj_description(c.oid, 'pg_class') as comment
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm')
  and not c.relispartition
order by n.nspname collate "C", c.relname collate "C";

-- name: columns
select
  a.attrelid as oid,
  a.attname::text as name,
  format_type(a.atttypid, a.atttypmod) as type,
  a.attnotnull as required,
  col_description(a.attrelid, a.attnum) as comment
from pg_attribute a
where a.attnum > 0
  and not a.attisdropped
order by a.attrelid, a.attnum;

-- name: rights
select x.oid, substr(r.rolname, 9) as role, array_agg(x.privilege order by x.privilege) as privileges
from (
  select c.oid, a.grantee, lower(a.privilege_type) as privilege
  from pg_class c
  cross join lateral aclexplode(c.relacl) a
  union
  select t.attrelid, a.grantee, lower(a.privilege_type) || ' (some columns)'
  from pg_attribute t
  cross join lateral aclexplode(t.attacl) a
) x
join pg_roles r on r.oid = x.grantee
where r.rolname ~ '^crewpay_'
  and r.rolname not in ('crewpay_owner', 'crewpay_definer')
group by x.oid, r.rolname
order by x.oid, r.rolname collate "C";

-- name: policies
select
  p.polrelid as oid,
  p.polname::text as name,
  obj_description(p.oid, 'pg_policy') as comment
from pg_policy p
where p.polname not in ('owner_all', 'definer_tenant', 'definer_self')
order by p.polrelid, p.polname collate "C";

-- name: types
select
  n.nspname::text as schema,
  t.typname::text as name,
  case t.typtype
    when 'e' then (select string_agg(e.enumlabel, ', ' order by e.enumsortorder) from pg_enum e where e.enumtypid = t.oid)
    when 'd' then format_type(t.typbasetype, t.typtypmod)
  end as definition,
  obj_description(t.oid, 'pg_type') as comment
from pg_type t
join pg_namespace n on n.oid = t.typnamespace
where t.typtype in ('e', 'd')
order by n.nspname collate "C", t.typname collate "C";

-- name: errors
select code, title, hint
from ops.error_codes
order by code collate "C";
