// Why two rules conflict: how it is resolved, and the scenarios in which both apply.
MATCH (a:Rule {enterprise: $enterprise, code: $first})-[c:CONFLICTS_WITH]-(b:Rule {enterprise: $enterprise, code: $second})
RETURN startNode(c).code AS from, endNode(c).code AS to, c.resolutionMethod AS resolutionMethod, c.notes AS notes,
  COLLECT { MATCH (a)-[:APPLIES_TO]->(s:Scenario)<-[:APPLIES_TO]-(b) RETURN s.id ORDER BY s.id } AS bothApplyTo;
