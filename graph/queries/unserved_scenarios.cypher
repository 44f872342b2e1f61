// Scenarios that no term serves: they match, and pay nothing.
MATCH (s:Scenario {enterprise: $enterprise})
WHERE NOT EXISTS { (:Rule)-[:APPLIES_TO]->(s) }
RETURN s.id AS id, s.name AS name, s.level AS level
ORDER BY id;
