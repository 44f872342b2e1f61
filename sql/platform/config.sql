-- Settings: rows of platform.system_configs, one active row per key and tenant; a tenant's row hides the global one.

-- The document's function. Row-level security decides which tenants' settings the caller may read.
create or replace function platform.get_config(config_key text, tenant uuid default null)
returns jsonb
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
begin atomic
  select c.value
  from platform.system_configs c
  where c.key = get_config.config_key
    and c.is_active
    and (c.tenant_id is null or c.tenant_id = coalesce(get_config.tenant, (select auth.enterprise_id())))
  order by c.tenant_id nulls last, c.version desc
  limit 1;
end;
revoke all on function platform.get_config(text, uuid) from public;
grant execute on function platform.get_config(text, uuid) to
  crewpay_definer, crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_sync, crewpay_jobs;
comment on function platform.get_config(text, uuid) is
  'Value of a setting: the tenant''s own, else the global one; null when there is none.
config_key: name; tenant: enterprise, the caller''s own by default (others'' settings are invisible).';

-- A setting is never edited: a new version replaces it, and the old row stays, inactive.
create or replace function platform.put_config(
  config_key text,
  config_value jsonb,
  value_type text default null,
  description text default null,
  category text default null,
  tenant uuid default null)
returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_tenant uuid := coalesce(tenant, auth.enterprise_id());
  v_old platform.system_configs;
  v_like platform.system_configs;
  v_type text;
  v_version integer;
begin
  -- Two at once: the second waits, and then sees what the first made of the setting.
  perform pg_advisory_xact_lock(hashtext('platform.put_config'), hashtext(concat_ws('/', v_tenant, config_key)));
  select c.*
  into v_old
  from platform.system_configs c
  where c.key = config_key
    and c.tenant_id is not distinct from v_tenant
    and c.is_active
  for update;
  v_like := v_old;
  if v_like.id is null then
    -- A tenant's first own value takes type, category and description of the global one.
    select c.*
    into v_like
    from platform.system_configs c
    where c.key = config_key
      and c.tenant_id is null
      and c.is_active;
  end if;
  v_type := coalesce(put_config.value_type, v_like.value_type, case jsonb_typeof(config_value)
    when 'object' then 'json'
    when 'null' then 'json'
    else jsonb_typeof(config_value)
  end);
  if v_type <> 'json' and jsonb_typeof(config_value) is distinct from v_type then
    raise exception using
      errcode = 'CP109',
      message = format('setting %s takes a %s, not a %s', config_key, v_type, coalesce(jsonb_typeof(config_value), 'null')),
      hint = 'Give a JSON value of the setting''s type, e.g. 70, "text", true or [1, 2].';
  end if;
  select coalesce(max(c.version), 0) + 1
  into v_version
  from platform.system_configs c
  where c.key = config_key
    and c.tenant_id is not distinct from v_tenant;
  update platform.system_configs c
  set is_active = false
  where c.id = v_old.id;
  insert into platform.system_configs (
    key, value, value_type, description, category, requires_restart, tenant_id, version, created_by)
  values (
    config_key, config_value, v_type,
    coalesce(put_config.description, v_like.description),
    coalesce(put_config.category, v_like.category, 'business'),
    coalesce(v_like.requires_restart, false),
    v_tenant, v_version,
    (select u.id from platform.users u where u.enterprise_id = v_tenant and u.id = auth.uid()));
  return v_version;
end $$;
revoke all on function platform.put_config(text, jsonb, text, text, text, uuid) from public;
grant execute on function platform.put_config(text, jsonb, text, text, text, uuid) to crewpay_admin;
comment on function platform.put_config(text, jsonb, text, text, text, uuid) is
  'Sets a setting and returns its new version; the replaced row stays, inactive.
config_key: name; config_value: JSON of the setting''s type; value_type, description, category: for a new setting, else as they were;
tenant: enterprise, the caller''s own by default. Global settings are set by operators (no tenant of their own).
Errors: CP109 wrong type; 42501 another tenant''s setting.';

-- Listeners get names only, never values: every login may listen, so they read the value under their own rights.
create or replace function platform.notify_config_change()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pg_notify('config_change', json_build_object(
    'key', new.key,
    'tenant_id', new.tenant_id,
    'version', new.version,
    'requires_restart', new.requires_restart)::text);
  return new;
end $$;
revoke all on function platform.notify_config_change() from public;
comment on function platform.notify_config_change() is
  'Trigger: tells listeners of channel config_change which setting changed (key, tenant_id, version, requires_restart).';

create or replace trigger config_change_notify
  after insert or update on platform.system_configs
  for each row execute function platform.notify_config_change();
comment on trigger config_change_notify on platform.system_configs is 'Tells listeners that a setting changed.';
