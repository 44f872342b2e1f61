alter table auth.principals drop constraint principals_crew_member_fkey;
drop table crew.fact_versions;
drop table crew.crew_months;
drop table crew.crew_assignments;
drop table crew.trips;
drop table crew.flights;
drop table crew.crew_members;
drop table crew.airports;
