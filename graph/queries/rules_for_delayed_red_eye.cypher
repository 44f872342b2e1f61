// All rules for a red-eye flight that is late for a cause within the company's control.
MATCH (s:Scenario {enterprise: $enterprise})<-[:APPLIES_TO]-(r:Rule)
WHERE s.id IN ['delayed_flight_controllable', 'red_eye_flight']
RETURN r.code AS code, r.title AS title, s.id AS scenario, r.priority AS priority
ORDER BY priority, code;
