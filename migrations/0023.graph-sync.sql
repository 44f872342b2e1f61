-- The rule graph is kept in agreement with Neo4j: who leads, what waits to be pushed, what could not be, and what came back.

alter table pay.pay_runs add column graph_generation bigint;
comment on column pay.pay_runs.graph_generation is 'Generation of the rule graph that the run read, from its first group to its last; null: there was none.';

-- One version of a code among many: what a node of the graph shows.
create index union_contract_terms_on_record_idx
  on rules.union_contract_terms (enterprise_id, term_code, effective_date) where superseded_at is null;
create index faa_rules_on_record_idx on rules.faa_rules (rule_code, effective_date) where superseded_at is null;

create table graph.links (
  enterprise_id uuid not null references platform.enterprises (id),
  connected_at timestamptz not null default now(),
  epoch bigint not null default 0,
  holder text,
  backend_pid integer,
  claimed_at timestamptz,
  heartbeat_at timestamptz,
  applied_at timestamptz,
  reconciled_at timestamptz,
  reconciled_differences integer,
  exported_at timestamptz,
  constraint links_pkey primary key (enterprise_id),
  constraint links_holder_beats check ((holder is null) = (backend_pid is null) and (holder is null) = (heartbeat_at is null))
) with (fillfactor = 50);
comment on table graph.links is 'Enterprises whose rules are mirrored to Neo4j, and the one daemon that leads for each.';
comment on column graph.links.enterprise_id is 'Tenant.';
comment on column graph.links.connected_at is 'When Neo4j was connected; since then changes are queued.';
comment on column graph.links.epoch is 'Raised with every new leader, and kept in Neo4j too: a write of an older epoch is refused there.';
comment on column graph.links.holder is 'Leader, as it names itself; null: none.';
comment on column graph.links.backend_pid is 'Process of the leader''s session; when it is gone, another may lead.';
comment on column graph.links.claimed_at is 'When it became leader.';
comment on column graph.links.heartbeat_at is 'Last sign of life; ten seconds without one, and another may lead.';
comment on column graph.links.applied_at is 'When something was last pushed.';
comment on column graph.links.reconciled_at is 'When both sides were last compared.';
comment on column graph.links.reconciled_differences is 'Differences found then (and repaired).';
comment on column graph.links.exported_at is 'When what Neo4j owns was last exported.';

create table graph.outbox (
  enterprise_id uuid not null references graph.links (enterprise_id),
  seq bigint generated always as identity,
  entity text not null,
  key text not null,
  queued_at timestamptz not null default clock_timestamp(),
  constraint outbox_pkey primary key (enterprise_id, seq),
  constraint outbox_entity_is_known check (entity in ('term', 'faa_rule', 'interpretation', 'generation'))
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_insert_scale_factor = 0);
comment on table graph.outbox is 'Keys that changed and wait to be pushed; no content, which is read when it is applied.';
comment on column graph.outbox.enterprise_id is 'Tenant.';
comment on column graph.outbox.seq is 'Entry; acknowledged one by one, never up to a number.';
comment on column graph.outbox.entity is 'term, faa_rule, interpretation, or generation (a rule graph made in Postgres).';
comment on column graph.outbox.key is 'Term code, rule code, interpretation id, or number of the generation.';
comment on column graph.outbox.queued_at is 'When it changed.';

create table graph.dead_letters (
  enterprise_id uuid not null references graph.links (enterprise_id),
  entity text not null,
  key text not null,
  state text not null,
  attempts integer not null default 1,
  first_at timestamptz not null default clock_timestamp(),
  last_at timestamptz not null default clock_timestamp(),
  error_code text not null,
  error text not null,
  constraint dead_letters_pkey primary key (enterprise_id, entity, key),
  constraint dead_letters_state_is_known check (state in ('refused', 'waiting'))
);
comment on table graph.dead_letters is 'Keys that Neo4j would not take. Only that key waits; its next change, or crewpay sync dead retry, tries again.';
comment on column graph.dead_letters.enterprise_id is 'Tenant.';
comment on column graph.dead_letters.entity is 'term, faa_rule, interpretation or generation.';
comment on column graph.dead_letters.key is 'Which one.';
comment on column graph.dead_letters.state is 'refused: Neo4j said no; waiting: for a rule that it refers to and that isn''t there yet.';
comment on column graph.dead_letters.attempts is 'How often it was tried.';
comment on column graph.dead_letters.first_at is 'First failure.';
comment on column graph.dead_letters.last_at is 'Last failure.';
comment on column graph.dead_letters.error_code is 'Code of the error.';
comment on column graph.dead_letters.error is 'What Neo4j said.';

