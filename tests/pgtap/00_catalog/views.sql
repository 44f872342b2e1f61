-- Views run with the reader's rights and don't leak through cheap functions.
begin;
select plan(2);

select is_empty($$
  select c.oid::regclass
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = any (test.schemas())
    and c.relkind = 'v'
    and not (coalesce('security_invoker=true' = any (c.reloptions), false)
             and coalesce('security_barrier=true' = any (c.reloptions), false))
    -- Views that read with the owner's rights, each with its own tenant filter and an attack test, would stand here.
    and c.oid::regclass::text <> all ('{}'::text[])
$$, 'every view is security_invoker and security_barrier');

select is_empty($$
  select c.oid::regclass, c.relname
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = 'bi'
    and c.relkind = 'v'
    and not has_table_privilege('crewpay_bi', c.oid, 'select')
$$, 'BI may read every view of bi');

select * from finish();
rollback;
