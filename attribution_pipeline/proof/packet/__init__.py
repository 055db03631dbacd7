"""The review packet: what one tenant was charged in one period, for who has only the packet.

Belongs here: making a packet. Does not: checking one (``verify``, which imports nothing of the
project), what a row means (``attribution``), printing (``commands``).

Reading order: ``build`` (the order), ``trace`` (a day computed again, with what each division went
by), ``divisions`` and ``charges`` (that, as records), ``tables`` (rows as they were recorded),
``evidence`` (spans, envelopes, controls), ``hiding`` (names of others), ``summary`` (the page for
people), ``sealing`` (the archive and its signature).

Nothing is imported here: the verifier lies below and must come up without the rest.
"""
