"""The service's database: transactions, columns, migrations."""
