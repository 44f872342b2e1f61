// The crew pay document's first query: all rules for a delayed red-eye flight.
// As written there, it names no enterprise: on a graph of several it answers for all of them. rules_for_scenario asks for one.
MATCH (s:Scenario {id: 'delayed_flight_controllable'})
MATCH (r)-[:APPLIES_TO]->(s)
RETURN r.code, r.title, r.priority
ORDER BY r.priority DESC;
