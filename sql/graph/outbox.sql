-- Changes of rules become keys in a queue: statement by statement, in the writer's own transaction, for connected enterprises only.
-- A key says that something changed, never what: the content is read when it is applied, so order and repetition don't matter.
-- The functions belong to crewpay_owner: writers have no right to the queue, and an FAA rule concerns every enterprise.

-- A node that is made of several tables changes with each of them: what an interpretation requires are rules that are on record.
create or replace function graph.queue_dependants(p_enterprise uuid, p_entity text, p_codes text[])
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if cardinality(p_codes) = 0 then
    return;
  end if;
  if p_entity = 'term' then
    insert into graph.outbox (enterprise_id, entity, key)
    select distinct j.enterprise_id, 'interpretation', j.interpretation_id::text
    from rules.interpretation_contract_terms as j
    join rules.union_contract_terms as t on t.enterprise_id = j.enterprise_id and t.id = j.contract_term_id
    where j.enterprise_id = p_enterprise and t.term_code = any (p_codes);
  else
    insert into graph.outbox (enterprise_id, entity, key)
    select distinct j.enterprise_id, 'interpretation', j.interpretation_id::text
    from rules.interpretation_faa_rules as j
    join rules.faa_rules as r on r.id = j.faa_rule_id
    where j.enterprise_id = p_enterprise and r.rule_code = any (p_codes);
  end if;
end
$$;
revoke all on function graph.queue_dependants(uuid, text, text[]) from public;
comment on function graph.queue_dependants(uuid, text, text[]) is
'Queues the interpretations that rest on rules which came or went.
p_enterprise: tenant; p_entity: term or faa_rule; p_codes: their codes.';

create or replace function graph.tg_queue_term()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_rows bigint;
begin
  if tg_op = 'DELETE' then
    insert into graph.outbox (enterprise_id, entity, key)
    select distinct o.enterprise_id, 'term', o.term_code
    from old_rows as o
    join graph.links as l on l.enterprise_id = o.enterprise_id;
    get diagnostics v_rows = row_count;
    if v_rows > 0 then
      perform graph.queue_dependants(l.enterprise_id, 'term', array(select o.term_code from old_rows as o where o.enterprise_id = l.enterprise_id))
      from graph.links as l;
    end if;
  elsif tg_op = 'INSERT' then
    insert into graph.outbox (enterprise_id, entity, key)
    select distinct n.enterprise_id, 'term', n.term_code
    from new_rows as n
    join graph.links as l on l.enterprise_id = n.enterprise_id;
    get diagnostics v_rows = row_count;
    if v_rows > 0 then
      perform graph.queue_dependants(l.enterprise_id, 'term', array(select n.term_code from new_rows as n where n.enterprise_id = l.enterprise_id))
      from graph.links as l;
    end if;
  elsif array(select (n.enterprise_id, n.term_code, n.superseded_at is null) from new_rows as n)
    = array(select (o.enterprise_id, o.term_code, o.superseded_at is null) from old_rows as o) then
    -- No term came or went, as nearly always: the shortest way, since the writer waits.
    insert into graph.outbox (enterprise_id, entity, key)
    select n.enterprise_id, 'term', n.term_code
    from new_rows as n
    where n.enterprise_id in (select l.enterprise_id from graph.links as l);
    get diagnostics v_rows = row_count;
  else
    insert into graph.outbox (enterprise_id, entity, key)
    select c.enterprise_id, 'term', c.term_code
    from (
      select n.enterprise_id, n.term_code from new_rows as n
      union
      select o.enterprise_id, o.term_code from old_rows as o
    ) as c
    join graph.links as l on l.enterprise_id = c.enterprise_id;
    get diagnostics v_rows = row_count;
    if v_rows > 0 then
      perform graph.queue_dependants(l.enterprise_id, 'term', array(
        select c.term_code
        from (
          select n.term_code, n.superseded_at is null as on_record from new_rows as n where n.enterprise_id = l.enterprise_id
          except
          select o.term_code, o.superseded_at is null from old_rows as o where o.enterprise_id = l.enterprise_id
        ) as c))
      from graph.links as l;
    end if;
  end if;
  if v_rows > 0 then
    perform pg_notify('crewpay_graph', '');
  end if;
  return null;
