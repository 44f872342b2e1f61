// The crew pay document's second query: pay components and their dependencies.
MATCH (pc:PayComponent {type: 'overtime'})
MATCH path = (pc)-[:DEPENDS_ON*]->(dependency)
RETURN path;
