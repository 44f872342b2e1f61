-- Telling crew: one message in the application, and one for each channel that the crew member chose, by way of an outbox.

create or replace function notify.entity_table(p_type text)
returns text
language sql immutable parallel safe
return case p_type
  when 'discrepancy' then 'review.discrepancies'
  when 'claim' then 'review.claims'
  when 'pay_period' then 'pay.pay_periods'
  when 'pay_run' then 'pay.pay_runs'
  when 'flight' then 'crew.flights'
  when 'adjustment' then 'pay.adjustments'
end;
revoke all on function notify.entity_table(text) from public;
grant execute on function notify.entity_table(text) to crewpay_definer, crewpay_crew, crewpay_admin, crewpay_service;
comment on function notify.entity_table(text) is
  'Table of what a notification is about; null for unknown types. p_type: related_entity_type.';

create or replace function notify.fill(p_template text, p_values jsonb, p_zone text)
returns text
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_text text := '';
  v_piece text[];
  v_value text;
begin
  -- Piece by piece: a value that holds braces is not filled in again.
  for v_piece in select regexp_matches(p_template || '{}', '([^{]*)\{(\w*)\}', 'g') loop
    v_value := p_values ->> v_piece[2];
    if v_piece[2] <> '' and v_value is null then
      raise exception using
        errcode = 'CP340',
        message = format('the text needs a value for %s', v_piece[2]),
        hint = 'Give all values that the template names.';
    end if;
    v_text := v_text || v_piece[1] || coalesce(
      case when v_piece[2] like '%\_at' then to_char(v_value::timestamptz at time zone p_zone, 'YYYY-MM-DD HH24:MI') else v_value end, '');
  end loop;
  return v_text;
end $$;
revoke all on function notify.fill(text, jsonb, text) from public;
grant execute on function notify.fill(text, jsonb, text) to crewpay_definer;
comment on function notify.fill(text, jsonb, text) is
  'A text with its {names} filled in; names that end in _at are moments and are written on the zone''s clock.
p_template: text; p_values: {"name": value}; p_zone: IANA zone. Errors: CP340 a value is missing.';

create or replace function notify.after_quiet_hours(p_at timestamptz, p_zone text, p_from time, p_to time)
returns timestamptz
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select case
    when p_from is null then p_at
    when p_from < p_to and l.clock >= p_from and l.clock < p_to then (l.day + p_to) at time zone p_zone
    when p_from > p_to and l.clock >= p_from then (l.day + 1 + p_to) at time zone p_zone
    when p_from > p_to and l.clock < p_to then (l.day + p_to) at time zone p_zone
    else p_at
  end
  from (select (p_at at time zone p_zone)::date, (p_at at time zone p_zone)::time) as l (day, clock)
$$;
revoke all on function notify.after_quiet_hours(timestamptz, text, time, time) from public;
grant execute on function notify.after_quiet_hours(timestamptz, text, time, time) to crewpay_definer;
comment on function notify.after_quiet_hours(timestamptz, text, time, time) is
  'p_at, or the end of the quiet hours that it falls into.
p_at: moment; p_zone: zone of the base; p_from, p_to: quiet hours on its clock (may span midnight), null for none.';

create or replace function notify.post(
  p_crew_member uuid,
  p_type notify.notification_type,
  p_event text,
  p_values jsonb,
  p_entity_type text default null,
  p_entity uuid default null,
  p_event_key text default null)
returns uuid
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_template notify.templates;
  v_zone text;
  v_wanted notify.preferences;
  v_known boolean;
  v_told notify.notifications;
