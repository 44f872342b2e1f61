drop table graph.proposal_findings;
drop table graph.proposals;
drop table graph.staged;
drop table graph.dead_letters;
drop table graph.outbox;
drop table graph.links;
drop index rules.faa_rules_on_record_idx;
drop index rules.union_contract_terms_on_record_idx;
alter table pay.pay_runs drop column graph_generation;
