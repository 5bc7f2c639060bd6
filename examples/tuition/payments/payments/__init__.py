"""payments: what a payer owes, what has come, and what has become of it."""
