"""The words of the domain: money, charges, operations, tokens, policy, ledger rows.

What belongs here: types, schemas and pure arithmetic. What does not: files, SQL, Dagster, clocks.
"""
