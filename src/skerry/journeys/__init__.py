"""Journeys: an acceptance test across apps, written once; a test, a command and a probe."""
