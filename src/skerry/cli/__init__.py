"""The ``skerry`` command. ``main`` knows the verbs; the module that does one is imported when it
runs, and no sooner: ``docs/design/cli.md``.
"""
