-- Capture of changes: for every audited table a trigger function is generated from its columns. It runs once per statement
-- over the transition tables and stores changed columns only (measured: about the time of row triggers that store whole rows, in less room).
--
-- Who: session_user, behind a pool with the person of the token. What kind: from auth.role(). Why: app.reason. What the client merely claims (app.current_user_id,
-- app.current_ip, app.request_id, application_name) is stored as claims; the address is the one the server sees.

-- Keys of audited rows are for ever: history is found by key, and capture joins before and after by it.
create or replace function audit.tg_refuse_key_change()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using
    errcode = 'CP002',
    message = format('the primary key of %I.%I can''t be changed', tg_table_schema, tg_table_name),
    hint = 'Make a new row, and retire the old one.',
    schema = tg_table_schema,
    table = tg_table_name;
end $$;
revoke all on function audit.tg_refuse_key_change() from public;
comment on function audit.tg_refuse_key_change() is
  'Trigger: the primary key of an audited row never changes.
Errors: CP002.';

-- What every entry of one statement shares.
create or replace function audit.actor_type()
returns audit.actor_type
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return case auth.role()
    when 'crew' then 'CREW'
    when 'admin' then 'ADMIN'
    when 'payroll' then 'ADMIN'
    when 'bi' then 'ADMIN'
    when 'service_role' then 'AI_AGENT'
    else 'SYSTEM'
  end::audit.actor_type;
end $$;
revoke all on function audit.actor_type() from public;
grant execute on function audit.actor_type() to crewpay_definer;
comment on function audit.actor_type() is 'Kind of actor behind this session, as the trail records it.';

-- Behind a pool's login are many people: the verified token says which. (63 + 1 + 36 characters fit.)
create or replace function audit.actor()
returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if nullif(current_setting('app.context', true), '') is null then
    return session_user;
  end if;
  return concat_ws('/', session_user, auth.uid());
end $$;
revoke all on function audit.actor() from public;
grant execute on function audit.actor() to crewpay_definer;
comment on function audit.actor() is 'Who acts in this session, as the trail records it: the login; behind a pool also the crew member or user of the token.';

create or replace function audit.claimed()
returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
return nullif(
  jsonb_strip_nulls(jsonb_build_object(
    'user_id', nullif(current_setting('app.current_user_id', true), ''),
    'ip', nullif(current_setting('app.current_ip', true), ''))),
  '{}');
revoke all on function audit.claimed() from public;
grant execute on function audit.claimed() to crewpay_definer;
comment on function audit.claimed() is 'What the client claims about user and address; anyone can set it, so it proves nothing.';

create or replace function audit.attach(
  p_table regclass,
  p_skip text[] default '{}',
  p_summary_by name default null,
  p_update_action text default $sql$'UPDATED'$sql$)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $attach$
declare
  v_schema name;
  v_table name;
  v_entity text;
  v_key name[];
  v_own_key name[];
  v_tenant name;
  v_entity_id text;
  v_entity_key text;
  v_join text;
  v_row text := '';
  v_row_json text := '';
  v_diff text := '';
  v_per_row text := '';
  v_summary text := '';
  v_column record;
  v_function text;
  v_into text := 'insert into audit.audit_log (enterprise_id, entity_type, entity_id, entity_key, action, actor_id, actor_type,'
    ' changes, reason, ip_address, user_agent, request_id, claimed)';
  v_who text := 'v_reason, v_address, v_agent, v_request, v_claimed';
