-- What comes back from Neo4j: read there as one state, staged, checked, and either accepted whole as the next generation or
-- rejected whole with every reason. Until then, and otherwise, the last good generation decides pay.

-- Whoever pays by a generation holds it; a new one waits until the last of them has finished.
create or replace function graph.hold_generation(p_enterprise uuid)
returns bigint
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  select g.generation
  from graph.generations as g
  where g.enterprise_id = p_enterprise
    and g.generation = (
      select max(a.generation) from graph.generations as a where a.enterprise_id = p_enterprise and a.accepted_at is not null)
  for share
$$;
revoke all on function graph.hold_generation(uuid) from public;
grant execute on function graph.hold_generation(uuid) to crewpay_definer;
comment on function graph.hold_generation(uuid) is
'The accepted generation, held until the transaction ends: no other is accepted meanwhile.
p_enterprise: tenant. Null: there is none.';

-- Nobody knows how many rows were just staged, least of all the planner: without nested loops five thousand cost no more than five.
create or replace function graph.staged_findings(p_enterprise uuid, p_accept_shrink boolean)
returns table (code text, subject text, detail text)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set enable_nestloop = off
as $$
declare
  v_generation bigint := rules.accepted_generation(p_enterprise);
begin
  return query
  with staged as materialized (
    select s.row_no, s.kind, s.from_code, s.to_code, s.properties, s.problem,
      case when s.kind in ('SCENARIO', 'PAY_COMPONENT') then s.kind || ' ' || coalesce(s.from_code, '(without)')
        else coalesce(s.from_code, '(without)') || ' ' || s.kind || ' ' || coalesce(s.to_code, '(without)') end as subject
    from graph.staged as s
    where s.enterprise_id = p_enterprise
  ),
  good as materialized (
    select * from staged as s where s.problem is null
  ),
  -- What an end may be: of its kind, and there.
  known as (
    select 'TERM' as kind, c.code from graph.codes_on_record(p_enterprise) as c
    union all
    select s.kind, s.from_code from staged as s where s.to_code is null
  ),
  ends as (
    -- Each end of an edge, and what it must be.
    select s.subject, s.from_code as code, case when s.kind = 'DEPENDS_ON' then 'PAY_COMPONENT' else 'TERM' end as must_be
    from good as s
    where s.to_code is not null
    union all
    select s.subject, s.to_code, case s.kind when 'DEPENDS_ON' then 'PAY_COMPONENT' when 'APPLIES_TO' then 'SCENARIO' else 'TERM' end
    from good as s
    where s.to_code is not null
  ),
  -- A cycle through a component: who reaches itself. Among components that pay knows: their few paths can be counted.
  dependencies as materialized (
    select distinct s.from_code, s.to_code
    from good as s
    where s.kind = 'DEPENDS_ON'
      and s.from_code <> s.to_code
      and s.from_code = any (enum_range(null::pay.component)::text[])
      and s.to_code = any (enum_range(null::pay.component)::text[])
  ),
  walk as (
    with recursive steps as (
      select d.from_code, d.to_code, array[d.from_code, d.to_code] as path
      from dependencies as d
      union all
      select w.from_code, d.to_code, w.path || d.to_code
      from steps as w
      join dependencies as d on d.from_code = w.to_code
      where w.from_code <> w.to_code and d.to_code <> all (w.path[2:])
    )
    select * from steps
  ),
  sizes as (
    select
      (select count(*) from good as g) as now_there,
      (select count(*) from graph.rows_of(v_generation)) as before
  )
  select s.problem, s.subject,
    case s.problem
      when 'OTHER_ENTERPRISE' then 'One end belongs to another enterprise, or to none: remove the edge, or set the property enterprise of the node.'
      when 'WRONG_END' then 'APPLIES_TO leads from a Rule to a Scenario, CONFLICTS_WITH between Rules, DEPENDS_ON between PayComponents.'
      when 'UNREADABLE' then 'A text has a zero character (shown as ␀): write it anew.'
      else 'The node or edge can''t be read.'
    end
  from staged as s
  where s.problem is not null
  union all
  select 'UNKNOWN_' || case e.must_be when 'PAY_COMPONENT' then 'COMPONENT' else e.must_be end, e.subject,
    format('%s is not known: %s', coalesce(e.code, '(without)'),
      case e.must_be
        when 'TERM' then 'rules and terms come from Postgres; a retired one has no edges that count.'
        else 'make the node, with its properties.' end)
  from ends as e
  where not exists (select from known as k where k.kind = e.must_be and k.code = e.code)
  union all
  select 'DUPLICATE', g.subject, format('It is there %s times: keep one.', count(*))
  from good as g
  group by g.kind, g.from_code, g.to_code, g.subject
  having count(*) > 1
  union all
  select 'SELF_EDGE', g.subject, 'Both ends are the same: remove the edge.'
  from good as g
  where g.from_code = g.to_code
  union all
  select 'CYCLE', array_to_string(w.path, ' → '), 'Components depend on each other in a circle, so that nothing could be computed first: remove one DEPENDS_ON edge.'
  from walk as w
  where w.from_code = w.to_code
    and w.from_code = (select min(p.step) from unnest(w.path) as p (step))
  union all
  select 'CONTRADICTION', g.subject, format('The other way round it says %s: keep one of the two.', coalesce(r.properties ->> 'resolutionMethod', 'nothing'))
  from good as g
  join good as r on r.kind = g.kind and r.from_code = g.to_code and r.to_code = g.from_code
  where g.kind = 'CONFLICTS_WITH'
    and g.from_code < g.to_code
  union all
  select 'NO_RESOLUTION_METHOD', g.subject,
    format('resolutionMethod is %s: GREATEST, PRIORITY, ADDITIVE, MOST_SPECIFIC or FAA_PREVAILS.', coalesce(g.properties ->> 'resolutionMethod', 'missing'))
  from good as g
  where g.kind = 'CONFLICTS_WITH'
    and coalesce(g.properties ->> 'resolutionMethod', '') not in ('GREATEST', 'PRIORITY', 'ADDITIVE', 'MOST_SPECIFIC', 'FAA_PREVAILS')
  union all
  select 'TOO_LONG', g.subject, 'Identifiers have at most 200 characters, names 1,000, all properties together 200,000.'
  from good as g
  where greatest(length(g.from_code), length(g.to_code)) > 200
    or length(g.properties ->> 'name') > 1000
    or length(g.properties::text) > 200000
  union all
  select 'MISSING_PROPERTY', g.subject, format('The property %s is missing.', r.name)
  from good as g
  join (values ('SCENARIO', 'name'), ('SCENARIO', 'level'), ('SCENARIO', 'pattern'), ('PAY_COMPONENT', 'name'), ('PAY_COMPONENT', 'calculationOrder'))
    as r (kind, name) on r.kind = g.kind
  where coalesce(g.properties ->> r.name, '') = '' or g.from_code is null
  union all
  select 'BAD_LEVEL', g.subject, format('level is %s: leg, duty, day, trip, period or month.', g.properties ->> 'level')
  from good as g
  where g.kind = 'SCENARIO' and g.properties ->> 'level' <> all (enum_range(null::rules.node_level)::text[])
  union all
  select 'BAD_PATTERN', g.subject, 'pattern is JsonLogic, written as JSON text.'
  from good as g
  where g.kind = 'SCENARIO' and g.properties ? 'pattern' and graph.as_json(g.properties ->> 'pattern') is null
  union all
  select 'UNKNOWN_COMPONENT', g.subject, format('A component is one of %s.', array_to_string(enum_range(null::pay.component)::text[], ', '))
  from good as g
  where g.kind = 'PAY_COMPONENT' and g.from_code <> all (enum_range(null::pay.component)::text[])
  union all
  select 'BAD_ORDER', g.subject, 'calculationOrder is a whole number from 0 to 32767.'
  from good as g
  where g.kind = 'PAY_COMPONENT' and g.properties ? 'calculationOrder' and g.properties ->> 'calculationOrder' !~ '^\d{1,4}$'
  union all
  select 'SHRINK', 'rule graph', format('%s rows are left of %s. If that is meant: crewpay sync backflow --accept-shrink; if not: crewpay graph restore.', z.now_there, z.before)
  from sizes as z
  where not p_accept_shrink
    and z.before - z.now_there > greatest(z.before / 5, 1)
  order by 1, 2, 3;