begin
  select t.* into v_template from notify.templates as t where t.notification_type = p_type and t.event = p_event;
  if v_template.event is null then
    raise exception using
      errcode = 'CP341',
      message = format('no text for %s %s', p_type, p_event),
      hint = 'Events and their texts: notify.templates.';
  end if;
  if p_entity_type is not null then
    if notify.entity_table(p_entity_type) is not null then
      execute format('select exists (select from %s where enterprise_id = $1 and id = $2)', notify.entity_table(p_entity_type))
        using auth.enterprise_id(), p_entity into v_known;
    end if;
    if v_known is not true then
      raise exception using
        errcode = 'CP342',
        message = format('there is no %s %s', p_entity_type, p_entity),
        hint = 'A notification is about something that can be looked up: see notify.entity_table().';
    end if;
  end if;
  select a.time_zone into v_zone
  from crew.crew_members as c
  join crew.airports as a on a.iata = c.base_location
  where c.enterprise_id = auth.enterprise_id() and c.id = p_crew_member;
  if v_zone is null then
    raise exception using
      errcode = 'CP214',
      message = format('no crew member %s', p_crew_member),
      hint = 'Check the key, and that it belongs to your enterprise.';
  end if;
  select w.* into v_wanted from notify.preferences as w where w.enterprise_id = auth.enterprise_id() and w.crew_member_id = p_crew_member;

  insert into notify.notifications as n (
    enterprise_id, crew_member_id, notification_type, title, message, related_entity_type, related_entity_id, sent_at, event, event_key)
  values (
    auth.enterprise_id(), p_crew_member, p_type,
    left(notify.fill(v_template.title, p_values, v_zone), 255), notify.fill(v_template.message, p_values, v_zone),
    p_entity_type, p_entity, now(), p_event, p_event_key)
  on conflict (enterprise_id, crew_member_id, event, event_key, delivery_method) where event_key is not null do nothing
  returning n.* into v_told;
  if v_told.id is null or p_type = any (v_wanted.muted_types) then
    return v_told.id;
  end if;

  with copies as (
    insert into notify.notifications as n (
      enterprise_id, crew_member_id, notification_type, title, message, related_entity_type, related_entity_id, delivery_method, event, event_key)
    select v_told.enterprise_id, v_told.crew_member_id, v_told.notification_type, v_told.title, v_told.message,
      v_told.related_entity_type, v_told.related_entity_id, c.delivery_method, v_told.event, v_told.event_key
    from notify.contacts as c
    where c.enterprise_id = v_told.enterprise_id
      and c.crew_member_id = v_told.crew_member_id
      and c.delivery_method = any (coalesce(v_wanted.delivery_methods, '{EMAIL}'))
    returning n.enterprise_id, n.id, n.delivery_method
  )
  insert into notify.deliveries (enterprise_id, notification_id, delivery_method, due_at)
  select c.enterprise_id, c.id, c.delivery_method,
    notify.after_quiet_hours(now(), v_zone, v_wanted.quiet_from, v_wanted.quiet_to)
  from copies as c;
  return v_told.id;
end $$;
revoke all on function notify.post(uuid, notify.notification_type, text, jsonb, text, uuid, text) from public;
grant execute on function notify.post(uuid, notify.notification_type, text, jsonb, text, uuid, text) to crewpay_definer;
comment on function notify.post(uuid, notify.notification_type, text, jsonb, text, uuid, text) is
  'Tells a crew member something: at once in the application, and by the channels they chose, after their quiet hours. Returns the
notification; null when the same event was told already. Called by functions only.
p_crew_member: whom; p_type, p_event: which text of notify.templates; p_values: {"name": value} for it;
p_entity_type, p_entity: what it is about, see notify.entity_table(); p_event_key: the event''s own key, null: may be told again.
Errors: CP214 no such crew member, CP340 a value is missing, CP341 no such text, CP342 nothing to look up.';

create or replace function notify.announce(p_title text, p_message text, p_base text default null)
returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_count integer;
begin
  perform auth.require_role('admin', 'payroll');
  if coalesce(btrim(p_title), '') = '' or coalesce(btrim(p_message), '') = '' or length(p_title) > 255 or length(p_message) > 4000 then
    raise exception using
      errcode = 'CP109',
      message = 'an announcement has a title of up to 255 characters and a message of up to 4,000',
      hint = 'Shorten it, or say more.';
  end if;
  select count(notify.post(c.id, 'SYSTEM', 'announcement', jsonb_build_object('title', p_title, 'message', p_message)))
  into v_count
  from crew.crew_members as c
  where c.enterprise_id = auth.enterprise_id()
    and (c.termination_date is null or c.termination_date >= current_date)
    and (p_base is null or c.base_location = p_base);
  return v_count;
end $$;
alter function notify.announce(text, text, text) owner to crewpay_definer;
revoke all on function notify.announce(text, text, text) from public;
grant execute on function notify.announce(text, text, text) to crewpay_admin, crewpay_payroll;
comment on function notify.announce(text, text, text) is
  'Tells all crew of the enterprise, or of a base, something; returns how many.
p_title, p_message: plain text; p_base: IATA code, null for all. Errors: CP109, 42501.';

create or replace function notify.tg_wake()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  -- Every login may listen: nothing but that there is work.
  perform pg_notify('notify_deliveries', '');
  return null;
end $$;
revoke all on function notify.tg_wake() from public;
comment on function notify.tg_wake() is 'Trigger: wakes who delivers (channel notify_deliveries, no payload).';

create or replace trigger deliveries_50_wake
  after insert on notify.deliveries
  for each statement execute function notify.tg_wake();
comment on trigger deliveries_50_wake on notify.deliveries is 'Wakes who delivers.';
