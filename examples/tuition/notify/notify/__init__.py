"""notify: writes to payers and schools."""
