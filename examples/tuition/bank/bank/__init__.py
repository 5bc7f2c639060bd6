"""bank: reads what the bank says has come, and finds out whose it is."""
