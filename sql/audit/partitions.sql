-- Monthly partitions of the trail. Each protects itself as the parent does: row-level security forced, the same policies,
-- no truncate. Nobody has grants on a partition.

create or replace function audit.ensure_partitions(p_months_ahead integer default 12)
returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
declare
  v_month date := date_trunc('month', now())::date;
  v_name name;
  v_partition regclass;
  v_policy record;
  v_made integer := 0;
begin
  -- Two callers at once: the second waits, then finds the partitions there.
  perform pg_advisory_xact_lock(hashtext('audit.ensure_partitions'), 0);
  for i in 0 .. p_months_ahead loop
    v_name := 'audit_log_' || to_char(v_month + make_interval(months => i), 'YYYY_MM');
    if to_regclass(format('audit.%I', v_name)) is null then
      execute format(
        'create table audit.%I partition of audit.audit_log for values from (%L) to (%L)',
        v_name, v_month + make_interval(months => i), v_month + make_interval(months => i + 1));
      execute format('alter table audit.%I enable row level security', v_name);
      execute format('alter table audit.%I force row level security', v_name);
      v_made := v_made + 1;
    end if;
  end loop;

  for v_partition in
    select i.inhrelid from pg_inherits i where i.inhparent = 'audit.audit_log'::regclass
  loop
    if obj_description(v_partition, 'pg_class') is null then
      execute format(
        'comment on table %s is %L', v_partition,
        'Audit trail of one month; read it through audit.audit_log.');
    end if;
    -- What a column means is said once, at the parent, and copied.
    for v_policy in
      select a.attname, d.words
      from pg_attribute a
      join pg_attribute b on b.attrelid = v_partition and b.attname = a.attname
      cross join lateral (select col_description(a.attrelid, a.attnum)) d (words)
      where a.attrelid = 'audit.audit_log'::regclass
        and a.attnum > 0
        and not a.attisdropped
        and d.words is distinct from col_description(b.attrelid, b.attnum)
    loop
      execute format('comment on column %s.%I is %L', v_partition, v_policy.attname, v_policy.words);
    end loop;
    if not exists (select from pg_trigger t where t.tgrelid = v_partition and t.tgname = 'audit_log_20_no_truncate') then
      execute format(
        'create trigger audit_log_20_no_truncate before truncate on %s for each statement execute function audit.tg_refuse_change()',
        v_partition);
      execute format(
        'comment on trigger audit_log_20_no_truncate on %s is %L', v_partition, 'The trail is never truncated (CP001).');
    end if;
    -- Policies that the parent no longer has so, then those that are missing.
    for v_policy in
      select p.policyname
      from pg_policies p
      join pg_class c on c.oid = v_partition and c.relname = p.tablename and p.schemaname = 'audit'
      where not exists (
        select
        from pg_policies q
        where q.schemaname = 'audit'
          and q.tablename = 'audit_log'
          and (q.policyname, q.cmd, q.roles, q.qual, q.with_check)
              is not distinct from (p.policyname, p.cmd, p.roles, p.qual, p.with_check))
    loop
      execute format('drop policy %I on %s', v_policy.policyname, v_partition);
    end loop;
    for v_policy in
      select q.policyname, q.cmd, q.roles, q.qual, q.with_check,
             (select obj_description(o.oid, 'pg_policy')
              from pg_policy o
              where o.polrelid = 'audit.audit_log'::regclass and o.polname = q.policyname) as words
      from pg_policies q
      where q.schemaname = 'audit'
        and q.tablename = 'audit_log'
        and not exists (
          select from pg_policy o where o.polrelid = v_partition and o.polname = q.policyname)
    loop
      execute format(
        'create policy %I on %s for %s to %s%s%s',
        v_policy.policyname, v_partition, v_policy.cmd,
        (select string_agg(case r when 'public' then 'public' else quote_ident(r) end, ', ') from unnest(v_policy.roles) r),
        ' using (' || v_policy.qual || ')',
        ' with check (' || v_policy.with_check || ')');
      execute format('comment on policy %I on %s is %L', v_policy.policyname, v_partition, v_policy.words);
    end loop;
  end loop;
  return v_made;
end $$;
revoke all on function audit.ensure_partitions(integer) from public;
grant execute on function audit.ensure_partitions(integer) to crewpay_jobs;
comment on function audit.ensure_partitions(integer) is
  'Makes the monthly partitions of the trail from this month on, and gives all of them the parent''s policies.
Belongs to crewpay_owner, since only the owner can make partitions. p_months_ahead: how far. Returns how many it made.';