end
$$;
revoke all on function graph.staged_findings(uuid, boolean) from public;
grant execute on function graph.staged_findings(uuid, boolean) to crewpay_definer;
comment on function graph.staged_findings(uuid, boolean) is
'Everything that is wrong with the staged rule graph; no row: nothing.
p_enterprise: tenant; p_accept_shrink: whether more than a fifth of the rows may be gone.';

create or replace function graph.as_json(p_text text)
returns jsonb
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  return nullif(p_text::jsonb, 'null');
exception when data_exception or statement_too_complex then
  return null;
end
$$;
revoke all on function graph.as_json(text) from public;
grant execute on function graph.as_json(text) to crewpay_definer;
comment on function graph.as_json(text) is 'The text as JSON, or null where it is none.';

create or replace function graph.store_generation(p_enterprise uuid, p_generation bigint)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into graph.generations (enterprise_id, generation, source) values (p_enterprise, p_generation, 'neo4j');
  insert into graph.scenarios (enterprise_id, generation, id, name, level, pattern, description)
  select p_enterprise, p_generation, s.from_code, s.properties ->> 'name', (s.properties ->> 'level')::rules.node_level,
    (s.properties ->> 'pattern')::jsonb, coalesce(s.properties ->> 'description', s.properties ->> 'name')
  from graph.staged as s
  where s.enterprise_id = p_enterprise and s.kind = 'SCENARIO';
  insert into graph.pay_components (enterprise_id, generation, type, name, calculation_order)
  select p_enterprise, p_generation, s.from_code::pay.component, s.properties ->> 'name', (s.properties ->> 'calculationOrder')::smallint
  from graph.staged as s
  where s.enterprise_id = p_enterprise and s.kind = 'PAY_COMPONENT';
  insert into graph.edges (enterprise_id, generation, kind, from_code, to_code, properties)
  select p_enterprise, p_generation, s.kind, s.from_code, s.to_code, s.properties
  from graph.staged as s
  where s.enterprise_id = p_enterprise and s.to_code is not null;
  perform rules.check_scenarios(p_enterprise, p_generation);
  -- Whoever is paid by it must be payable: the contract compiles in every month that can still be computed.
  perform rules.check_compiles(p_enterprise, p_generation, array(
    select date_trunc('month', now())::date
    union
    select p.contract_month from pay.pay_periods as p where p.enterprise_id = p_enterprise and p.status in ('OPEN', 'PROCESSING')
    union
    select date_trunc('month', t.effective_date)::date
    from rules.union_contract_terms as t
    where t.enterprise_id = p_enterprise and t.superseded_at is null and t.effective_date > now()));
  update graph.generations as g
  set accepted_at = clock_timestamp()
  where g.enterprise_id = p_enterprise and g.generation = p_generation;
