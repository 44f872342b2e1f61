drop table auth.principals;
drop table platform.system_configs;
drop table platform.users;
drop table platform.enterprises;
