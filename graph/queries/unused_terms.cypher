// Contract terms that no scenario uses: they apply always, or where their own condition holds.
MATCH (t:ContractTerm {enterprise: $enterprise})
WHERE NOT EXISTS { (t)-[:APPLIES_TO]->(:Scenario) } AND t.retired IS NULL
RETURN t.code AS code, t.title AS title, t.category AS category
ORDER BY category, code;
