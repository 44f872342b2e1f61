-- name: begin
select crew.import_begin(p_kind => %s, p_file_name => %s);

-- name: stage
select crew.import_stage(p_batch => %s, p_first_row => %s, p_rows => %s);

-- name: finish
select row_count, inserted_count, updated_count, unchanged_count, rejected_count
from crew.import_finish(p_batch => %s);

-- name: rejects
select row_no as row, code, reason
from crew.import_rejects
where batch_id = %s
order by row_no
limit %s;

-- name: waiting_rates
-- The rates that this import asks for.
select c.id, (select count(*) from jsonb_object_keys(c.rates)) as rates
from pay.rate_changes c
where c.enterprise_id = auth.enterprise_id() and c.requested_at = now() and c.rates is not null;
