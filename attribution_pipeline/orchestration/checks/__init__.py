"""What is asked of a recorded day, on its committed files.

Belongs here: the questions (``conservation``, ``alerts``), and how Dagster asks them
(``on_ledger``). Does not: the invariants' own queries (``attribution.invariants``); the engine
asserts those before it publishes, and here they are asked again where rows are read.

A new question is a function in ``conservation`` or ``alerts`` and a line in ``on_ledger``; give it
its threshold from the policy, its numbers as metadata, and a sentence that says what to do.
``staleness`` asks of all recorded days together which are out of date.
"""
