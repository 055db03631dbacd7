"""The span processor: stamps the envelope on every span, whichever library starts it.

Belongs here: ``EnvelopeSpanProcessor``. Does not: carrying (``otel_context``), stripping
(``otel_propagator``). Needs opentelemetry-sdk.
"""

from __future__ import annotations

import logging

from attribution_pipeline.envelope.errors import MissingLibrary
from attribution_pipeline.envelope.propagation import ATTEMPT, ENVELOPE, PARENT

try:
    from opentelemetry.context.context import Context
    from opentelemetry.sdk.trace import Span, SpanProcessor

    from attribution_pipeline.envelope.otel_context import current
except ModuleNotFoundError:
    raise MissingLibrary("opentelemetry-sdk", "the span processor") from None

_log = logging.getLogger(__name__)


class EnvelopeSpanProcessor(SpanProcessor):
    """Sets ``attribution.envelope``, ``attribution.attempt`` and ``attribution.parent_issuance_id``.

    At the start of a span, from the context that it starts in. An envelope that the application set
    on the span itself stays. It must be there when the span starts: what is carried later in the
    same span is on its children alone.
    """

    def __init__(self) -> None:
        self._warned = False

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Stamp one span."""
        carried = current(parent_context)
        if carried is None or ENVELOPE in (span.attributes or {}):
            return
        span.set_attribute(ENVELOPE, carried.token)
        span.set_attribute(ATTEMPT, carried.attempt)
        if carried.parent_issuance_id is not None:
            span.set_attribute(PARENT, carried.parent_issuance_id)
        self._require_whole(span, carried.token)

    def _require_whole(self, span: Span, token: str) -> None:
        """The SDK cuts attributes in silence where a limit is set, and a cut token is no token."""
        if self._warned or (span.attributes or {}).get(ENVELOPE) == token:
            return
        self._warned = True
        _log.warning(
            "the SDK's attribute limits cut attribution.envelope: these spans will not verify; "
            "raise OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT or OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"
        )
