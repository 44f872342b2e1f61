// What a rule conflicts with, and which of the two gives way.
MATCH (a:Rule {enterprise: $enterprise, code: $code})-[c:CONFLICTS_WITH]-(b:Rule)
RETURN b.code AS code, b.title AS title, c.resolutionMethod AS resolutionMethod, a.priority AS priority, b.priority AS otherPriority, c.notes AS notes
ORDER BY code;
