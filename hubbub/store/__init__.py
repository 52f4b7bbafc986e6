"""What is kept: tables, SQL, migrations, the ledger that writes, the data folder."""
