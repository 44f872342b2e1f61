drop table pay.recovery_instalments;
drop table pay.recoveries;
drop table pay.retro_items;
drop table pay.retro_results;
drop table pay.retros;
drop type pay.recovery_state;
drop type pay.retro_state;
