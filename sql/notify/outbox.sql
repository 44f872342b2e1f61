-- The outbox, as who delivers sees it: take some, send them, say what became of each. At least once: the receiver tells repeats by
-- the notification's id.
--
--   WAITING ──claim──▶ SENDING ──sent──▶ SENT
--      ▲                  │ ├──refused for good, or too many tries──▶ FAILED
--      └──failed, later───┘ └──the worker died: due again when its claim ends

create or replace function notify.claim_deliveries(p_limit integer default 50)
returns table (notification_id uuid, delivery_method notify.delivery_method, address text, title text, message text, attempt integer)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform auth.require_role('jobs');
  return query
  with due as (
    select d.notification_id
    from notify.deliveries as d
    where d.enterprise_id = auth.enterprise_id()
      and d.state in ('WAITING', 'SENDING')
      and d.due_at <= now()
      and (d.claimed_until is null or d.claimed_until < now())
    order by d.due_at
    limit p_limit
    for update skip locked
  ),
  claimed as (
    update notify.deliveries as d
    set state = 'SENDING',
        attempts = d.attempts + 1,
        claimed_until = now() + interval '5 minutes'
    from due
    where d.enterprise_id = auth.enterprise_id()
      and d.notification_id = due.notification_id
    returning d.notification_id, d.delivery_method, d.attempts
  )
  select c.notification_id, c.delivery_method, a.address, n.title::text, n.message, c.attempts
  from claimed as c
  join notify.notifications as n on n.enterprise_id = auth.enterprise_id() and n.id = c.notification_id
  left join notify.contacts as a on a.enterprise_id = n.enterprise_id
    and a.crew_member_id = n.crew_member_id
    and a.delivery_method = c.delivery_method;
end $$;
alter function notify.claim_deliveries(integer) owner to crewpay_definer;
revoke all on function notify.claim_deliveries(integer) from public;
grant execute on function notify.claim_deliveries(integer) to crewpay_jobs;
comment on function notify.claim_deliveries(integer) is
  'Takes deliveries that are due, for five minutes; address is null where the crew member removed it meanwhile.
p_limit: how many. For the enterprise selected. Errors: 42501.';

create or replace function notify.finish_delivery(p_notification uuid, p_sent boolean, p_answer text, p_for_good boolean default false)
returns notify.delivery_state
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_delivery notify.deliveries;
  v_most integer := coalesce((platform.get_config('notify.max_attempts') #>> '{}')::integer, 8);
begin
  perform auth.require_role('jobs');
  update notify.deliveries as d
  set state = case
        when p_sent then 'SENT'
        when p_for_good or d.attempts >= v_most then 'FAILED'
        else 'WAITING' end::notify.delivery_state,
      claimed_until = null,
      -- 1, 2, 4, … minutes, six hours at most.
      due_at = now() + least(interval '1 minute' * power(2, d.attempts - 1), interval '6 hours'),
      last_error = case when not p_sent then left(p_answer, 500) end,
      receipt = case when p_sent then left(p_answer, 500) end,
      finished_at = case when p_sent or p_for_good or d.attempts >= v_most then now() end
  where d.enterprise_id = auth.enterprise_id()
    and d.notification_id = p_notification
    and d.state = 'SENDING'
  returning d.* into v_delivery;
  if v_delivery.state = 'SENT' then
    update notify.notifications as n
    set sent_at = now()
    where n.enterprise_id = v_delivery.enterprise_id and n.id = p_notification;
    perform ops.clear_alert(format('notify:%s:failing', v_delivery.delivery_method));
  elsif v_delivery.attempts >= v_most then
    perform ops.raise_alert(format('notify:%s:failing', v_delivery.delivery_method), 'HIGH',
      format('%s could not be delivered in %s tries', v_delivery.delivery_method, v_delivery.attempts),
      jsonb_build_object('last_error', v_delivery.last_error));
  end if;
  return v_delivery.state;
end $$;
alter function notify.finish_delivery(uuid, boolean, text, boolean) owner to crewpay_definer;
revoke all on function notify.finish_delivery(uuid, boolean, text, boolean) from public;
grant execute on function notify.finish_delivery(uuid, boolean, text, boolean) to crewpay_jobs;
comment on function notify.finish_delivery(uuid, boolean, text, boolean) is
  'Says what became of a claimed delivery; returns its state, null when it was no longer claimed.
p_notification: from notify.claim_deliveries(); p_sent: delivered; p_answer: receipt, or what went wrong; p_for_good: trying again is no use.
Tries end after the setting notify.max_attempts (8), with the alert notify:METHOD:failing. Errors: 42501.';

create or replace function notify.expire_deliveries(p_after interval default '3 days', p_keep interval default '90 days')
returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_expired integer;
begin
  perform auth.require_role('jobs');
  update notify.deliveries as d
  set state = 'FAILED',
      claimed_until = null,
      last_error = coalesce(d.last_error, 'not sent in time'),
      finished_at = now()
  where d.enterprise_id = auth.enterprise_id()
    and d.state in ('WAITING', 'SENDING')
    and d.created_at < now() - p_after;
  get diagnostics v_expired = row_count;
  delete from notify.deliveries as d
  where d.enterprise_id = auth.enterprise_id()
    and d.finished_at < now() - p_keep;
  return v_expired;
end $$;
alter function notify.expire_deliveries(interval, interval) owner to crewpay_definer;
revoke all on function notify.expire_deliveries(interval, interval) from public;
grant execute on function notify.expire_deliveries(interval, interval) to crewpay_jobs;
comment on function notify.expire_deliveries(interval, interval) is
  'Gives up what has waited too long (nobody is helped by old news), and empties the outbox of what is long done; returns how many were given up.
p_after: longest wait; p_keep: how long finished deliveries stay. For the enterprise selected. Errors: 42501.';
