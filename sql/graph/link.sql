-- Which enterprises are mirrored to Neo4j, and which daemon leads: one row each, and an epoch that only rises.
--
--   no advisory lock: any login could take it, and a paused leader would keep it. The leader is whoever the row names, as long as
--   its session exists and its heartbeat is younger than ten seconds; whoever takes over raises the epoch, and everything that
--   the old one still tries is refused here (CP701) and in Neo4j, where the epoch is kept as well.

-- Belongs to crewpay_owner: it locks tables against writers that don't see the link yet, and would queue nothing.
create or replace function graph.connect()
returns boolean
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_enterprise uuid := auth.enterprise_id();
begin
  perform auth.require_role('sync');
  if v_enterprise is null then
    raise exception using
      errcode = '42501',
      message = 'no enterprise is selected',
      hint = 'Set app.current_enterprise_id to one of auth.enterprises().';
  end if;
  if exists (select from graph.links as l where l.enterprise_id = v_enterprise) then
    return false;
  end if;
  -- Writers under way finish first, and those that come later see the link: nothing falls between the queue and the backfill.
  lock table rules.faa_rules, rules.union_contract_terms, rules.rule_interpretations, rules.interpretation_faa_rules,
    rules.interpretation_contract_terms, graph.generations in share mode;
  insert into graph.links (enterprise_id) values (v_enterprise) on conflict do nothing;
  return found;
end
$$;
alter function graph.connect() owner to crewpay_owner;
revoke all on function graph.connect() from public;
grant execute on function graph.connect() to crewpay_sync;
comment on function graph.connect() is
'Connects the caller''s enterprise to Neo4j: from now on its changes are queued. True when it was not connected before.
Errors: 42501, 55P03 when a writer holds the rules longer than lock_timeout.';

create or replace function graph.claim(p_holder text)
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_epoch bigint;
begin
  perform auth.require_role('sync');
  update graph.links as l
  set epoch = l.epoch + 1,
    holder = p_holder,
    backend_pid = pg_backend_pid(),
    claimed_at = clock_timestamp(),
    heartbeat_at = clock_timestamp()
  where l.enterprise_id = auth.enterprise_id()
    and (l.holder is null
      or l.heartbeat_at < clock_timestamp() - interval '10 seconds'
      or not exists (select from pg_stat_activity as a where a.pid = l.backend_pid))
  returning l.epoch into v_epoch;
  return v_epoch;
end
$$;
alter function graph.claim(text) owner to crewpay_definer;
revoke all on function graph.claim(text) from public;
grant execute on function graph.claim(text) to crewpay_sync;
comment on function graph.claim(text) is
'Makes the caller leader of its enterprise if there is none, its session is gone, or it has been silent for ten seconds.
p_holder: how it names itself. Returns its epoch, or null: another one leads. Errors: 42501.';

-- The row is locked until the caller''s transaction ends: nobody takes over in the middle of it.
create or replace function graph.require_leader(p_epoch bigint)
returns uuid
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_enterprise uuid := auth.enterprise_id();
begin
  perform auth.require_role('sync');
  update graph.links as l
  set heartbeat_at = clock_timestamp()
  where l.enterprise_id = v_enterprise and l.epoch = p_epoch and l.holder is not null;
  if not found then
    raise exception using
      errcode = 'CP701',
      message = 'this daemon does not lead any more',
      detail = format('It came with epoch %s.', p_epoch),
      hint = 'Claim again: another daemon may have taken over, or the database was restored.';
  end if;
  return v_enterprise;
end
$$;
revoke all on function graph.require_leader(bigint) from public;
grant execute on function graph.require_leader(bigint) to crewpay_definer;
comment on function graph.require_leader(bigint) is
'Refuses a daemon that does not lead, and counts as a sign of life of one that does. Returns its enterprise.
p_epoch: from graph.claim(). Errors: 42501, CP701.';

create or replace function graph.beat(p_epoch bigint)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform graph.require_leader(p_epoch);
end
$$;
alter function graph.beat(bigint) owner to crewpay_definer;
revoke all on function graph.beat(bigint) from public;
grant execute on function graph.beat(bigint) to crewpay_sync;
comment on function graph.beat(bigint) is
'A sign of life of the leader.
p_epoch: from graph.claim(). Errors: 42501, CP701.';

create or replace function graph.release(p_epoch bigint)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_enterprise uuid := graph.require_leader(p_epoch);
begin
  update graph.links as l
  set holder = null,
    backend_pid = null,
    heartbeat_at = null
  where l.enterprise_id = v_enterprise;
end
$$;
alter function graph.release(bigint) owner to crewpay_definer;
revoke all on function graph.release(bigint) from public;
grant execute on function graph.release(bigint) to crewpay_sync;
comment on function graph.release(bigint) is
'The leader steps down, and another may lead at once.
p_epoch: from graph.claim(). Errors: 42501, CP701.';

-- After a restore Neo4j knows a higher epoch than the database, and refuses everything of it. The operator decides that the database counts.
create or replace function graph.adopt(p_epoch bigint)
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_epoch bigint;
begin
  perform auth.require_role('sync');
  update graph.links as l
  set epoch = greatest(l.epoch, p_epoch) + 1,
    holder = null,
    backend_pid = null,
    heartbeat_at = null
  where l.enterprise_id = auth.enterprise_id()
  returning l.epoch into v_epoch;
  return v_epoch;
end
$$;
alter function graph.adopt(bigint) owner to crewpay_definer;
revoke all on function graph.adopt(bigint) from public;
grant execute on function graph.adopt(bigint) to crewpay_sync;
comment on function graph.adopt(bigint) is
'Raises the epoch above the one that Neo4j knows, and deposes the leader: after one side was restored from a backup.
p_epoch: epoch found in Neo4j. Returns the new one; null: not connected. Errors: 42501.';

create or replace function graph.record_work(p_what text, p_number integer default null)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform auth.require_role('sync');
  update graph.links as l
  set reconciled_at = case when p_what = 'reconcile' then clock_timestamp() else l.reconciled_at end,
    reconciled_differences = case when p_what = 'reconcile' then p_number else l.reconciled_differences end,
    exported_at = case when p_what = 'export' then clock_timestamp() else l.exported_at end
  where l.enterprise_id = auth.enterprise_id();
end
$$;
alter function graph.record_work(text, integer) owner to crewpay_definer;
revoke all on function graph.record_work(text, integer) from public;
grant execute on function graph.record_work(text, integer) to crewpay_sync;
comment on function graph.record_work(text, integer) is
'Notes that both sides were compared, or that what Neo4j owns was exported.
p_what: reconcile or export; p_number: differences found. Errors: 42501.';
