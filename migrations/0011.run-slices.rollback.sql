drop table pay.run_slices;
