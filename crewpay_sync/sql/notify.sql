-- name: enterprises
select e from auth.enterprises() as e order by e;

-- name: select_enterprise
select set_config('app.current_enterprise_id', %s, false);

-- name: claim
select notification_id, delivery_method::text as delivery_method, address, title, message, attempt from notify.claim_deliveries(%s);

-- name: finish
select notify.finish_delivery(%s, %s, %s, %s)::text;

-- name: listen
listen notify_deliveries;

-- name: status
-- What waits and what went out, by channel and state. For operators: all enterprises.
select e.slug as enterprise, d.delivery_method::text as channel, d.state::text as state, count(*)::integer as messages,
  min(d.due_at) filter (where d.state = 'WAITING') as next_due, (array_agg(d.last_error order by d.created_at desc) filter (where d.last_error is not null))[1] as last_error
from notify.deliveries as d
join platform.enterprises as e on e.id = d.enterprise_id
group by 1, 2, 3
order by 1, 2, 3;
