"""The settlement plane and the operation plane joined into one ledger, under a versioned policy.

Folder names, top to bottom, are the architecture: ``model``, ``sources``, ``attribution``,
``lake``, ``proof``, ``views``, ``orchestration``. This file imports nothing, so that importing a
part costs only that part.
"""