end
$$;
revoke all on function graph.tg_queue_term() from public;
comment on function graph.tg_queue_term() is 'Trigger: queues the codes of changed terms for Neo4j, and what rests on those that came or went.';

create or replace trigger union_contract_terms_80_queue_insert
  after insert on rules.union_contract_terms
  referencing new table as new_rows
  for each statement execute function graph.tg_queue_term();
comment on trigger union_contract_terms_80_queue_insert on rules.union_contract_terms is 'New terms go to Neo4j.';

create or replace trigger union_contract_terms_80_queue_update
  after update on rules.union_contract_terms
  referencing old table as old_rows new table as new_rows
  for each statement execute function graph.tg_queue_term();
comment on trigger union_contract_terms_80_queue_update on rules.union_contract_terms is 'Changed terms go to Neo4j.';

create or replace trigger union_contract_terms_80_queue_delete
  after delete on rules.union_contract_terms
  referencing old table as old_rows
  for each statement execute function graph.tg_queue_term();
comment on trigger union_contract_terms_80_queue_delete on rules.union_contract_terms is 'Removed terms leave Neo4j, or are retired there.';

create or replace function graph.tg_queue_faa_rule()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if tg_op = 'DELETE' then
    insert into graph.outbox (enterprise_id, entity, key)
    select distinct l.enterprise_id, 'faa_rule', o.rule_code
    from old_rows as o
    cross join graph.links as l;
    perform graph.queue_dependants(l.enterprise_id, 'faa_rule', array(select o.rule_code from old_rows as o)) from graph.links as l;
  elsif tg_op = 'INSERT' then
    insert into graph.outbox (enterprise_id, entity, key)
    select distinct l.enterprise_id, 'faa_rule', n.rule_code
    from new_rows as n
    cross join graph.links as l;
    perform graph.queue_dependants(l.enterprise_id, 'faa_rule', array(select n.rule_code from new_rows as n)) from graph.links as l;
  else
    insert into graph.outbox (enterprise_id, entity, key)
    select l.enterprise_id, 'faa_rule', c.rule_code
    from (
      select n.rule_code from new_rows as n
      union
      select o.rule_code from old_rows as o
    ) as c
    cross join graph.links as l;
    perform graph.queue_dependants(l.enterprise_id, 'faa_rule', array(
      select c.rule_code
      from (
        select n.rule_code, n.superseded_at is null as on_record from new_rows as n
        except
        select o.rule_code, o.superseded_at is null from old_rows as o
      ) as c))
    from graph.links as l;
  end if;
  if exists (select from graph.links) then
    perform pg_notify('crewpay_graph', '');
  end if;
  return null;
end
$$;
revoke all on function graph.tg_queue_faa_rule() from public;
comment on function graph.tg_queue_faa_rule() is 'Trigger: queues the codes of changed FAA rules for every connected enterprise: each has its own copy of them in Neo4j.';

create or replace trigger faa_rules_80_queue_insert
  after insert on rules.faa_rules
  referencing new table as new_rows
  for each statement execute function graph.tg_queue_faa_rule();
comment on trigger faa_rules_80_queue_insert on rules.faa_rules is 'New rules go to Neo4j.';

create or replace trigger faa_rules_80_queue_update
  after update on rules.faa_rules
  referencing old table as old_rows new table as new_rows
  for each statement execute function graph.tg_queue_faa_rule();
comment on trigger faa_rules_80_queue_update on rules.faa_rules is 'Changed rules go to Neo4j.';

create or replace trigger faa_rules_80_queue_delete
  after delete on rules.faa_rules
  referencing old table as old_rows
  for each statement execute function graph.tg_queue_faa_rule();
comment on trigger faa_rules_80_queue_delete on rules.faa_rules is 'Removed rules leave Neo4j, or are retired there.';

