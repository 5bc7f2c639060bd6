"""quotes: locks an exchange rate for a payer."""
