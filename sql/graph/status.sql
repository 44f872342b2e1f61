-- How the synchronisation stands, for people and for alarms.

create or replace view graph.status
with (security_invoker = true, security_barrier = true)
as
select
  l.enterprise_id,
  l.connected_at,
  l.holder as leader,
  l.holder is not null and l.heartbeat_at >= clock_timestamp() - interval '10 seconds' as leader_alive,
  l.epoch,
  clock_timestamp() - l.heartbeat_at as heartbeat_age,
  q.queue_depth,
  coalesce(clock_timestamp() - q.oldest, interval '0') as lag,
  l.applied_at,
  d.refused as dead_letters,
  d.waiting as waiting_letters,
  g.generation,
  g.source as generation_source,
  g.accepted_at as generation_accepted_at,
  p.state as last_proposal,
  p.seen_at as last_proposal_at,
  f.findings as last_proposal_findings,
  l.reconciled_at,
  l.reconciled_differences as drift,
  l.exported_at
from graph.links as l
cross join lateral (
  select count(*) as queue_depth, min(o.queued_at) as oldest from graph.outbox as o where o.enterprise_id = l.enterprise_id
) as q
cross join lateral (
  select count(*) filter (where x.state = 'refused') as refused, count(*) filter (where x.state = 'waiting') as waiting
  from graph.dead_letters as x
  where x.enterprise_id = l.enterprise_id
) as d
left join lateral (
  select a.generation, a.source, a.accepted_at
  from graph.generations as a
  where a.enterprise_id = l.enterprise_id and a.accepted_at is not null
  order by a.generation desc
  limit 1
) as g on true
left join lateral (
  select r.proposal, r.state, r.seen_at
  from graph.proposals as r
  where r.enterprise_id = l.enterprise_id
  order by r.proposal desc
  limit 1
) as p on true
cross join lateral (
  select count(*) as findings from graph.proposal_findings as x where x.enterprise_id = l.enterprise_id and x.proposal = p.proposal
) as f;
comment on view graph.status is 'How the synchronisation with Neo4j stands, a row per connected enterprise.';
comment on column graph.status.enterprise_id is 'Tenant.';
comment on column graph.status.connected_at is 'When Neo4j was connected.';
comment on column graph.status.leader is 'The daemon that leads; null: none.';
comment on column graph.status.leader_alive is 'Whether it gave a sign of life in the last ten seconds.';
comment on column graph.status.epoch is 'Raised with every new leader.';
comment on column graph.status.heartbeat_age is 'Time since the leader''s last sign of life.';
comment on column graph.status.queue_depth is 'Changes that wait to be pushed.';
comment on column graph.status.lag is 'Age of the oldest of them.';
comment on column graph.status.applied_at is 'When something was last pushed.';
comment on column graph.status.dead_letters is 'Keys that Neo4j refused.';
comment on column graph.status.waiting_letters is 'Keys that wait for a rule which isn''t in Neo4j yet.';
comment on column graph.status.generation is 'Generation of the rule graph that decides pay.';
comment on column graph.status.generation_source is 'seed (loaded in Postgres) or neo4j.';
comment on column graph.status.generation_accepted_at is 'When it was accepted.';
comment on column graph.status.last_proposal is 'What became of the last reading that differed: accepted or rejected.';
comment on column graph.status.last_proposal_at is 'When that was last seen.';
comment on column graph.status.last_proposal_findings is 'Reasons against it (graph.proposal_findings).';
comment on column graph.status.reconciled_at is 'When both sides were last compared.';
comment on column graph.status.drift is 'Differences found then.';
comment on column graph.status.exported_at is 'When what Neo4j owns was last exported.';
grant select on graph.status to crewpay_admin, crewpay_sync;
