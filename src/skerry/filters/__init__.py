"""One policy a module, each a function around a service, each with one frozen settings value.

A filter knows nothing of the others; their order, and the reasons for it, are in ``stack``.
"""
