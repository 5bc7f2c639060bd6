"""The processes of a fleet: one supervisor, one nursery, and what they keep running.

From outside: ``up`` starts and ends a fleet, ``client`` talks to one that runs.
``docs/design/processes.md`` tells who is whose child and how death is noticed.
"""
