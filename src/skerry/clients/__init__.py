"""Calling an app by its contract.

``runtime`` is what a client is made of, ``dynamic`` makes one from a contract while running,
``generate`` writes one down as a module. All three see a contract through ``document``.
"""
