"""The rule graph in agreement with Neo4j: changes of rules go there, what is curated there comes back."""
