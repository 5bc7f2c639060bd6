"""The idea, in one folder: a service is a function, a filter is a function around it.

Nothing here imports the rest of Skerry, and nothing here does I/O. Read in this order:
``service`` (the two types), ``wire`` (what they carry over HTTP), ``context`` (what travels
beside it), ``errors`` (what can go wrong), ``clock`` and ``timeout`` (time, and running out
of it), ``instance`` and ``stack`` (how filters become a client or a server).
"""
