"""What others take over in a standard's shape: the ledger as a FOCUS dataset.

Belongs here: which rows, columns and files such a dataset has, and that its parts sum to what they
were parts of. Does not: how a share was found (``attribution``), tables that people read (``views``),
commands. See docs/focus-export.md.
"""
