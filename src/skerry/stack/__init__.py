"""The default stacks: which filters, in which order, and why."""