end
$$;
revoke all on function graph.store_generation(uuid, bigint) from public;
grant execute on function graph.store_generation(uuid, bigint) to crewpay_definer;
comment on function graph.store_generation(uuid, bigint) is
'The staged rule graph as an accepted generation.
p_enterprise: tenant; p_generation: its number. Raises CP201 to CP206 when the contract doesn''t compile with it.';

create or replace function graph.propose(
  p_epoch bigint, p_base bigint, p_bookmark text, p_rows jsonb, p_accept_shrink boolean default false,
  out state text, out generation bigint, out finding_count integer)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_enterprise uuid := graph.require_leader(p_epoch);
  v_last graph.proposals;
  v_findings jsonb;
  v_code text;
  v_message text;
  v_hint text;
  v_hash text := encode(sha256(convert_to(p_rows::text, 'UTF8')), 'hex');
begin
  finding_count := 0;
  generation := rules.accepted_generation(v_enterprise);
  if generation is distinct from p_base
    or exists (select from graph.outbox as o where o.enterprise_id = v_enterprise and o.entity = 'generation')
    or exists (select from graph.dead_letters as d where d.enterprise_id = v_enterprise and d.entity = 'generation') then
    state := 'deferred';
    return;
  end if;
  perform from graph.generations as g
  where g.enterprise_id = v_enterprise and g.generation = p_base
  for update skip locked;
  if not found and p_base is not null then
    state := 'busy';
    return;
  end if;

  delete from graph.staged as s where s.enterprise_id = v_enterprise;
  insert into graph.staged (enterprise_id, row_no, kind, from_code, to_code, properties, problem)
  select v_enterprise, row_number() over (), r.kind, r.from_code, r.to_code, coalesce(r.properties, '{}'), nullif(r.problem, 'RETIRED')
  from jsonb_to_recordset(p_rows) as r (kind text, from_code text, to_code text, properties jsonb, problem text)
  -- Which rules are retired is Postgres' to say: the edges of one that is on record count, whatever its node says.
  where r.problem is distinct from 'RETIRED'
    or (r.kind = 'DEPENDS_ON' or r.from_code in (select c.code from graph.codes_on_record(v_enterprise) as c))
      and (r.kind <> 'CONFLICTS_WITH' or r.to_code in (select c.code from graph.codes_on_record(v_enterprise) as c));

  if not exists (select from graph.staged as s where s.enterprise_id = v_enterprise and s.problem is not null)
    and not exists (select from graph.staged_differences(v_enterprise, p_base)) then
    state := 'unchanged';
    perform ops.clear_alert('graph.rejected');
    return;
  end if;

  select coalesce(jsonb_agg(jsonb_build_array(f.code, f.subject, f.detail)), '[]') into v_findings
  from graph.staged_findings(v_enterprise, p_accept_shrink) as f;
  -- A rule that came or went just now is not in Neo4j yet: what it looks like without is no curator's mistake.
  if v_findings @> '[["UNKNOWN_TERM"]]'
    and exists (
      select
      from graph.outbox as o
      join graph.staged as s on s.enterprise_id = o.enterprise_id and o.key in (s.from_code, s.to_code)
      where o.enterprise_id = v_enterprise and o.entity in ('term', 'faa_rule')) then
    state := 'deferred';
    return;
  end if;
  if v_findings = '[]' then
    begin
      perform graph.store_generation(v_enterprise, coalesce(p_base, -1) + 1);
      generation := coalesce(p_base, -1) + 1;
    exception when others then
      get stacked diagnostics v_code = returned_sqlstate, v_message = message_text, v_hint = pg_exception_hint;
      -- Classes 22, 23 and 54: a value or a nesting that no rule above foresaw. It is the graph's fault as well.
      if v_code !~ '^(CP2|22|23|54)' then
        raise;
      end if;
      v_findings := jsonb_build_array(jsonb_build_array('DOES_NOT_COMPILE', v_code, concat_ws(' ', v_message || '.', v_hint)));
    end;
  end if;
  finding_count := jsonb_array_length(v_findings);
  state := case when finding_count = 0 then 'accepted' else 'rejected' end;

  select * into v_last
  from graph.proposals as p
  where p.enterprise_id = v_enterprise
  order by p.proposal desc
  limit 1;
  if state = 'rejected' and v_last.state = 'rejected' and v_last.content_hash = v_hash then
    update graph.proposals as p
    set seen_at = clock_timestamp(), bookmark = p_bookmark
    where p.enterprise_id = v_enterprise and p.proposal = v_last.proposal;
    delete from graph.proposal_findings as f where f.enterprise_id = v_enterprise and f.proposal = v_last.proposal;
  else
    v_last.proposal := coalesce(v_last.proposal, 0) + 1;
    insert into graph.proposals (enterprise_id, proposal, state, generation, base_generation, bookmark, content_hash, row_count)
    values (v_enterprise, v_last.proposal, propose.state, case when finding_count = 0 then propose.generation end, p_base, p_bookmark, v_hash, jsonb_array_length(p_rows));
  end if;
  insert into graph.proposal_findings (enterprise_id, proposal, finding_no, code, subject, detail)
  select v_enterprise, v_last.proposal, f.finding_no, f.finding ->> 0, f.finding ->> 1, f.finding ->> 2
  from jsonb_array_elements(v_findings) with ordinality as f (finding, finding_no);

  if finding_count = 0 then
    perform ops.clear_alert('graph.rejected');
  else
    perform ops.raise_alert('graph.rejected', 'HIGH',
      format('the rule graph in Neo4j is rejected, generation %s stays in force: %s', coalesce(p_base::text, '(none)'), v_findings -> 0 ->> 1),
      jsonb_build_object('proposal', v_last.proposal, 'findings', v_findings));
  end if;
