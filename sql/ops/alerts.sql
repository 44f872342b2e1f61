-- Alerts: one open row per key and enterprise. Raising again refreshes it, clearing closes it.

create or replace function ops.raise_alert(
  p_key text,
  p_severity review.severity,
  p_message text,
  p_detail jsonb default '{}')
returns uuid
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_id uuid;
begin
  perform auth.require_role('admin', 'payroll', 'service_role', 'sync', 'jobs');
  insert into ops.alerts as a (enterprise_id, alert_key, severity, message, detail)
  values (auth.enterprise_id(), p_key, p_severity, p_message, p_detail)
  on conflict (enterprise_id, alert_key) where state <> 'CLEARED' do update
    set severity = excluded.severity,
        message = excluded.message,
        detail = excluded.detail
  returning a.id into v_id;
  return v_id;
end $$;
alter function ops.raise_alert(text, review.severity, text, jsonb) owner to crewpay_definer;
revoke all on function ops.raise_alert(text, review.severity, text, jsonb) from public;
grant execute on function ops.raise_alert(text, review.severity, text, jsonb) to
  crewpay_admin, crewpay_payroll, crewpay_service, crewpay_sync, crewpay_jobs;
comment on function ops.raise_alert(text, review.severity, text, jsonb) is
  'Raises an alert about the caller''s enterprise, or about the installation when none is selected; an open one is refreshed.
p_key: what is wrong; p_severity: how bad; p_message: in words; p_detail: figures. Returns the alert.
Errors: 42501.';

create or replace function ops.clear_alert(p_key text)
returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform auth.require_role('admin', 'payroll', 'service_role', 'sync', 'jobs');
  update ops.alerts a
  set state = 'CLEARED',
      cleared_at = now()
  where a.alert_key = p_key
    and a.enterprise_id is not distinct from auth.enterprise_id()
    and a.state <> 'CLEARED';
  return found;
end $$;
alter function ops.clear_alert(text) owner to crewpay_definer;
revoke all on function ops.clear_alert(text) from public;
grant execute on function ops.clear_alert(text) to
  crewpay_admin, crewpay_payroll, crewpay_service, crewpay_sync, crewpay_jobs;
comment on function ops.clear_alert(text) is
  'Clears the open alert with this key of the caller''s enterprise, or of the installation when none is selected; false when there is none.
p_key: what was wrong.
Errors: 42501.';
