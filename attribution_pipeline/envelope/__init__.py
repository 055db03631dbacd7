"""Identity envelopes: who caused the work, signed where it is known, carried to where it costs.

Belongs here: issue, carry, verify and assert, for the pipeline and for applications alike. Does not:
anything else of the project, or a library beyond the standard one at import; an application depends
on this folder alone. Ed25519, the modules ``otel_*`` and ``span_processor`` need the extra
``envelope``, and nothing here imports them before they are asked for.
"""

from attribution_pipeline.envelope.assertion import EnvelopeRefused, assert_envelope
from attribution_pipeline.envelope.claims import Claims
from attribution_pipeline.envelope.errors import EnvelopeError, KeyFileError, MissingLibrary
from attribution_pipeline.envelope.issuing import issue
from attribution_pipeline.envelope.keys import ALGORITHMS, Algorithm, Key, KeyRing
from attribution_pipeline.envelope.propagation import Carried
from attribution_pipeline.envelope.verification import (
    REASONS,
    VERDICTS,
    Verdict,
    Verification,
    is_expired,
    verify,
    verify_issuance,
)

__all__ = [
    "Claims", "issue",
    "Key", "KeyRing", "Algorithm", "ALGORITHMS",
    "verify", "verify_issuance", "is_expired", "Verification", "Verdict", "VERDICTS", "REASONS",
    "assert_envelope", "EnvelopeRefused", "Carried",
    "EnvelopeError", "KeyFileError", "MissingLibrary",
]  # fmt: skip
