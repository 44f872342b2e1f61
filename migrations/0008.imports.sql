-- Imports from files: what was brought in, the rows while they are checked, and the rows that were refused.

create table crew.import_batches (
  enterprise_id uuid not null references platform.enterprises (id),
  id uuid not null default gen_random_uuid(),
  kind text not null,
  file_name text not null,
  created_by name not null default session_user,
  created_at timestamptz not null default now(),
  finished_at timestamptz,
  row_count integer,
  inserted_count integer,
  updated_count integer,
  unchanged_count integer,
  rejected_count integer,
  constraint import_batches_pkey primary key (enterprise_id, id),
  constraint import_batches_kind_is_known check (kind in ('flights', 'crew', 'trips', 'assignments', 'payments')),
  constraint import_batches_finished_add_up check (
    finished_at is null or row_count = inserted_count + updated_count + unchanged_count + rejected_count)
);
create index import_batches_created_at_idx on crew.import_batches (enterprise_id, created_at);
comment on table crew.import_batches is 'Imports: one row per file brought in.';
comment on column crew.import_batches.enterprise_id is 'Tenant.';
comment on column crew.import_batches.id is 'Import.';
comment on column crew.import_batches.kind is 'What the file holds: flights, crew, trips, assignments or payments.';
comment on column crew.import_batches.file_name is 'Name of the file, as the client gave it.';
comment on column crew.import_batches.created_by is 'Login that imported it.';
comment on column crew.import_batches.created_at is 'When it began.';
comment on column crew.import_batches.finished_at is 'When it was done; null: it never was.';
comment on column crew.import_batches.row_count is 'Rows of the file.';
comment on column crew.import_batches.inserted_count is 'Rows that were new.';
comment on column crew.import_batches.updated_count is 'Rows that changed something.';
comment on column crew.import_batches.unchanged_count is 'Rows that said what was known already.';
comment on column crew.import_batches.rejected_count is 'Rows refused; crew.import_rejects has them.';

create table crew.import_rows (
  enterprise_id uuid not null,
  batch_id uuid not null,
  row_no integer not null,
  data jsonb not null,
  constraint import_rows_pkey primary key (enterprise_id, batch_id, row_no),
  constraint import_rows_batch_fkey foreign key (enterprise_id, batch_id)
    references crew.import_batches (enterprise_id, id) on delete cascade,
  constraint import_rows_data_is_an_object check (jsonb_typeof(data) = 'object')
);
comment on table crew.import_rows is 'Rows of a file while they are checked; emptied when the import is done.';
comment on column crew.import_rows.enterprise_id is 'Tenant.';
comment on column crew.import_rows.batch_id is 'Import.';
comment on column crew.import_rows.row_no is 'Row of the file; the header is row 1.';
comment on column crew.import_rows.data is 'Column name to text; an empty cell is null.';

create table crew.import_rejects (
  enterprise_id uuid not null,
  batch_id uuid not null,
  row_no integer not null,
  code char(5) not null,
  reason text not null,
  data jsonb not null,
  constraint import_rejects_pkey primary key (enterprise_id, batch_id, row_no),
  constraint import_rejects_batch_fkey foreign key (enterprise_id, batch_id)
    references crew.import_batches (enterprise_id, id) on delete cascade,
  constraint import_rejects_code_is_of_class_cp check (code ~ '^CP[0-9]{3}$')
);
comment on table crew.import_rejects is 'Rows that an import refused, with the reason.';
comment on column crew.import_rejects.enterprise_id is 'Tenant.';
comment on column crew.import_rejects.batch_id is 'Import.';
comment on column crew.import_rejects.row_no is 'Row of the file; the header is row 1.';
comment on column crew.import_rejects.code is 'Code of the error catalogue.';
comment on column crew.import_rejects.reason is 'What is wrong, in words.';
comment on column crew.import_rejects.data is 'The row as it was.';

do $$
declare
  v_table regclass;
begin
  foreach v_table in array array[
    'crew.import_batches',
    'crew.import_rows',
    'crew.import_rejects']::regclass[]
  loop
    execute format('alter table %s enable row level security', v_table);
    execute format('alter table %s force row level security', v_table);
    execute format('create policy owner_all on %s to crewpay_owner using (true) with check (true)', v_table);
  end loop;
end $$;
