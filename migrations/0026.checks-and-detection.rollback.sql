-- The value added to pay.run_kind stays: a type loses none, and 0001 drops it whole.
drop table review.parallel_lines;
delete from crew.import_batches where kind = 'parallel';
alter table crew.import_batches drop constraint import_batches_kind_is_known;
alter table crew.import_batches add constraint import_batches_kind_is_known
  check (kind in ('flights', 'crew', 'trips', 'assignments', 'payments'));
alter table review.discrepancies
  drop column discrepancy_no,
  drop column check_id, drop column subject_key, drop column component, drop column basis, drop column level, drop column node,
  drop column reason, drop column explanation, drop column detection_id, drop column run_id, drop column assigned_to, drop column cured,
  drop column adjustment_id, drop column claim_id;
drop table review.detections;
drop table review.checks;
drop type review.finding;
drop type review.scope;
drop type review.difference;
drop type review.reason;
drop type review.basis;
