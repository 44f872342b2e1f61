drop table rules.declared_facts;
drop index crew.crew_assignments_position_flown_idx;
alter table crew.crew_months drop column days_off;
alter table rules.facts drop constraint facts_sums_are_numbers;
update rules.facts set sums_upward = false where level <> 'leg' and sums_upward;
alter table rules.facts add constraint facts_sums_are_of_legs check (not sums_upward or (level = 'leg' and value_type in ('int', 'numeric')));
comment on column rules.facts.sums_upward is 'Whether duty, day, trip and month have it as the sum of their legs.';
