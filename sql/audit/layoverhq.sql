-- The trail in the shape of the LayoverHQ document: whole operations with old and new values.

create or replace view audit.audit_log_layoverhq
with (security_invoker = true, security_barrier = true)
as
select
  l.id,
  l.entity_type as table_name,
  case l.action when 'CREATED' then 'INSERT' when 'DELETED' then 'DELETE' else 'UPDATE' end as operation,
  l.entity_id as row_id,
  case l.action
    when 'CREATED' then null
    when 'DELETED' then l.changes
    else (select jsonb_object_agg(c.key, c.value -> 0) from jsonb_each(l.changes) c where jsonb_typeof(c.value) = 'array')
  end as old_values,
  case l.action
    when 'CREATED' then l.changes
    when 'DELETED' then null
    else (select jsonb_object_agg(c.key, c.value -> 1) from jsonb_each(l.changes) c where jsonb_typeof(c.value) = 'array')
  end as new_values,
  coalesce(
    substring(l.actor_id from '/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$')::uuid,  -- behind a pool
    (
      select coalesce(p.user_id, p.crew_member_id)
      from auth.principals p
      where p.login = l.actor_id::name
        and p.enterprise_id = l.enterprise_id
    )) as user_id,
  l.enterprise_id,
  l.ip_address::inet as ip_address,
  l.user_agent,
  l.created_at as "timestamp"
from audit.audit_log l;
comment on view audit.audit_log_layoverhq is 'The trail as the LayoverHQ document shapes it: operation, old and new values of what changed.';
comment on column audit.audit_log_layoverhq.id is 'Entry.';
comment on column audit.audit_log_layoverhq.table_name is 'Table, with schema.';
comment on column audit.audit_log_layoverhq.operation is 'INSERT, UPDATE or DELETE.';
comment on column audit.audit_log_layoverhq.row_id is 'Key of the row where it is one uuid.';
comment on column audit.audit_log_layoverhq.old_values is 'Values before, of the columns that changed.';
comment on column audit.audit_log_layoverhq.new_values is 'Values after, of the columns that changed.';
comment on column audit.audit_log_layoverhq.user_id is 'User or crew member behind the login; null for services and operators.';
comment on column audit.audit_log_layoverhq.enterprise_id is 'Tenant.';
comment on column audit.audit_log_layoverhq.ip_address is 'Address of the connection as the server sees it.';
comment on column audit.audit_log_layoverhq.user_agent is 'The client''s own words.';
comment on column audit.audit_log_layoverhq."timestamp" is 'When.';
grant select on audit.audit_log_layoverhq to crewpay_admin;

-- Where the LayoverHQ document's queries find it: with its schemas first in the search path, audit_log is this.
create or replace view platform.audit_log
with (security_invoker = true, security_barrier = true)
as
select l.id, l.table_name, l.operation, l.row_id, l.old_values, l.new_values, l.user_id, l.enterprise_id, l.ip_address,
       l.user_agent, l."timestamp"
from audit.audit_log_layoverhq l;
comment on view platform.audit_log is
  'The trail under the LayoverHQ document''s name and columns: found first with platform before audit in search_path.';
comment on column platform.audit_log.id is 'Entry.';
comment on column platform.audit_log.table_name is 'Table, with schema.';
comment on column platform.audit_log.operation is 'INSERT, UPDATE or DELETE.';
comment on column platform.audit_log.row_id is 'Key of the row where it is one uuid.';
comment on column platform.audit_log.old_values is 'Values before, of the columns that changed.';
comment on column platform.audit_log.new_values is 'Values after, of the columns that changed.';
comment on column platform.audit_log.user_id is 'User or crew member behind the login; null for services and operators.';
comment on column platform.audit_log.enterprise_id is 'Tenant.';
comment on column platform.audit_log.ip_address is 'Address of the connection as the server sees it.';
comment on column platform.audit_log.user_agent is 'The client''s own words.';
comment on column platform.audit_log."timestamp" is 'When.';
grant select on platform.audit_log to crewpay_admin;
