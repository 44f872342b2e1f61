-- The queue as the leader works it off: look, read the state anew, apply in Neo4j, acknowledge exactly the entries that were read.
-- Nothing is skipped by a number: an entry that commits late has its own row, and is found by the next look.

create or replace function graph.peek(p_limit integer)
returns table (entity text, key text, seqs bigint[], queued_at timestamptz)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform auth.require_role('sync');
  return query
  select w.entity, w.key, array_agg(w.seq), min(w.queued_at)
  from (
    select o.entity, o.key, o.seq, o.queued_at
    from graph.outbox as o
    where o.enterprise_id = (select auth.enterprise_id())
    order by o.seq
    limit p_limit
  ) as w
  group by w.entity, w.key;
end
$$;
alter function graph.peek(integer) owner to crewpay_definer;
revoke all on function graph.peek(integer) from public;
grant execute on function graph.peek(integer) to crewpay_sync;
comment on function graph.peek(integer) is
'The oldest entries of the queue, once per key; they stay until acknowledged.
p_limit: entries looked at. Errors: 42501.';

create or replace function graph.acknowledge(p_epoch bigint, p_seqs bigint[])
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_enterprise uuid := graph.require_leader(p_epoch);
  v_rules_came boolean;
  v_rows bigint;
begin
  -- A join: comparing every row with an array of 20,000 numbers takes seconds.
  with gone as (
    delete from graph.outbox as o
    using unnest(p_seqs) as s (seq)
    where o.enterprise_id = v_enterprise and o.seq = s.seq
    returning o.entity, o.key
  ),
  cured as (
    delete from graph.dead_letters as d
    using gone as g
    where d.enterprise_id = v_enterprise and d.entity = g.entity and d.key = g.key
  )
  select count(*), bool_or(g.entity in ('term', 'faa_rule')) into v_rows, v_rules_came
  from gone as g;

  update graph.links as l
  set applied_at = clock_timestamp()
  where l.enterprise_id = v_enterprise;

  -- What waited for a rule may find it now; if not, it waits again.
  if v_rules_came then
    insert into graph.outbox (enterprise_id, entity, key)
    select d.enterprise_id, d.entity, d.key
    from graph.dead_letters as d
    where d.enterprise_id = v_enterprise and d.state = 'waiting';
  end if;
  return v_rows;
end
$$;
alter function graph.acknowledge(bigint, bigint[]) owner to crewpay_definer;
revoke all on function graph.acknowledge(bigint, bigint[]) from public;
grant execute on function graph.acknowledge(bigint, bigint[]) to crewpay_sync;
comment on function graph.acknowledge(bigint, bigint[]) is
'Removes entries that were applied from the queue, and their dead letters; what waited for a rule is queued again.
p_epoch: from graph.claim(); p_seqs: the entries that graph.peek() showed. Returns how many. Errors: 42501, CP701.';

create or replace function graph.park(p_epoch bigint, p_entity text, p_key text, p_seqs bigint[], p_state text, p_code text, p_error text)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_enterprise uuid := graph.require_leader(p_epoch);
begin
  insert into graph.dead_letters as d (enterprise_id, entity, key, state, error_code, error)
  values (v_enterprise, p_entity, p_key, p_state, p_code, p_error)
  on conflict (enterprise_id, entity, key) do update
    set state = excluded.state,
      attempts = d.attempts + 1,
      last_at = clock_timestamp(),
      error_code = excluded.error_code,
      error = excluded.error;
  delete from graph.outbox as o
  where o.enterprise_id = v_enterprise and o.seq = any (p_seqs);
  perform graph.alert_dead_letters();
end
$$;
alter function graph.park(bigint, text, text, bigint[], text, text, text) owner to crewpay_definer;
revoke all on function graph.park(bigint, text, text, bigint[], text, text, text) from public;
grant execute on function graph.park(bigint, text, text, bigint[], text, text, text) to crewpay_sync;
comment on function graph.park(bigint, text, text, bigint[], text, text, text) is
'Puts one key aside that Neo4j refuses, and raises an alert; all others go on.
p_epoch: from graph.claim(); p_entity, p_key, p_seqs: as graph.peek() showed them; p_state: refused or waiting; p_code, p_error: what Neo4j said.
Errors: 42501, CP701.';

create or replace function graph.alert_dead_letters()
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_letters integer;
begin
  select count(*) into v_letters
  from graph.dead_letters as d
  where d.enterprise_id = (select auth.enterprise_id());
  if v_letters > 0 then
    perform ops.raise_alert('graph.dead_letters', 'MEDIUM', format('%s keys could not be pushed to Neo4j', v_letters), jsonb_build_object('letters', v_letters));
  else
    perform ops.clear_alert('graph.dead_letters');
  end if;
