-- What crew do with their notifications: read them, look up what they are about, choose how to be told.

create or replace function notify.mark_read(p_notification uuid default null)
returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_count integer;
begin
  perform auth.require_role('crew');
  -- The message in the application and its copies are one to the reader.
  update notify.notifications as n
  set read_at = greatest(now(), n.sent_at)
  from notify.notifications as chosen
  where chosen.enterprise_id = auth.enterprise_id()
    and chosen.crew_member_id = auth.uid()
    and (p_notification is null or chosen.id = p_notification)
    and n.enterprise_id = chosen.enterprise_id
    and n.crew_member_id = chosen.crew_member_id
    and (n.id = chosen.id or (n.event, n.event_key) = (chosen.event, chosen.event_key))
    and n.sent_at is not null
    and n.read_at is null;
  get diagnostics v_count = row_count;
  return v_count;
end $$;
alter function notify.mark_read(uuid) owner to crewpay_definer;
revoke all on function notify.mark_read(uuid) from public;
grant execute on function notify.mark_read(uuid) to crewpay_crew;
comment on function notify.mark_read(uuid) is
  'Marks the caller''s notification read, with its copies in other channels; returns how many rows were unread.
p_notification: one of one''s own (others'' are not found: 0), null for all. Errors: 42501.';

create or replace function notify.related_entity(p_notification uuid)
returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_type text;
  v_id uuid;
  v_entity jsonb;
begin
  select n.related_entity_type, n.related_entity_id
  into v_type, v_id
  from notify.notifications as n
  where n.enterprise_id = (select auth.enterprise_id())
    and n.id = p_notification;
  if v_id is not null then
    execute format('select to_jsonb(e) from %s as e where e.enterprise_id = $1 and e.id = $2', notify.entity_table(v_type))
      using auth.enterprise_id(), v_id into v_entity;
  end if;
  return v_entity;
end $$;
revoke all on function notify.related_entity(uuid) from public;
grant execute on function notify.related_entity(uuid) to crewpay_crew, crewpay_admin, crewpay_service;
comment on function notify.related_entity(uuid) is
  'The row that a notification is about, as far as the caller may see it; null when there is none.
p_notification: a notification the caller may see.';

-- Whose contacts and preferences: one's own as crew, anybody's of the enterprise as its administrator.
create or replace function notify.settable_crew(p_crew_member uuid)
returns uuid
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_crew_member uuid;
begin
  perform auth.require_role('crew', 'admin');
  select c.id into v_crew_member
  from crew.crew_members as c
  where c.enterprise_id = auth.enterprise_id()
    and c.id = coalesce(p_crew_member, auth.uid())
    and (auth.role() <> 'crew' or c.id = auth.uid());
  if v_crew_member is null then
    raise exception using
      errcode = 'CP214',
      message = 'no such crew member',
      hint = 'Crew set their own; administrators name a crew member of their enterprise.';
  end if;
  return v_crew_member;
end $$;
revoke all on function notify.settable_crew(uuid) from public;
grant execute on function notify.settable_crew(uuid) to crewpay_definer;
comment on function notify.settable_crew(uuid) is
  'The crew member whose contacts and preferences the caller may set. p_crew_member: null for oneself. Errors: CP214, 42501.';

create or replace function notify.set_contact(p_method notify.delivery_method, p_address text, p_crew_member uuid default null)
returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_crew_member uuid := notify.settable_crew(p_crew_member);
begin
  if p_address is null then
    delete from notify.contacts as c
    where c.enterprise_id = auth.enterprise_id() and c.crew_member_id = v_crew_member and c.delivery_method = p_method;
    return;
  end if;
  insert into notify.contacts as c (enterprise_id, crew_member_id, delivery_method, address)
  values (auth.enterprise_id(), v_crew_member, p_method, p_address)
  on conflict (enterprise_id, crew_member_id, delivery_method) do update
    set address = excluded.address;
exception when check_violation then
  raise exception using
    errcode = 'CP109',
    message = format('that is no address for %s', p_method),
    hint = 'EMAIL: name@example.org; SMS: +12125550123; APP_PUSH: the device token.';
end $$;
alter function notify.set_contact(notify.delivery_method, text, uuid) owner to crewpay_definer;
revoke all on function notify.set_contact(notify.delivery_method, text, uuid) from public;
grant execute on function notify.set_contact(notify.delivery_method, text, uuid) to crewpay_crew, crewpay_admin;
comment on function notify.set_contact(notify.delivery_method, text, uuid) is
  'Where somebody can be reached in a channel.
p_method: EMAIL, SMS or APP_PUSH; p_address: null to remove it; p_crew_member: oneself by default, others for administrators.
Errors: CP109 no address of that channel, CP214, 42501.';

create or replace function notify.set_preferences(
  p_methods notify.delivery_method[],
  p_muted notify.notification_type[] default '{}',
  p_quiet_from time default null,
  p_quiet_to time default null,
  p_crew_member uuid default null)
returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_crew_member uuid := notify.settable_crew(p_crew_member);
begin
  insert into notify.preferences as w (enterprise_id, crew_member_id, delivery_methods, muted_types, quiet_from, quiet_to)
  values (auth.enterprise_id(), v_crew_member, coalesce(p_methods, '{}'), coalesce(p_muted, '{}'), p_quiet_from, p_quiet_to)
  on conflict (enterprise_id, crew_member_id) do update
    set delivery_methods = excluded.delivery_methods,
        muted_types = excluded.muted_types,
        quiet_from = excluded.quiet_from,
        quiet_to = excluded.quiet_to;
exception when check_violation then
  raise exception using
    errcode = 'CP109',
    message = 'quiet hours have a beginning and an end that differ',
    hint = 'Write 22:00 and 07:00, or neither.';
end $$;
alter function notify.set_preferences(notify.delivery_method[], notify.notification_type[], time, time, uuid) owner to crewpay_definer;
revoke all on function notify.set_preferences(notify.delivery_method[], notify.notification_type[], time, time, uuid) from public;
grant execute on function notify.set_preferences(notify.delivery_method[], notify.notification_type[], time, time, uuid) to crewpay_crew, crewpay_admin;
comment on function notify.set_preferences(notify.delivery_method[], notify.notification_type[], time, time, uuid) is
  'How somebody wants to be told beside the application.
p_methods: channels; p_muted: types for the application only; p_quiet_from, p_quiet_to: quiet hours on the base''s clock;
p_crew_member: oneself by default, others for administrators. Errors: CP109, CP214, 42501.';
