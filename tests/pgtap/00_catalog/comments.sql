-- Everything says what it is: the documentation of the SQL interface is made of these comments.
begin;
select plan(8);

select is_empty($$
  select n.nspname from pg_namespace n where n.nspname = any (test.schemas()) and obj_description(n.oid, 'pg_namespace') is null
$$, 'every schema has a comment');

select is_empty($$
  select c.oid::regclass
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = any (test.schemas())
    and c.relkind in ('r', 'p', 'v', 'm', 'f')
    and coalesce(obj_description(c.oid, 'pg_class'), '') !~ '^\S.*'
$$, 'every table and view has a comment');

select is_empty($$
  select c.oid::regclass, a.attname
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  where n.nspname = any (test.schemas())
    and c.relkind in ('r', 'p', 'v', 'm', 'f')
    and col_description(c.oid, a.attnum) is null
$$, 'every column has a comment');

select is_empty($$
  select f.signature from test.functions f where coalesce(obj_description(f.oid, 'pg_proc'), '') !~ '^\S.*'
$$, 'every function has a comment');

select is_empty($$
  select f.signature, arg
  from test.functions f
  cross join unnest(f.proargnames[1:f.pronargs]) arg
  where f.prorettype <> 'trigger'::regtype
    and arg <> ''
    and obj_description(f.oid, 'pg_proc') !~ ('\m' || arg || '\M')
    and exists (
      select
      from unnest('{crewpay_crew,crewpay_admin,crewpay_payroll,crewpay_service}'::name[]) r
      where has_function_privilege(r, f.oid, 'execute'))
$$, 'comments of functions that people call name every argument');

select is_empty($$
  select p.polrelid::regclass, p.polname
  from pg_policy p
  join test.tables t on t.oid = p.polrelid
  where obj_description(p.oid, 'pg_policy') is null
$$, 'every policy has a comment');

select is_empty($$
  select t.tgrelid::regclass, t.tgname
  from pg_trigger t
  join test.tables r on r.oid = t.tgrelid
  where not t.tgisinternal
    and t.tgparentid = 0
    and obj_description(t.oid, 'pg_trigger') is null
$$, 'every trigger has a comment');

select is_empty($$
  select t.oid::regtype
  from pg_type t
  join pg_namespace n on n.oid = t.typnamespace
  left join pg_class c on c.oid = t.typrelid
  where n.nspname = any (test.schemas())
    and (t.typtype in ('e', 'd') or c.relkind = 'c')
    and obj_description(t.oid, 'pg_type') is null
    and (c.oid is null or obj_description(c.oid, 'pg_class') is null)
$$, 'every type has a comment');

select * from finish();
rollback;
