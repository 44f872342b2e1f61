-- Every table has the policy owner_all, made with the table: without it a FORCEd owner sees nothing, and then foreign keys
-- validate vacuously and data migrations touch no rows. crewpay_owner has no login.

do $$
declare
  v_table regclass;
begin
  for v_table in
    select p.polrelid
    from pg_catalog.pg_policy p
    join pg_catalog.pg_class c on c.oid = p.polrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where p.polname = 'owner_all'
      and n.nspname in ('auth', 'audit', 'platform', 'crew', 'rules', 'graph', 'compliance', 'pay', 'review', 'notify', 'travel', 'ops')
  loop
    execute format(
      'comment on policy owner_all on %s is %L',
      v_table, 'The owner (no login) sees all rows: foreign keys, data migrations and refreshes need it.');
  end loop;
end $$;
