"""Crash, fault, bit-flip and concurrency proof of the lake: short in CI, in full by make target.

Belongs here: killing writers, faulty storage, flipping bits, many writers at once, and what must be
true afterwards. Does not: what the lake's functions do when all goes well (``lake`` tests).

``python -m attribution_pipeline_tests.reliability.run`` measures everything and writes the table in
``docs/reliability.md``.
"""
