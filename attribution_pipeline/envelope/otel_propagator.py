"""Where the envelope stays inside: a propagator that strips it for hosts outside ``propagate_to``.

Belongs here: finding out which host a call goes to, and stripping. Does not: headers themselves
(``propagation``). Needs opentelemetry-api.

OpenTelemetry has no setting for this (open-telemetry/opentelemetry-specification#3957, open), and
its HTTP client instrumentations have no hook after injection. What they do have in common: they
start a CLIENT span with the URL on it and inject inside that span. So the host is read from there.
Where it cannot be read (no such span, a span that is not recorded) the call counts as outside.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from typing import Any

from attribution_pipeline.envelope.errors import EnvelopeError, MissingLibrary
from attribution_pipeline.envelope.otel_context import current, with_carried
from attribution_pipeline.envelope.propagation import HEADER, is_inside, strip

try:
    from opentelemetry import propagate, trace
    from opentelemetry.baggage.propagation import W3CBaggagePropagator
    from opentelemetry.context.context import Context
    from opentelemetry.propagators.textmap import (
        CarrierT,
        Getter,
        Setter,
        TextMapPropagator,
        default_getter,
        default_setter,
    )
except ModuleNotFoundError:
    raise MissingLibrary("opentelemetry-sdk", "the propagator") from None

DESTINATION_ATTRIBUTES = (
    "url.full", "http.url", "server.address", "net.peer.name", "http.host", "peer.hostname",
)  # fmt: skip
"""Where instrumentations say the destination: semantic conventions of HTTP and RPC, new and old.

All that are there must be inside: with a proxy they may differ.
"""


class EnvelopePropagator(TextMapPropagator):
    """``inner`` (the global propagator), without the envelope where it must not go.

    ``queues``: PRODUCER spans carry it, since a queue is one's own.
    """

    def __init__(
        self,
        propagate_to: Iterable[str],
        inner: TextMapPropagator | None = None,
        *,
        queues: bool = True,
    ) -> None:
        self._propagate_to = tuple(propagate_to)
        is_inside("", propagate_to)  # refuses one text in place of a list
        self._inner = propagate.get_global_textmap() if inner is None else inner
        self._queues = queues

    @property
    def fields(self) -> set[str]:
        """Names of the headers that it may set."""
        return set(self._inner.fields) | {HEADER}

    def extract(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        getter: Getter[CarrierT] = default_getter,
    ) -> Context:
        """As ``inner``; baggage is read even where ``inner`` does not."""
        found = self._inner.extract(carrier, context, getter)
        if HEADER not in self._inner.fields:
            found = W3CBaggagePropagator().extract(carrier, found, getter)
        return found

    def inject(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        setter: Setter[CarrierT] = default_setter,
    ) -> None:
        """As ``inner``, with the envelope for destinations inside and without it for all others."""
        inside = self._goes_inside(context)
        if not inside and isinstance(carrier, MutableMapping):
            strip(carrier)  # a request that was redirected still has the headers of its first hop
        carried = current(context) if inside else None
        within = with_carried(carried, context)
        self._inner.inject(carrier, within, setter)
        if HEADER not in self._inner.fields:
            W3CBaggagePropagator().inject(carrier, within, setter)

    def _goes_inside(self, context: Context | None) -> bool:
        span: Any = trace.get_current_span(context)
        kind = getattr(span, "kind", None)  # a span that is not recorded has neither
        if kind is trace.SpanKind.PRODUCER:
            return self._queues
        if kind is not trace.SpanKind.CLIENT:  # a SERVER span names this host, not the next
            return False
        attributes = getattr(span, "attributes", None) or {}
        said = [attributes[name] for name in DESTINATION_ATTRIBUTES if name in attributes]
        return bool(said) and all(is_inside(str(one), self._propagate_to) for one in said)


def install(provider: Any, propagate_to: Iterable[str], *, queues: bool = True) -> None:
    """Stamp every span of ``provider`` and guard every injection of this process.

    ``provider``: the SDK's TracerProvider. Once a process. Raises EnvelopeError a second time.
    """
    from attribution_pipeline.envelope.span_processor import EnvelopeSpanProcessor

    if isinstance(propagate.get_global_textmap(), EnvelopePropagator):
        raise EnvelopeError("the envelope's propagator is installed already")
    propagator = EnvelopePropagator(propagate_to, queues=queues)
    provider.add_span_processor(EnvelopeSpanProcessor())
    propagate.set_global_textmap(propagator)