end
$$;
revoke all on function graph.alert_dead_letters() from public;
grant execute on function graph.alert_dead_letters() to crewpay_definer;
comment on function graph.alert_dead_letters() is 'Raises or clears the alert about dead letters of the caller''s enterprise.';

create or replace function graph.retry_dead_letters(p_entity text, p_key text)
returns integer
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_rows integer;
begin
  perform auth.require_role('sync', 'admin');
  insert into graph.outbox (enterprise_id, entity, key)
  select d.enterprise_id, d.entity, d.key
  from graph.dead_letters as d
  where d.enterprise_id = (select auth.enterprise_id())
    and (p_entity is null or d.entity = p_entity)
    and (p_key is null or d.key = p_key);
  get diagnostics v_rows = row_count;
  perform pg_notify('crewpay_graph', '');
  return v_rows;
end
$$;
alter function graph.retry_dead_letters(text, text) owner to crewpay_definer;
revoke all on function graph.retry_dead_letters(text, text) from public;
grant execute on function graph.retry_dead_letters(text, text) to crewpay_sync, crewpay_admin;
comment on function graph.retry_dead_letters(text, text) is
'Queues dead letters again; those that succeed disappear.
p_entity, p_key: which ones; null for all. Returns how many. Errors: 42501.';

create or replace function graph.drop_dead_letter(p_entity text, p_key text)
returns boolean
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_found boolean;
begin
  perform auth.require_role('sync', 'admin');
  delete from graph.dead_letters as d
  where d.enterprise_id = (select auth.enterprise_id()) and d.entity = p_entity and d.key = p_key;
  v_found := found;
  perform graph.alert_dead_letters();
  return v_found;
end
$$;
alter function graph.drop_dead_letter(text, text) owner to crewpay_definer;
revoke all on function graph.drop_dead_letter(text, text) from public;
grant execute on function graph.drop_dead_letter(text, text) to crewpay_sync, crewpay_admin;
comment on function graph.drop_dead_letter(text, text) is
'Forgets a dead letter. The key is compared again by the next reconcile.
p_entity, p_key: which one. False: there is none. Errors: 42501.';

-- Everything that Postgres owns, once more: the same way as a change. Keys that are queued already are left out.
create or replace function graph.queue_all()
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_enterprise uuid := auth.enterprise_id();
  v_rows bigint;
begin
  perform auth.require_role('sync', 'admin');
  insert into graph.outbox (enterprise_id, entity, key)
  select v_enterprise, k.entity, k.key
  from (
    select 'faa_rule' as entity, r.rule_code::text as key
    from rules.faa_rules as r
    where r.superseded_at is null
    union
    select 'term', t.term_code
    from rules.union_contract_terms as t
    where t.enterprise_id = v_enterprise and t.superseded_at is null
    union
    select 'interpretation', i.id::text
    from rules.rule_interpretations as i
    where i.enterprise_id = v_enterprise
    except
    select o.entity, o.key
    from graph.outbox as o
    where o.enterprise_id = v_enterprise
  ) as k
  where exists (select from graph.links as l where l.enterprise_id = v_enterprise)
  order by array_position(array['faa_rule', 'term', 'interpretation'], k.entity), k.key;
  get diagnostics v_rows = row_count;
  perform pg_notify('crewpay_graph', '');
  return v_rows;
end
$$;
alter function graph.queue_all() owner to crewpay_definer;
revoke all on function graph.queue_all() from public;
grant execute on function graph.queue_all() to crewpay_sync, crewpay_admin;
comment on function graph.queue_all() is
'Queues every key that Postgres owns: a backfill, which is safe at any time. Returns how many were added; none unless connected.
Errors: 42501.';

create or replace function graph.queue(p_entity text, p_keys text[])
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_rows bigint;
begin
  perform auth.require_role('sync');
  insert into graph.outbox (enterprise_id, entity, key)
  select l.enterprise_id, p_entity, k.key
  from unnest(p_keys) as k (key)
  join graph.links as l on l.enterprise_id = (select auth.enterprise_id());
  get diagnostics v_rows = row_count;
  perform pg_notify('crewpay_graph', '');
  return v_rows;
end
$$;
alter function graph.queue(text, text[]) owner to crewpay_definer;
revoke all on function graph.queue(text, text[]) from public;
grant execute on function graph.queue(text, text[]) to crewpay_sync;
comment on function graph.queue(text, text[]) is
'Queues keys that a comparison found to differ.
p_entity: term, faa_rule or interpretation; p_keys: codes or ids. Returns how many. Errors: 42501.';
