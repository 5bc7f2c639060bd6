"""payouts: orders the bank to pay schools."""
