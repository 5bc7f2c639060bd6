"""schools: over 900 real schools, their currencies and their payout accounts."""
