-- name: begin
select r.id, (select count(*) from crew.crew_members as c where c.enterprise_id = r.enterprise_id) as crew
from pay.begin_run(auth.enterprise_id(), %(period)s) as r;

-- name: hold
select pay.hold_run(%(run)s) as snapshot;

-- name: slice
select pay.compute_slice(%(run)s, %(slice)s, %(slices)s, %(group)s) as legs;

-- name: take
select pay.take_slices(%(run)s) as results;

-- name: publish
select r.id, r.crew_count, r.leg_count, r.line_count, r.total_amount, r.finding_count, r.result_hash, r.as_of
from pay.publish_run(%(run)s) as r;

-- name: purge
select pay.purge_runs(%(run)s) as runs;