begin
  select n.nspname, c.relname
  into v_schema, v_table
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where c.oid = p_table;
  v_entity := v_schema || '.' || v_table;
  v_function := format('audit.%I', 'capture_' || v_schema || '_' || v_table);

  select array_agg(a.attname order by k.ordinality)
  into v_key
  from pg_index i
  cross join unnest(i.indkey::smallint[]) with ordinality k (attnum, ordinality)
  join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
  where i.indrelid = p_table
    and i.indisprimary;
  if v_key is null then
    raise exception using
      errcode = '42P16',
      message = format('%s has no primary key', v_entity),
      hint = 'An audited table needs one: history is found by key.';
  end if;

  select a.attname
  into v_tenant
  from pg_attribute a
  where a.attrelid = p_table
    and a.attname in ('enterprise_id', 'tenant_id')
    and not a.attisdropped;
  if p_table = 'platform.enterprises'::regclass then
    v_tenant := 'id';
    v_own_key := v_key;
  else
    v_own_key := array_remove(v_key, v_tenant);
    if v_own_key = '{}' then
      v_own_key := v_key;
    end if;
  end if;
  v_entity_key := case cardinality(v_own_key)
    when 1 then format('%%1$s.%I::text', v_own_key[1])
    else 'concat_ws(''/'', ' || (select string_agg(format('%%1$s.%I', k), ', ' order by o) from unnest(v_own_key) with ordinality u (k, o)) || ')'
  end;
  v_entity_id := 'null::uuid';
  if cardinality(v_own_key) = 1 and exists (
    select from pg_attribute a where a.attrelid = p_table and a.attname = v_own_key[1] and a.atttypid = 'uuid'::regtype)
  then
    v_entity_id := format('%%1$s.%I', v_own_key[1]);
  end if;
  select string_agg(format('n.%1$I = o.%1$I', k), ' and ' order by o)
  into v_join
  from unnest(v_key) with ordinality u (k, o);

  for v_column in
    select a.attname, a.atttypid in ('jsonb'::regtype, 'json'::regtype) as is_json
    from pg_attribute a
    where a.attrelid = p_table
      and a.attnum > 0
      and not a.attisdropped
      and a.attgenerated = ''
      and a.attname <> all (p_skip || array['created_at', 'updated_at'])
      and a.attname is distinct from v_tenant
      and a.attname <> all (v_key)
    order by a.attnum
  loop
    if v_column.is_json then
      -- Separately: stripping nulls would reach into the value.
      v_row_json := v_row_json || format(
        E'\n      || case when r.%1$I is null or r.%1$I::text = ''{}'' then ''{}'' else jsonb_build_object(%1$L, r.%1$I) end', v_column.attname);
      v_diff := v_diff || format(
        E'\n        || case when n.%1$I::text is distinct from o.%1$I::text then jsonb_build_object(%1$L, jsonb_build_array(o.%1$I, n.%1$I)) else ''{}'' end',
        v_column.attname);
    else
      v_row := v_row || case when v_row <> '' then ',' else '' end || format(
        E'\n        %1$L, r.%1$I', v_column.attname);
      v_diff := v_diff || format(
        E'\n        || case when n.%1$I is distinct from o.%1$I then jsonb_build_object(%1$L, jsonb_build_array(o.%1$I, n.%1$I)) else ''{}'' end',
        v_column.attname);
    end if;
  end loop;

  if p_summary_by is null then
    v_per_row := format($f$
  elsif tg_op = 'INSERT' then
    %1$s
    select %2$s, %3$L, %4$s, %5$s, 'CREATED', v_actor, v_type,
      jsonb_strip_nulls(jsonb_build_object(%6$s))%7$s,
      %8$s
    from new_rows r;
  else
    %1$s
    select %2$s, %3$L, %4$s, %5$s, 'DELETED', v_actor, v_type,
      jsonb_strip_nulls(jsonb_build_object(%6$s))%7$s,
      %8$s
    from old_rows r;$f$,
      v_into, coalesce('r.' || quote_ident(v_tenant), 'null::uuid'), v_entity,
      format(v_entity_id, 'r'), format(v_entity_key, 'r'), v_row, v_row_json, v_who);
  else
    v_summary := format($f$
    %1$s
    select n.%2$I, %3$L, n.%4$I, n.%4$I::text, 'UPDATED', v_actor, v_type, jsonb_build_object('rows', count(*)),
      %5$s
    from new_rows n
    join old_rows o on %6$s
    where n.%4$I is distinct from o.%4$I
    group by n.%2$I, n.%4$I;$f$,
      v_into, v_tenant, v_entity, p_summary_by, v_who, v_join);
    v_per_row := format($f$
  elsif tg_op = 'INSERT' then
    %1$s
    select r.%2$I, %3$L, r.%4$I, r.%4$I::text, 'CREATED', v_actor, v_type, jsonb_build_object('rows', count(*)),
      %5$s
    from new_rows r
    group by r.%2$I, r.%4$I;
  else
    %1$s
    select r.%2$I, %3$L, r.%4$I, r.%4$I::text, 'DELETED', v_actor, v_type, jsonb_build_object('rows', count(*)),
      %5$s
    from old_rows r
    group by r.%2$I, r.%4$I;$f$,
      v_into, v_tenant, v_entity, p_summary_by, v_who);
  end if;

  execute format($f$
create or replace function %1$s()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO'
set enable_nestloop = off
as $body$
-- Generated by audit.attach() from the columns of %2$s.
declare
  v_actor text := audit.actor();
  v_type audit.actor_type := audit.actor_type();
  v_reason text := nullif(current_setting('app.reason', true), '');
  v_address text := host(inet_client_addr());
  v_agent text := nullif(current_setting('application_name', true), '');
  v_request text := nullif(current_setting('app.request_id', true), '');
  v_claimed jsonb := audit.claimed();
begin
  if tg_op = 'UPDATE' then%3$s
    %4$s
    select %5$s, %6$L, %7$s, %8$s, %9$s, v_actor, v_type, d.changes,
      %10$s
    from old_rows o
    join new_rows n on %11$s
    cross join lateral (
      select
        %12$s as changes
      offset 0
    ) d
    where d.changes <> '{}'%13$s;%14$s
  end if;
  return null;
end $body$
$f$,
    v_function, v_entity, v_summary, v_into, coalesce('n.' || quote_ident(v_tenant), 'null::uuid'), v_entity,
    format(v_entity_id, 'n'), format(v_entity_key, 'n'), p_update_action, v_who, v_join, coalesce(nullif(ltrim(v_diff, E'\n |'), ''), '''{}''::jsonb'),
    case when p_summary_by is not null then format(E'\n      and n.%1$I is not distinct from o.%1$I', p_summary_by) else '' end,
    v_per_row);
  execute format('alter function %s() owner to crewpay_definer', v_function);
  execute format('revoke all on function %s() from public', v_function);
  execute format(
    'comment on function %s() is %L', v_function,
    format('Trigger: records changes of %s in the audit trail. Generated by audit.attach().', v_entity));

  execute format(
    'create or replace trigger %I after insert on %s referencing new table as new_rows for each statement execute function %s()',
    v_table || '_90_audit_insert', p_table, v_function);
  execute format(
    'create or replace trigger %I after update on %s referencing old table as old_rows new table as new_rows'
    ' for each statement execute function %s()',
    v_table || '_90_audit_update', p_table, v_function);
  execute format(
    'create or replace trigger %I after delete on %s referencing old table as old_rows for each statement execute function %s()',
    v_table || '_90_audit_delete', p_table, v_function);
  execute format(
    'create or replace trigger %I before update of %s on %s for each row when (%s) execute function audit.tg_refuse_key_change()',
    v_table || '_05_key',
    (select string_agg(quote_ident(k), ', ' order by o) from unnest(v_key) with ordinality u (k, o)),
    p_table,
    (select string_agg(format('old.%1$I is distinct from new.%1$I', k), ' or ' order by o) from unnest(v_key) with ordinality u (k, o)));
  execute format('comment on trigger %I on %s is %L', v_table || '_90_audit_insert', p_table, 'Records new rows in the audit trail.');
  execute format('comment on trigger %I on %s is %L', v_table || '_90_audit_update', p_table, 'Records changed columns in the audit trail.');
  execute format('comment on trigger %I on %s is %L', v_table || '_90_audit_delete', p_table, 'Records deleted rows in the audit trail.');
  execute format('comment on trigger %I on %s is %L', v_table || '_05_key', p_table, 'The primary key never changes (CP002).');
end $attach$;
revoke all on function audit.attach(regclass, text[], name, text) from public;
comment on function audit.attach(regclass, text[], name, text) is
  'Has all changes of a table recorded in the audit trail; run again after its columns change (owner only, idempotent).
p_table: table; p_skip: columns that are not recorded; p_summary_by: uuid column (a pay run) whose rows are recorded as one entry per value
when they are inserted, deleted or given another value; p_update_action: SQL expression over rows o (before) and n (after) naming the action.
Errors: 42P16 without primary key.';
