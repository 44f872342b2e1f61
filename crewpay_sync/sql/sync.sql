-- name: slug
select e.slug from platform.enterprises e where e.id = auth.enterprise_id();

-- name: login_is_superuser
select r.rolsuper, session_user::text from pg_catalog.pg_roles r where r.rolname = session_user;

-- name: all_enterprises
select e.id, e.slug from platform.enterprises e order by e.slug;

-- name: act_in
select pg_catalog.set_config('app.current_enterprise_id', %s, false);

-- name: connect
select graph.connect();

-- name: claim
select graph.claim(%s);

-- name: beat
select graph.beat(%s);

-- name: release
select graph.release(%s);

-- name: adopt
select graph.adopt(%s);

-- name: peek
select entity, key, seqs from graph.peek(%s);

-- name: nodes
select key, properties, requires from graph.nodes(%s, %s);

-- name: keys
select graph.keys(%s, %s, %s);

-- name: generation_rows
select kind, from_code, to_code, properties from graph.generation_rows(%s, %s);

-- name: accepted_generation
select max(g.generation) from graph.generations g where g.enterprise_id = auth.enterprise_id() and g.accepted_at is not null;

-- name: acknowledge
select graph.acknowledge(%s, %s);

-- name: park
select graph.park(%s, %s, %s, %s, %s, %s, %s);

-- name: queue
select graph.queue(%s, %s);

-- name: queue_all
select graph.queue_all();

-- name: propose
select state, generation, finding_count from graph.propose(%s, %s, %s, %s, %s);

-- name: record_work
select graph.record_work(%s, %s);

-- name: due
select
  coalesce(l.reconciled_at, l.connected_at) < clock_timestamp() - interval '1 day' as reconcile,
  coalesce(l.exported_at, '-infinity') < clock_timestamp() - interval '1 day' as export
from graph.links l
where l.enterprise_id = auth.enterprise_id();

-- name: status
select e.slug as enterprise, s.*
from graph.status s
join platform.enterprises e on e.id = s.enterprise_id
order by e.slug;

-- name: findings
select f.code, f.subject, f.detail
from graph.proposal_findings f
where (f.enterprise_id, f.proposal) = (
  select p.enterprise_id, p.proposal from graph.proposals p where p.enterprise_id = auth.enterprise_id() order by p.proposal desc limit 1)
order by f.finding_no;

-- name: queue_depth
select count(*) from graph.outbox o where o.enterprise_id = auth.enterprise_id();

-- name: letters
select d.entity, d.key, d.state, d.attempts, d.first_at, d.last_at, d.error_code, d.error
from graph.dead_letters d
where d.enterprise_id = auth.enterprise_id()
order by d.first_at, d.entity, d.key;

-- name: retry
select graph.retry_dead_letters(%s, %s);

-- name: drop
select graph.drop_dead_letter(%s, %s);

-- name: notify
select pg_catalog.pg_notify('crewpay_graph', '');
