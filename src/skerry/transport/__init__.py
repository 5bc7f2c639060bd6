"""How a request reaches an instance: over TCP, over a Unix socket, or within the process.

One protocol (``base.Transport``), several drivers, one suite they all pass
(``tests/transport/conformance.py``). Nothing above this folder knows which one is at work.
"""
