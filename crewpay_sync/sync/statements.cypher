// The daemon's own Cypher. Values are parameters; labels and types stand here, never come from data.

// name: fence
MATCH (s:CrewPaySync {enterprise: $enterprise})
WHERE s.epoch <= $epoch
SET s.epoch = $epoch,
  s.batch = CASE WHEN valueType(s.batch) STARTS WITH 'INTEGER' AND s.batch < $limit THEN s.batch + 1 ELSE 1 END
RETURN s.epoch AS epoch;

// name: epoch
MATCH (s:CrewPaySync {enterprise: $enterprise})
RETURN s.epoch AS epoch;

// name: initialise
MERGE (s:CrewPaySync {enterprise: $enterprise})
WITH s, valueType(s.epoch) STARTS WITH 'INTEGER' AND s.epoch >= 0 AND s.epoch < $limit AS good
SET s.epoch = CASE WHEN good THEN s.epoch ELSE $epoch END
RETURN s.epoch AS epoch;

// name: term
UNWIND $rows AS row
MERGE (n:Rule:ContractTerm {enterprise: $enterprise, code: row.key})
SET n += row.properties
REMOVE n.retired
RETURN count(*) AS applied;

// name: faa_rule
UNWIND $rows AS row
MERGE (n:Rule:FaaRule {enterprise: $enterprise, code: row.key})
SET n += row.properties
REMOVE n.retired
RETURN count(*) AS applied;

// name: interpretation
UNWIND $rows AS row
MERGE (n:Interpretation {enterprise: $enterprise, id: row.key})
SET n += row.properties
RETURN count(*) AS applied;

// name: unrequire
UNWIND $rows AS row
MATCH (:Interpretation {enterprise: $enterprise, id: row.key})-[r:REQUIRES]->(x)
WHERE NOT coalesce(x.code, '') IN row.requires OR x.enterprise <> $enterprise
DELETE r
RETURN count(*) AS applied;

// name: require
UNWIND $rows AS row
UNWIND row.requires AS code
MATCH (n:Interpretation {enterprise: $enterprise, id: row.key})
MATCH (x:Rule {enterprise: $enterprise, code: code})
WHERE x:ContractTerm OR x:FaaRule
MERGE (n)-[:REQUIRES]->(x)
RETURN count(*) AS applied;

// name: remove_term
UNWIND $keys AS key
MATCH (n:Rule:ContractTerm {enterprise: $enterprise, code: key})
WITH n, EXISTS { (n)-[:APPLIES_TO|CONFLICTS_WITH|SUPERSEDES|EXEMPTS]-() } AS curated
FOREACH (x IN CASE WHEN curated THEN [n] ELSE [] END | SET x.retired = true)
FOREACH (x IN CASE WHEN curated THEN [] ELSE [n] END | DETACH DELETE x)
RETURN count(*) AS applied;

// name: remove_faa_rule
UNWIND $keys AS key
MATCH (n:Rule:FaaRule {enterprise: $enterprise, code: key})
WITH n, EXISTS { (n)-[:APPLIES_TO|CONFLICTS_WITH|SUPERSEDES|EXEMPTS]-() } AS curated
FOREACH (x IN CASE WHEN curated THEN [n] ELSE [] END | SET x.retired = true)
FOREACH (x IN CASE WHEN curated THEN [] ELSE [n] END | DETACH DELETE x)
RETURN count(*) AS applied;

// name: remove_interpretation
UNWIND $keys AS key
MATCH (n:Interpretation {enterprise: $enterprise, id: key})
DETACH DELETE n
RETURN count(*) AS applied;

// name: push_SCENARIO
UNWIND $rows AS row
MERGE (n:Scenario {enterprise: $enterprise, id: row.from_code})
SET n += row.properties
RETURN count(*) AS applied;

// name: push_PAY_COMPONENT
UNWIND $rows AS row
MERGE (n:PayComponent {enterprise: $enterprise, type: row.from_code})
SET n += row.properties
RETURN count(*) AS applied;

// name: push_APPLIES_TO
UNWIND $rows AS row
MATCH (a:Rule {enterprise: $enterprise, code: row.from_code})
MATCH (b:Scenario {enterprise: $enterprise, id: row.to_code})
MERGE (a)-[r:APPLIES_TO]->(b)
SET r += row.properties
RETURN count(DISTINCT row) AS applied;

// name: push_CONFLICTS_WITH
UNWIND $rows AS row
MATCH (a:Rule {enterprise: $enterprise, code: row.from_code})
MATCH (b:Rule {enterprise: $enterprise, code: row.to_code})
MERGE (a)-[r:CONFLICTS_WITH]->(b)
SET r += row.properties
RETURN count(DISTINCT row) AS applied;

