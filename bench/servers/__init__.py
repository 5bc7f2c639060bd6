"""The same small service, written once for each contestant.

``POST /quotes`` takes a school, an amount and a currency, checks them, and answers with a
quote. ``POST /front`` (of the hop) takes the same and asks ``/quotes`` of another process.
"""
