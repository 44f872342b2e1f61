-- Tables whose changes are not recorded row by row, each with the reason. Every other table is attached (a test compares).

create or replace view audit.not_audited
with (security_invoker = true, security_barrier = true)
as
select v.table_name, v.reason
from (values
  ('audit.audit_log',            'It is the trail.'),
  ('auth.pools',                 'Made by operators; auth.token_events keeps it.'),
  ('auth.signing_keys',          'Secrets; auth.token_events keeps rotations.'),
  ('auth.context_keys',          'A secret.'),
  ('auth.revoked_tokens',        'Itself a log, emptied when the tokens have expired; auth.token_events keeps it.'),
  ('auth.token_events',          'Itself a log.'),
  ('crew.airports',              'Public reference data, loaded by deploy.'),
  ('crew.fact_versions',         'Itself history: superseded versions, only ever added.'),
  ('crew.import_batches',        'Itself a log: one row per file brought in; the rows it changed are recorded.'),
  ('crew.import_rows',           'Staging, emptied when the import is done.'),
  ('crew.import_rejects',        'Itself a log: rows that were refused and changed nothing.'),
  ('graph.generations',          'A generation is accepted whole and stays; the next one replaces it.'),
  ('graph.scenarios',            'Part of a generation, which stays.'),
  ('graph.pay_components',       'Part of a generation, which stays.'),
  ('graph.edges',                'Part of a generation, which stays.'),
  ('graph.links',                'Heartbeats and times of the synchronisation.'),
  ('graph.outbox',               'A queue of keys; the rows they name are recorded.'),
  ('graph.dead_letters',         'Keys that could not be pushed; the rows they name are recorded.'),
  ('graph.staged',               'Staging: the last reading of Neo4j.'),
  ('graph.proposals',            'Itself a log of what came back from Neo4j.'),
  ('graph.proposal_findings',    'Itself a log: why a proposal was rejected.'),
  ('ops.error_codes',            'Reference data, loaded by deploy.'),
  ('ops.jobs',                   'Reference data, loaded by deploy.'),
  ('ops.alerts',                 'Itself a log of what happened.'),
  ('ops.job_runs',               'Itself a log of what happened.'),
  ('notify.templates',           'Reference data, loaded by deploy.'),
  ('notify.deliveries',          'Outbox: what was sent is the notification''s sent_at, which is recorded.'),
  ('pay.calculation_versions',   'Itself history: results that are not current, covered by the hash of their run.'),
  ('pay.dirty_marks',            'Bookkeeping of what is to be computed again, emptied by runs; the changes themselves are recorded.'),
  ('pay.retro_results',          'Written once by a back pay, which is audited, and covered by the hash of its approval.'),
  ('pay.retro_items',            'Part of a back pay''s results.'),
  ('pay.run_findings',           'Written once by a run, which is audited.'),
  ('pay.run_slices',             'Bookkeeping of a run in progress, emptied when it is published.'),
  ('pay.slice_results',          'Results of a run in progress, emptied when it is published; the run itself is audited.'),
  ('review.checks',              'Reference data, loaded by deploy.'),
  ('review.claim_numbers',       'Bookkeeping: the number given is the claim''s, which is recorded.'),
  ('review.claim_reviews',       'Itself a log: reviews are only ever added.'),
  ('review.detections',          'Itself a log; the discrepancies it changes are recorded.'),
  ('review.parallel_lines',      'Another payroll''s results, brought in to be compared; they pay nobody.'),
  ('rules.facts',                'Reference data, loaded by deploy.'),
  ('rules.formula_types',        'Reference data, loaded by deploy.'),
  ('rules.term_overlays',        'Gone before the transaction that made it ends.'),
  ('rules.formula_parameters',   'Reference data, loaded by deploy.'),
  ('rules.rulesets',             'Derived from audited terms and identified by a hash.'),
  ('rules.ruleset_terms',        'Derived from audited terms and covered by the ruleset''s hash.'),
  ('rules.plans',                'Derived from audited terms and covered by the ruleset''s hash.')
) as v (table_name, reason);
comment on view audit.not_audited is 'Tables whose changes are not recorded row by row, with the reason.';
comment on column audit.not_audited.table_name is 'Table, with schema.';
comment on column audit.not_audited.reason is 'Why not.';
grant select on audit.not_audited to crewpay_admin;
