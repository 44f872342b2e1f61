// All rules that apply to a scenario, the strongest first.
MATCH (s:Scenario {enterprise: $enterprise, id: $scenario})<-[:APPLIES_TO]-(r:Rule)
RETURN r.code AS code, r.title AS title, r.source AS source, r.appliesTo AS appliesTo, r.priority AS priority
ORDER BY priority, code;