create or replace function graph.tg_queue_interpretation()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_rows bigint;
begin
  if tg_op = 'DELETE' then
    insert into graph.outbox (enterprise_id, entity, key)
    select distinct o.enterprise_id, 'interpretation', o.id::text
    from old_rows as o
    join graph.links as l on l.enterprise_id = o.enterprise_id;
  else
    insert into graph.outbox (enterprise_id, entity, key)
    select distinct n.enterprise_id, 'interpretation', n.id::text
    from new_rows as n
    join graph.links as l on l.enterprise_id = n.enterprise_id;
  end if;
  get diagnostics v_rows = row_count;
  if v_rows > 0 then
    perform pg_notify('crewpay_graph', '');
  end if;
  return null;
end
$$;
revoke all on function graph.tg_queue_interpretation() from public;
comment on function graph.tg_queue_interpretation() is 'Trigger: queues changed interpretations for Neo4j. (Keys of audited tables never change.)';

create or replace trigger rule_interpretations_80_queue_insert
  after insert on rules.rule_interpretations
  referencing new table as new_rows
  for each statement execute function graph.tg_queue_interpretation();
comment on trigger rule_interpretations_80_queue_insert on rules.rule_interpretations is 'New interpretations go to Neo4j.';

create or replace trigger rule_interpretations_80_queue_update
  after update on rules.rule_interpretations
  referencing new table as new_rows
  for each statement execute function graph.tg_queue_interpretation();
comment on trigger rule_interpretations_80_queue_update on rules.rule_interpretations is 'Changed interpretations go to Neo4j.';

create or replace trigger rule_interpretations_80_queue_delete
  after delete on rules.rule_interpretations
  referencing old table as old_rows
  for each statement execute function graph.tg_queue_interpretation();
comment on trigger rule_interpretations_80_queue_delete on rules.rule_interpretations is 'Removed interpretations leave Neo4j.';

-- What an interpretation rests on is part of it.
create or replace function graph.tg_queue_interpretation_link()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_rows bigint;
begin
  if tg_op = 'DELETE' then
    insert into graph.outbox (enterprise_id, entity, key)
    select distinct o.enterprise_id, 'interpretation', o.interpretation_id::text
    from old_rows as o
    join graph.links as l on l.enterprise_id = o.enterprise_id;
  else
    insert into graph.outbox (enterprise_id, entity, key)
    select distinct n.enterprise_id, 'interpretation', n.interpretation_id::text
    from new_rows as n
    join graph.links as l on l.enterprise_id = n.enterprise_id;
  end if;
  get diagnostics v_rows = row_count;
  if v_rows > 0 then
    perform pg_notify('crewpay_graph', '');
  end if;
  return null;
end
$$;
revoke all on function graph.tg_queue_interpretation_link() from public;
comment on function graph.tg_queue_interpretation_link() is 'Trigger: queues interpretations whose rules or terms changed. (Keys of audited tables never change.)';

create or replace trigger interpretation_faa_rules_80_queue_insert
  after insert on rules.interpretation_faa_rules
  referencing new table as new_rows
  for each statement execute function graph.tg_queue_interpretation_link();
comment on trigger interpretation_faa_rules_80_queue_insert on rules.interpretation_faa_rules is 'What an interpretation rests on goes to Neo4j.';

create or replace trigger interpretation_faa_rules_80_queue_delete
  after delete on rules.interpretation_faa_rules
  referencing old table as old_rows
  for each statement execute function graph.tg_queue_interpretation_link();
comment on trigger interpretation_faa_rules_80_queue_delete on rules.interpretation_faa_rules is 'What an interpretation no longer rests on leaves Neo4j.';

create or replace trigger interpretation_contract_terms_80_queue_insert
  after insert on rules.interpretation_contract_terms
  referencing new table as new_rows
  for each statement execute function graph.tg_queue_interpretation_link();
comment on trigger interpretation_contract_terms_80_queue_insert on rules.interpretation_contract_terms is 'What an interpretation rests on goes to Neo4j.';

create or replace trigger interpretation_contract_terms_80_queue_delete
  after delete on rules.interpretation_contract_terms
  referencing old table as old_rows
  for each statement execute function graph.tg_queue_interpretation_link();
comment on trigger interpretation_contract_terms_80_queue_delete on rules.interpretation_contract_terms is 'What an interpretation no longer rests on leaves Neo4j.';

