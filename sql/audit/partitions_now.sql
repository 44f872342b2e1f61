-- The trail has its partitions from the first second; a job makes the later ones.

do $$
begin
  perform audit.ensure_partitions();
end $$;
