"""Databases for apps: transactions off the event loop, migrations that may race."""