end
$$;
alter function graph.propose(bigint, bigint, text, jsonb, boolean) owner to crewpay_definer;
revoke all on function graph.propose(bigint, bigint, text, jsonb, boolean) from public;
grant execute on function graph.propose(bigint, bigint, text, jsonb, boolean) to crewpay_sync;
comment on function graph.propose(bigint, bigint, text, jsonb, boolean) is
'A rule graph read from Neo4j as one state: accepted as the next generation, or rejected with every reason (graph.proposal_findings and an alert).
p_epoch: from graph.claim(); p_base: generation in force when it was read; p_bookmark: state of Neo4j that was read;
p_rows: [{"kind","from_code","to_code","properties","problem"}]; p_accept_shrink: whether more than a fifth of the rows may be gone.
Returns state (accepted, rejected, unchanged; deferred: something that changed here goes first; busy: a pay run holds the generation),
the generation in force, the number of reasons. Errors: 42501, CP701.';

create or replace function graph.staged_differences(p_enterprise uuid, p_generation bigint)
returns table (kind text, from_code text, to_code text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  with staged as (
    select s.kind, s.from_code, s.to_code,
      case s.kind
        when 'SCENARIO' then jsonb_build_object(
          'name', s.properties -> 'name', 'level', s.properties -> 'level', 'pattern', graph.as_json(s.properties ->> 'pattern')::text,
          'description', coalesce(s.properties -> 'description', s.properties -> 'name'))
        when 'PAY_COMPONENT' then jsonb_build_object('name', s.properties -> 'name', 'calculationOrder', s.properties -> 'calculationOrder')
        else s.properties
      end as properties
    from graph.staged as s
    where s.enterprise_id = p_enterprise
  ),
  in_force as (
    select r.kind, r.from_code, r.to_code, r.properties from graph.rows_of(p_generation) as r
  )
  select d.kind, d.from_code, d.to_code
  from (
    (select * from staged except all select * from in_force)
    union all
    (select * from in_force except all select * from staged)
  ) as d
$$;
revoke all on function graph.staged_differences(uuid, bigint) from public;
grant execute on function graph.staged_differences(uuid, bigint) to crewpay_definer;
comment on function graph.staged_differences(uuid, bigint) is
'What differs between the staged rule graph and a generation, both ways; no row: they are equal.
p_enterprise: tenant; p_generation: number, or null for none.';
