"""ledger: double entry, which balances to the cent at all times."""
