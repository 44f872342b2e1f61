-- Keys: the tenant first everywhere, foreign keys indexed.
begin;
select plan(4);

create view test.tenant_tables as
select t.*
from test.tables t
where exists (
  select
  from pg_attribute a
  where a.attrelid = t.oid and a.attname = 'enterprise_id' and not a.attisdropped);

select is_empty($$
  select t.name, i.indexrelid::regclass
  from test.tenant_tables t
  join pg_index i on i.indrelid = t.oid
  join pg_class x on x.oid = i.indexrelid
  join pg_am m on m.oid = x.relam
  left join pg_attribute a on a.attrelid = t.oid and a.attnum = i.indkey[0]
  where a.attname is distinct from 'enterprise_id'
    and m.amname <> 'brin'
    and i.indexrelid::regclass::text not in (
      -- One login, whatever the tenant.
      'auth.principals_pkey',
      -- Rows of an installation as well as of tenants (enterprise_id may be null).
      'alerts_pkey', 'alerts_raised_at_idx', 'job_runs_pkey', 'job_runs_job_name_idx',
      -- Short numbers that pay lines cite: they carry no meaning and the identity column makes them unique anyway.
      'trips_trip_no_key', 'crew_assignments_leg_no_key')
    -- A partitioned table's key must hold the partition key; ids of the trail are random.
    and not (t.name ~ '^audit\.audit_log' and i.indisprimary)
    -- A foreign key to a global table is looked up by that key alone.
    and not exists (
      select
      from pg_constraint c
      where c.conrelid = t.oid
        and c.contype = 'f'
        and not i.indisunique
        and array_to_string(c.conkey, ' ') = i.indkey::text
        and not exists (
          select from pg_attribute f where f.attrelid = c.confrelid and f.attname = 'enterprise_id' and not f.attisdropped))
$$, 'the tenant comes first in every key and index of tenant tables');

select is_empty($$
  select t.name, c.conname
  from test.tenant_tables t
  join test.tenant_tables r on true
  join pg_constraint c on c.conrelid = t.oid and c.confrelid = r.oid and c.contype = 'f'
  join pg_attribute a on a.attrelid = t.oid and a.attnum = c.conkey[1]
  join pg_attribute b on b.attrelid = r.oid and b.attnum = c.confkey[1]
  where a.attname <> 'enterprise_id' or b.attname <> 'enterprise_id'
$$, 'foreign keys between tenant tables carry the tenant, so that no row points into another');

select is_empty($$
  select t.name, a.attname
  from test.tenant_tables t
  join pg_attribute a on a.attrelid = t.oid and a.attname = 'enterprise_id'
  where not a.attnotnull
    and t.name not in ('ops.alerts', 'ops.job_runs')
    and t.name !~ '^audit\.audit_log'
$$, 'the tenant is never null, but for alerts and audit entries about the installation');

select is_empty($$
  select c.conrelid::regclass, c.conname
  from pg_constraint c
  join test.tables t on t.oid = c.conrelid
  where c.contype = 'f'
    and c.conparentid = 0
    -- Enterprises are never deleted, and open alerts are few.
    and c.conrelid <> 'ops.alerts'::regclass
    and not exists (
      select
      from pg_index i
      where i.indrelid = c.conrelid
        and i.indpred is null
        and ((i.indkey::smallint[])[0:cardinality(c.conkey) - 1] @> c.conkey
             -- Tenant and id find the row; a third column of the key only repeats what the id says.
             or (cardinality(c.conkey) = 3 and i.indnatts = 2 and i.indkey::smallint[] <@ c.conkey)))
$$, 'every foreign key is the beginning of an index');

select * from finish();
rollback;
