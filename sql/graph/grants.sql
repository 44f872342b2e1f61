-- Table grants of schema graph.

grant select on graph.generations, graph.scenarios, graph.pay_components, graph.edges
  to crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi, crewpay_sync;
grant select, insert, update, delete on graph.generations, graph.scenarios, graph.pay_components, graph.edges to crewpay_definer;

-- The daemon's tables change through functions only.
grant select, insert, update, delete on graph.links, graph.outbox, graph.dead_letters, graph.staged, graph.proposals, graph.proposal_findings
  to crewpay_definer;
grant select on graph.links, graph.outbox, graph.dead_letters, graph.staged, graph.proposals, graph.proposal_findings
  to crewpay_admin, crewpay_sync;
