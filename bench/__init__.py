"""Measurements of Skerry beside its peers: ``python -m bench NAME``.

Not part of the test suite: a figure is a fact about a machine on a day. Every claim in the
docs is a ratio that one of these prints, of things measured in turns in one run.
"""
