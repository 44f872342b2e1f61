-- What Postgres owns, as Neo4j shows it: graph/model.md. A node stands for a code, and shows its newest version on record.

-- By index, whatever the planner knew of the tables when it made the plan, small or never analysed. Only the index of versions on record
-- gives the newest without a sort; the exclusion constraint's seems as cheap, and takes ten times as long.
create or replace function graph.nodes(p_entity text, p_keys text[])
returns table (key text, properties jsonb, requires text[])
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set enable_sort = off
set enable_seqscan = off
rows 1000
as $$
declare
  v_enterprise uuid := auth.enterprise_id();
begin
  perform auth.require_role('sync', 'admin');
  case p_entity
    when 'term' then
      return query
      select k.key, t.properties, null::text[]
      from unnest(p_keys) as k (key)
      cross join lateral (
        select jsonb_build_object(
            'enterprise', t.enterprise_id, 'code', t.term_code, 'title', t.term_title, 'category', t.term_category, 'text', t.term_text,
            'appliesTo', array_to_string(t.applies_to, ','), 'priority', t.priority, 'source', 'CONTRACT',
            'effectiveDate', t.effective_date, 'expirationDate', t.expiration_date, 'formula', t.calculation_formula::text) as properties
        from rules.union_contract_terms as t
        where t.enterprise_id = v_enterprise and t.term_code = k.key and t.superseded_at is null
        order by t.effective_date desc
        limit 1
      ) as t;
    when 'faa_rule' then
      return query
      select k.key, r.properties, null::text[]
      from unnest(p_keys) as k (key)
      cross join lateral (
        select jsonb_build_object(
            'enterprise', v_enterprise, 'code', r.rule_code, 'title', r.rule_title, 'category', r.rule_category, 'text', r.rule_text,
            'appliesTo', (
              select string_agg(p.position::text, ',' order by p.position)
              from unnest(enum_range(null::crew.crew_position)) as p (position)
              where 'ALL_CREW' = any (r.applies_to)
                or 'PILOTS' = any (r.applies_to) and p.position <> 'FLIGHT_ATTENDANT'
                or 'FLIGHT_ATTENDANTS' = any (r.applies_to) and p.position = 'FLIGHT_ATTENDANT'),
            'priority', 0, 'source', 'FAA',
            'effectiveDate', r.effective_date, 'expirationDate', r.expiration_date, 'formula', null) as properties
        from rules.faa_rules as r
        where r.rule_code = k.key and r.superseded_at is null
        order by r.effective_date desc
        limit 1
      ) as r;
    when 'interpretation' then
      return query
      select i.id::text,
        jsonb_build_object(
          'enterprise', i.enterprise_id, 'id', i.id, 'scenario', i.scenario_description, 'interpretation', i.interpretation,
          'example', i.example_calculation::text, 'confidence', i.confidence_score, 'validatedBy', i.validated_by,
          'validatedAt', to_char(i.validated_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')),
        array(
          select c.code
          from (
            select t.term_code::text as code
            from rules.interpretation_contract_terms as j
            join rules.union_contract_terms as t on t.enterprise_id = j.enterprise_id and t.id = j.contract_term_id
            where j.enterprise_id = v_enterprise and j.interpretation_id = i.id
              and exists (
                select
                from rules.union_contract_terms as known
                where known.enterprise_id = v_enterprise and known.term_code = t.term_code and known.superseded_at is null)
            union
            select r.rule_code::text
            from rules.interpretation_faa_rules as j
            join rules.faa_rules as r on r.id = j.faa_rule_id
            where j.enterprise_id = v_enterprise and j.interpretation_id = i.id
              and exists (select from rules.faa_rules as known where known.rule_code = r.rule_code and known.superseded_at is null)
          ) as c
          order by c.code)
      from rules.rule_interpretations as i
      where i.enterprise_id = v_enterprise and i.id = any (p_keys::uuid[]);
  end case;
end
$$;
alter function graph.nodes(text, text[]) owner to crewpay_definer;
revoke all on function graph.nodes(text, text[]) from public;
grant execute on function graph.nodes(text, text[]) to crewpay_sync, crewpay_admin;
comment on function graph.nodes(text, text[]) is
'Nodes of the rule graph that Postgres owns, as they should be in Neo4j now; keys that are gone are missing.
p_entity: term, faa_rule or interpretation; p_keys: codes or ids. Returns key, properties (null: absent), codes that an
interpretation requires. An FAA rule has priority 0 and names the positions it covers. Errors: 42501, 20000 (unknown entity).';

create or replace function graph.keys(p_entity text, p_after text, p_limit integer)
returns setof text
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set enable_sort = off
set enable_seqscan = off
as $$
declare
  v_enterprise uuid := auth.enterprise_id();
begin
  perform auth.require_role('sync', 'admin');
  case p_entity
    when 'term' then
      return query
      -- In the index's order: a page costs what it shows, not what is left.
      select t.term_code::text
      from rules.union_contract_terms as t
      where t.enterprise_id = v_enterprise and t.superseded_at is null and (t.term_code, t.effective_date) > (p_after, 'infinity'::date)
      group by t.term_code
      order by t.term_code
      limit p_limit;
    when 'faa_rule' then
      return query
      select r.rule_code::text
      from rules.faa_rules as r
      where r.superseded_at is null and r.rule_code > p_after
      group by r.rule_code
      order by r.rule_code
      limit p_limit;
    when 'interpretation' then
      return query
      select i.id::text
      from rules.rule_interpretations as i
      where i.enterprise_id = v_enterprise and (p_after = '' or i.id > p_after::uuid)
      order by i.id
      limit p_limit;
  end case;
end
$$;
alter function graph.keys(text, text, integer) owner to crewpay_definer;
revoke all on function graph.keys(text, text, integer) from public;
grant execute on function graph.keys(text, text, integer) to crewpay_sync, crewpay_admin;
comment on function graph.keys(text, text, integer) is
'Keys of the nodes that Postgres owns, page by page.
p_entity: term, faa_rule or interpretation; p_after: last key of the page before, empty for the first; p_limit: keys a page.
Errors: 42501, 20000 (unknown entity).';

create or replace function graph.codes_on_record(p_enterprise uuid)
returns table (code text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select t.term_code::text
  from rules.union_contract_terms as t
  where t.enterprise_id = p_enterprise and t.superseded_at is null
  union
  select r.rule_code
  from rules.faa_rules as r
  where r.superseded_at is null
$$;
revoke all on function graph.codes_on_record(uuid) from public;
grant execute on function graph.codes_on_record(uuid) to crewpay_definer;
comment on function graph.codes_on_record(uuid) is
'Codes of the contract terms and FAA rules on record: those whose edges count.
p_enterprise: tenant.';

-- A generation in one form, compared and sent alike.
create or replace function graph.rows_of(p_generation bigint)
returns table (kind text, from_code text, to_code text, properties jsonb)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select 'SCENARIO', s.id, null::text,
    jsonb_build_object('name', s.name, 'level', s.level, 'pattern', s.pattern::text, 'description', s.description)
  from graph.scenarios as s
  where s.enterprise_id = (select auth.enterprise_id()) and s.generation = p_generation
  union all
  select 'PAY_COMPONENT', c.type::text, null, jsonb_build_object('name', c.name, 'calculationOrder', c.calculation_order)
  from graph.pay_components as c
  where c.enterprise_id = (select auth.enterprise_id()) and c.generation = p_generation
  union all
  select e.kind, e.from_code, e.to_code, e.properties
  from graph.edges as e
  where e.enterprise_id = (select auth.enterprise_id()) and e.generation = p_generation
$$;
revoke all on function graph.rows_of(bigint) from public;
grant execute on function graph.rows_of(bigint) to crewpay_definer;
comment on function graph.rows_of(bigint) is
'One generation in one form: kind, ends, properties.
p_generation: number; null gives nothing.';

-- A generation as Neo4j shows it. What equals the generation before is left out: a curator's edit of it stands.
create or replace function graph.generation_rows(p_generation bigint, p_all boolean)
returns table (kind text, from_code text, to_code text, properties jsonb)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_enterprise uuid := auth.enterprise_id();
  v_before bigint;
begin
  perform auth.require_role('sync', 'admin');
  if not p_all then
    select max(g.generation) into v_before
    from graph.generations as g
    where g.enterprise_id = v_enterprise and g.generation < p_generation and g.accepted_at is not null;
  end if;
  return query
  with changed as (
    select * from graph.rows_of(p_generation)
    except
    select * from graph.rows_of(v_before)
  ),
  known_terms as materialized (
    select k.code from graph.codes_on_record(v_enterprise) as k
  )
  select c.kind, c.from_code, c.to_code, c.properties
  from changed as c
  -- An edge of a term that was never loaded applies to nobody, and has no node to begin at.
  where (c.kind not in ('APPLIES_TO', 'CONFLICTS_WITH') or exists (select from known_terms as k where k.code = c.from_code))
    and (c.kind <> 'CONFLICTS_WITH' or exists (select from known_terms as k where k.code = c.to_code));
end
$$;
alter function graph.generation_rows(bigint, boolean) owner to crewpay_definer;
revoke all on function graph.generation_rows(bigint, boolean) from public;
grant execute on function graph.generation_rows(bigint, boolean) to crewpay_sync, crewpay_admin;
comment on function graph.generation_rows(bigint, boolean) is
'Scenarios, components and edges of a generation.
p_generation: number; p_all: all of them, or only what differs from the accepted generation before. Errors: 42501.';
