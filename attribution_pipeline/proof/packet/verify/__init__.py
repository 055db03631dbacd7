"""Checks a review packet with nothing but the packet and a public key.

Belongs here: a second implementation of the ledger's arithmetic, on plain integers, and the checks
that an auditor runs. Does not: making a packet (``proof.packet``), anything of the engine. Imports
the standard library and, to verify signatures, ``securesystemslib`` with ``cryptography``; nothing
else of this project, so that this folder can be copied and run alone: ``python -m verify PACKET
--key PUBLIC.pem``.

Reading order: ``archive`` (the container), ``statement`` (signature and digests), ``records`` (what
a day's files say), ``arithmetic`` (the two divisions), ``pieces``, ``meters``, ``nodes``, ``shares``
(each division again), ``rows`` (parts to ledger rows), ``recompute`` (their order),
``conservation``, ``consistency``, ``envelopes``, ``checks`` (all of it).
"""
