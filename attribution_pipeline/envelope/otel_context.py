"""Carrying inside a process: the envelope in OpenTelemetry's context, across threads and queues.

Belongs here: putting it there, reading it, taking it to a thread or a message. Does not: which
hosts may see it (``otel_propagator``), spans (``span_processor``). Needs opentelemetry-api.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from attribution_pipeline.envelope.errors import MissingLibrary
from attribution_pipeline.envelope.propagation import (
    OWN_PREFIX,
    Carried,
    carried_from,
    extract,
    inject,
)

try:
    from opentelemetry import baggage, context, propagate
    from opentelemetry.context.context import Context
except ModuleNotFoundError:
    raise MissingLibrary("opentelemetry-sdk", "carrying in OpenTelemetry") from None

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


def with_carried(carried: Carried | None, within: Context | None = None) -> Context:
    """``within`` (the current context) with exactly ``carried``; None takes an envelope out.

    Ours come first: what is over baggage's limits is cut from the end.
    """
    others = {
        name: value
        for name, value in baggage.get_all(within).items()
        if not name.startswith(OWN_PREFIX)
    }
    result = baggage.clear(within)
    members: dict[str, object] = {**(carried.members() if carried else {}), **others}
    for name, value in members.items():
        result = baggage.set_baggage(name, value, result)
    return result


def current(within: Context | None = None) -> Carried | None:
    """What the current context (or ``within``) carries."""
    return carried_from(baggage.get_all(within))


@contextmanager
def carry(carried: Carried | str | None) -> Iterator[None]:
    """Within the block every span is stamped and every call carries it; None: no envelope.

    Where requests come in from outside, enter this with your own issuance or with None: whatever a
    caller from outside sent must not go on as if it came from here.
    """
    value = Carried(carried) if isinstance(carried, str) else carried
    token = context.attach(with_carried(value))
    try:
        yield
    finally:
        context.detach(token)


def in_current_context(function: Callable[_Given, _Result]) -> Callable[_Given, _Result]:
    """``function`` to be run elsewhere (a thread pool) under the context of now.

    ``ThreadPoolExecutor`` starts with an empty one, which loses trace and tenant.
    """
    captured = context.get_current()

    @functools.wraps(function)
    def run(*args: _Given.args, **kwargs: _Given.kwargs) -> _Result:
        token = context.attach(captured)
        try:
            return function(*args, **kwargs)
        finally:
            context.detach(token)

    return run


def inject_into_message(headers: MutableMapping[str, str]) -> None:
    """Trace, baggage and envelope of the current context into the headers of a message.

    A queue is one's own, so ``propagate_to`` has no say. Raises EnvelopeError as ``inject`` does.
    """
    propagate.inject(headers)
    inject(headers, current())


def extract_from_message(headers: Mapping[str, Any]) -> Context:
    """The context of a message, for ``context.attach`` or as the parent of a span.

    A redelivery is a new attempt of the same issuance: ``with carry(current(ctx).retried())``.
    """
    texts = {name: _text(value) for name, value in headers.items()}
    return with_carried(extract(texts), propagate.extract(texts))


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
