"""Clients: read, written, made and called."""
