"""Deploy: cluster objects, migrations, then the SQL tree in one transaction. See sql/README.md."""
