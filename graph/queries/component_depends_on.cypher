// What a component depends on, directly and through others.
MATCH path = (c:PayComponent {enterprise: $enterprise, type: $component})-[:DEPENDS_ON*]->(d:PayComponent)
RETURN d.type AS dependsOn, d.name AS name, length(path) AS steps, d.calculationOrder AS calculationOrder
ORDER BY steps, calculationOrder;
