// Rules that Postgres no longer has, kept because curators drew edges to them: redraw those, then delete the node.
MATCH (r:Rule {enterprise: $enterprise, retired: true})-[e]-(other)
RETURN r.code AS code, type(e) AS edge, coalesce(other.code, other.id) AS other
ORDER BY code, edge, other;
