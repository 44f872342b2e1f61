drop table crew.import_rejects;
drop table crew.import_rows;
drop table crew.import_batches;
