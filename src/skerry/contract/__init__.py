"""What an app promises others: types, operations, and the documents that say so.

Nothing here knows HTTP or a server. Read ``operation`` (the promise as data) first, then
``codec`` (bytes to values and back, every fault at once), then ``schema``, ``openapi`` and
``page`` (the promise as documents).
"""
