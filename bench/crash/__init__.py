"""The crash matrix and the soak: real processes that die at the worst moments, and a ledger.

``docs/design/crash-matrix.md`` says what is proven and how the table is read.
"""