create table graph.staged (
  enterprise_id uuid not null references graph.links (enterprise_id),
  row_no integer not null,
  kind text not null,
  from_code text,
  to_code text,
  properties jsonb not null,
  problem text,
  constraint staged_pkey primary key (enterprise_id, row_no)
);
comment on table graph.staged is 'What was last read from Neo4j, as it was read; the next reading replaces it.';
comment on column graph.staged.enterprise_id is 'Tenant.';
comment on column graph.staged.row_no is 'Row of the reading.';
comment on column graph.staged.kind is 'SCENARIO, PAY_COMPONENT, APPLIES_TO, CONFLICTS_WITH or DEPENDS_ON.';
comment on column graph.staged.from_code is 'Scenario id, component type, or where the edge begins.';
comment on column graph.staged.to_code is 'Where the edge ends; null for nodes.';
comment on column graph.staged.properties is 'Properties of the node or edge.';
comment on column graph.staged.problem is 'What the reader saw that tables can''t: an end in another enterprise, an end of the wrong kind.';

create table graph.proposals (
  enterprise_id uuid not null references graph.links (enterprise_id),
  proposal integer not null,
  state text not null,
  generation bigint,
  base_generation bigint,
  bookmark text not null,
  content_hash text not null,
  row_count integer not null,
  read_at timestamptz not null default clock_timestamp(),
  seen_at timestamptz not null default clock_timestamp(),
  constraint proposals_pkey primary key (enterprise_id, proposal),
  constraint proposals_generation_fkey foreign key (enterprise_id, generation) references graph.generations (enterprise_id, generation),
  constraint proposals_state_is_known check (state in ('accepted', 'rejected')),
  constraint proposals_accepted_have_a_generation check ((state = 'accepted') = (generation is not null))
);
create index proposals_generation_idx on graph.proposals (enterprise_id, generation);
comment on table graph.proposals is 'Rule graphs read from Neo4j that differed from the one in force: accepted as a generation, or rejected whole.';
comment on column graph.proposals.enterprise_id is 'Tenant.';
comment on column graph.proposals.proposal is 'Number.';
comment on column graph.proposals.state is 'accepted or rejected; proposal_findings says why.';
comment on column graph.proposals.generation is 'The generation it became; null: rejected.';
comment on column graph.proposals.base_generation is 'The generation in force when it was read.';
comment on column graph.proposals.bookmark is 'State of Neo4j that was read; the same before and after the reading.';
comment on column graph.proposals.content_hash is 'SHA-256 of the rows.';
comment on column graph.proposals.row_count is 'Rows read.';
comment on column graph.proposals.read_at is 'When it was first read.';
comment on column graph.proposals.seen_at is 'When the same was last read.';

create table graph.proposal_findings (
  enterprise_id uuid not null,
  proposal integer not null,
  finding_no integer not null,
  code text not null,
  subject text not null,
  detail text not null,
  constraint proposal_findings_pkey primary key (enterprise_id, proposal, finding_no),
  constraint proposal_findings_proposal_fkey foreign key (enterprise_id, proposal) references graph.proposals (enterprise_id, proposal)
);
comment on table graph.proposal_findings is 'Why a rule graph read from Neo4j was rejected: every reason.';
comment on column graph.proposal_findings.enterprise_id is 'Tenant.';
comment on column graph.proposal_findings.proposal is 'Proposal.';
comment on column graph.proposal_findings.finding_no is 'Number within the proposal.';
comment on column graph.proposal_findings.code is 'Kind of reason, e.g. CYCLE or UNKNOWN_TERM.';
comment on column graph.proposal_findings.subject is 'The node or edge.';
comment on column graph.proposal_findings.detail is 'What is wrong, and what to do.';

do $$
declare
  v_table regclass;
begin
  foreach v_table in array array[
    'graph.links', 'graph.outbox', 'graph.dead_letters', 'graph.staged', 'graph.proposals', 'graph.proposal_findings']::regclass[]
  loop
    execute format('alter table %s enable row level security', v_table);
    execute format('alter table %s force row level security', v_table);
    execute format('create policy owner_all on %s to crewpay_owner using (true) with check (true)', v_table);
  end loop;
end $$;
