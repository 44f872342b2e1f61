-- Upkeep that only the owner of tables can do.

create or replace function ops.analyze_tables()
returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_tables text;
  v_count integer;
begin
  perform auth.require_role('jobs', 'admin');
  select string_agg(c.oid::regclass::text, ', '), count(*)
  into v_tables, v_count
  from pg_class as c
  join pg_namespace as n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p')
    and not c.relispartition
    and n.nspname in ('crew', 'rules', 'graph', 'pay', 'review', 'notify', 'audit');
  execute 'analyze ' || v_tables;
  return v_count;
end $$;
revoke all on function ops.analyze_tables() from public;
grant execute on function ops.analyze_tables() to crewpay_jobs;
comment on function ops.analyze_tables() is
  'Statistics of all tables of facts, rules, pay and review; returns how many. Belongs to the owner, since nobody else may analyze them.
Errors: 42501.';