-- A rule graph that was loaded here (with a contract) goes to Neo4j before anything is read from there.
create or replace function graph.tg_queue_generation()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_rows bigint;
begin
  insert into graph.outbox (enterprise_id, entity, key)
  select n.enterprise_id, 'generation', n.generation::text
  from new_rows as n
  join graph.links as l on l.enterprise_id = n.enterprise_id
  where n.source = 'seed' and n.accepted_at is not null;
  get diagnostics v_rows = row_count;
  if v_rows > 0 then
    perform pg_notify('crewpay_graph', '');
  end if;
  return null;
end
$$;
revoke all on function graph.tg_queue_generation() from public;
comment on function graph.tg_queue_generation() is 'Trigger: queues generations that were made in Postgres and accepted.';

create or replace trigger generations_80_queue_insert
  after insert on graph.generations
  referencing new table as new_rows
  for each statement execute function graph.tg_queue_generation();
comment on trigger generations_80_queue_insert on graph.generations is 'A rule graph made in Postgres goes to Neo4j.';

create or replace trigger generations_80_queue_update
  after update on graph.generations
  referencing new table as new_rows
  for each statement execute function graph.tg_queue_generation();
comment on trigger generations_80_queue_update on graph.generations is 'A rule graph made in Postgres goes to Neo4j.';

-- Only an operator can empty a table, and with it what refers to it: each of those tables queues what it still has.
create or replace function graph.tg_queue_truncate()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  case tg_table_name
    when 'faa_rules' then
      insert into graph.outbox (enterprise_id, entity, key)
      select distinct l.enterprise_id, 'faa_rule', r.rule_code
      from rules.faa_rules as r
      cross join graph.links as l;
    when 'union_contract_terms' then
      insert into graph.outbox (enterprise_id, entity, key)
      select distinct l.enterprise_id, 'term', t.term_code
      from rules.union_contract_terms as t
      join graph.links as l on l.enterprise_id = t.enterprise_id;
    else
      insert into graph.outbox (enterprise_id, entity, key)
      select l.enterprise_id, 'interpretation', i.id::text
      from rules.rule_interpretations as i
      join graph.links as l on l.enterprise_id = i.enterprise_id;
  end case;
  perform pg_notify('crewpay_graph', '');
  return null;
end
$$;
revoke all on function graph.tg_queue_truncate() from public;
comment on function graph.tg_queue_truncate() is
'Trigger: queues all keys of a table that is about to be emptied, and all interpretations where it is what they rest on.';

create or replace trigger faa_rules_80_queue_truncate
  before truncate on rules.faa_rules
  for each statement execute function graph.tg_queue_truncate();
comment on trigger faa_rules_80_queue_truncate on rules.faa_rules is 'Rules that are emptied leave Neo4j, or are retired there.';

create or replace trigger union_contract_terms_80_queue_truncate
  before truncate on rules.union_contract_terms
  for each statement execute function graph.tg_queue_truncate();
comment on trigger union_contract_terms_80_queue_truncate on rules.union_contract_terms is 'Terms that are emptied leave Neo4j, or are retired there.';

create or replace trigger rule_interpretations_80_queue_truncate
  before truncate on rules.rule_interpretations
  for each statement execute function graph.tg_queue_truncate();
comment on trigger rule_interpretations_80_queue_truncate on rules.rule_interpretations is 'Interpretations that are emptied leave Neo4j.';

create or replace trigger interpretation_faa_rules_80_queue_truncate
  before truncate on rules.interpretation_faa_rules
  for each statement execute function graph.tg_queue_truncate();
comment on trigger interpretation_faa_rules_80_queue_truncate on rules.interpretation_faa_rules is 'What interpretations no longer rest on leaves Neo4j.';

create or replace trigger interpretation_contract_terms_80_queue_truncate
  before truncate on rules.interpretation_contract_terms
  for each statement execute function graph.tg_queue_truncate();
comment on trigger interpretation_contract_terms_80_queue_truncate on rules.interpretation_contract_terms is
'What interpretations no longer rest on leaves Neo4j.';