// name: push_DEPENDS_ON
UNWIND $rows AS row
MATCH (a:PayComponent {enterprise: $enterprise, type: row.from_code})
MATCH (b:PayComponent {enterprise: $enterprise, type: row.to_code})
MERGE (a)-[r:DEPENDS_ON]->(b)
SET r += row.properties
RETURN count(DISTINCT row) AS applied;

// name: push_SUPERSEDES
UNWIND $rows AS row
MATCH (a:Rule {enterprise: $enterprise, code: row.from_code})
MATCH (b:Rule {enterprise: $enterprise, code: row.to_code})
MERGE (a)-[r:SUPERSEDES]->(b)
SET r += row.properties
RETURN count(DISTINCT row) AS applied;

// name: push_EXEMPTS
UNWIND $rows AS row
MATCH (a:Rule {enterprise: $enterprise, code: row.from_code})
MATCH (b:Rule|Scenario {enterprise: $enterprise})
WHERE coalesce(b.code, b.id) = row.to_code
MERGE (a)-[r:EXEMPTS]->(b)
SET r += row.properties
RETURN count(DISTINCT row) AS applied;

// name: clear_edges
MATCH (a)-[r:APPLIES_TO|CONFLICTS_WITH|DEPENDS_ON|SUPERSEDES|EXEMPTS]->()
WHERE a.enterprise = $enterprise
DELETE r;

// name: clear_nodes
MATCH (n:Scenario|PayComponent {enterprise: $enterprise})
DETACH DELETE n;

// name: probe
RETURN 1 AS one;

// name: scenarios
MATCH (n:Scenario {enterprise: $enterprise})
RETURN n.id AS code, properties(n) AS properties;

// name: pay_components
MATCH (n:PayComponent {enterprise: $enterprise})
RETURN n.type AS code, properties(n) AS properties;

// name: edges
MATCH (a)-[r:APPLIES_TO|CONFLICTS_WITH|DEPENDS_ON]->(b)
WHERE a.enterprise = $enterprise
RETURN type(r) AS kind, labels(a) AS from_labels, coalesce(a.code, a.type, a.id) AS from_code,
  labels(b) AS to_labels, coalesce(b.code, b.id, b.type) AS to_code, b.enterprise AS to_enterprise,
  a.retired IS NOT NULL OR b.retired IS NOT NULL AS retired, properties(r) AS properties;

// name: notes
MATCH (a:Rule)-[r:SUPERSEDES|EXEMPTS]->(b:Rule|Scenario)
WHERE a.enterprise = $enterprise AND b.enterprise = $enterprise
RETURN type(r) AS kind, a.code AS from_code, coalesce(b.code, b.id) AS to_code, properties(r) AS properties;

// name: all_term
MATCH (n:Rule {enterprise: $enterprise})
WHERE n.code > $after AND n:ContractTerm AND n.retired IS NULL
WITH n ORDER BY n.enterprise, n.code LIMIT $limit
RETURN collect([n.code, [c IN $columns | n[c]], []]) AS page;

// name: all_faa_rule
MATCH (n:Rule {enterprise: $enterprise})
WHERE n.code > $after AND n:FaaRule AND n.retired IS NULL
WITH n ORDER BY n.enterprise, n.code LIMIT $limit
RETURN collect([n.code, [c IN $columns | n[c]], []]) AS page;

// name: all_interpretation
MATCH (n:Interpretation {enterprise: $enterprise})
WHERE n.id > $after
WITH n ORDER BY n.enterprise, n.id LIMIT $limit
RETURN collect([n.id, [c IN $columns | n[c]], COLLECT { MATCH (n)-[:REQUIRES]->(x) RETURN x.code }]) AS page;

// name: some_term
UNWIND $keys AS key
MATCH (n:Rule:ContractTerm {enterprise: $enterprise, code: key})
WHERE n.retired IS NULL
RETURN collect([n.code, [c IN $columns | n[c]], []]) AS page;

// name: some_faa_rule
UNWIND $keys AS key
MATCH (n:Rule:FaaRule {enterprise: $enterprise, code: key})
WHERE n.retired IS NULL
RETURN collect([n.code, [c IN $columns | n[c]], []]) AS page;

// name: some_interpretation
UNWIND $keys AS key
MATCH (n:Interpretation {enterprise: $enterprise, id: key})
RETURN collect([n.id, [c IN $columns | n[c]], COLLECT { MATCH (n)-[:REQUIRES]->(x) RETURN x.code }]) AS page;
