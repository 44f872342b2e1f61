// What has been decided about a rule: interpretations that require it, the surest first.
MATCH (i:Interpretation {enterprise: $enterprise})-[:REQUIRES]->(r:Rule {enterprise: $enterprise, code: $code})
RETURN i.id AS id, i.scenario AS scenario, i.interpretation AS interpretation, i.confidence AS confidence, i.validatedBy AS validatedBy
ORDER BY confidence DESC, id;
