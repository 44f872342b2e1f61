-- name: history
select h.happened_at, null as about, h.action, h.actor, h.actor_name, h.actor_type, h.reason, h.changes, h.request_id, h.ip_address,
  h.user_agent, h.claimed, h.transaction_id::text as transaction_id
from audit.history(%(table)s, %(id)s) as h;

-- name: story
select h.happened_at, h.about, h.action, h.actor, h.actor_name, h.actor_type, h.reason, h.changes, h.request_id, h.ip_address,
  h.user_agent, h.claimed, h.transaction_id::text as transaction_id
from audit.story(%(table)s, %(id)s) as h;

-- name: as_of
select audit.as_of(%(table)s, %(id)s, %(time)s) as row;
