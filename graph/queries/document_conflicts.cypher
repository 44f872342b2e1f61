// The crew pay document's third query: rule conflicts of captains.
MATCH (r1:Rule)-[c:CONFLICTS_WITH]->(r2:Rule)
WHERE r1.appliesTo CONTAINS 'CAPTAIN'
RETURN r1.code, r2.code, c.resolutionMethod, c.notes;
