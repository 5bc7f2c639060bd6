"""Clients of the apps that this one calls."""
