"""Asynchronous work: typed events, the brokers that carry them, and handlers that survive."""
