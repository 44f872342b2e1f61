alter table pay.pay_runs drop column refreshed_crew, drop column carried_from;
drop table pay.dirty_marks;
drop table rules.term_overlays;
