"""Carrying: the envelope as one opaque member of W3C baggage, in any mapping of headers.

Belongs here: reading, writing and stripping that member, the hosts that may see it, and lineage
(``attempt``, ``parent_issuance_id``), which stands beside the token because a retry must not change
what was signed. Does not: OpenTelemetry's context (``otel_context``) and its propagators
(``otel_propagator``): this module needs the standard library alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from attribution_pipeline.envelope.claims import IDENTIFIER
from attribution_pipeline.envelope.errors import EnvelopeError

HEADER = "baggage"
ENVELOPE = "attribution.envelope"
ATTEMPT = "attribution.attempt"
PARENT = "attribution.parent_issuance_id"
"""Names of baggage members and of span attributes alike."""
OWN_PREFIX = "attribution."
"""All members of this family stay inside, not the token alone."""

MAX_HEADER_BYTES = 8_192
MAX_MEMBERS = 64
"""W3C Baggage, section "Limits": what every platform must carry. More may be cut on the way."""

MAX_ATTEMPT = 1_000_000

_ATTEMPT = re.compile(r"[1-9][0-9]{0,6}", re.ASCII)
_HOST = re.compile(r"[a-z0-9._:-]+")
"""Anything else in a host (a backslash, another alphabet) is read differently by different clients,
so it is outside."""


@dataclass(frozen=True, slots=True)
class Carried:
    """A token on its way, with its lineage. ``attempt`` counts from 1 and only grows.

    ``parent_issuance_id``: the issuance that this one continues, where an issuer made a new one.
    Lineage is not signed: it explains, it never decides whom a cost is charged to.
    """

    token: str
    attempt: int = 1
    parent_issuance_id: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.token, str) or not self.token:
            raise EnvelopeError("there is no token to carry")
        if type(self.attempt) is not int or not 1 <= self.attempt <= MAX_ATTEMPT:
            raise EnvelopeError(f"`attempt` counts from 1 to {MAX_ATTEMPT:,}")
        parent = self.parent_issuance_id
        if parent is not None and not IDENTIFIER.fullmatch(parent):
            raise EnvelopeError("`parent_issuance_id` is no identifier")

    def retried(self) -> Carried:
        """The same token in its next attempt."""
        return replace(self, attempt=self.attempt + 1)

    def members(self) -> dict[str, str]:
        """What it is in baggage and on spans, by name."""
        found = {ENVELOPE: self.token, ATTEMPT: str(self.attempt)}
        if self.parent_issuance_id is not None:
            found[PARENT] = self.parent_issuance_id
        return found


def carried_from(members: Mapping[str, object]) -> Carried | None:
    """What members of baggage carry. Lineage that cannot be is left out; the token is as it is."""
    token = members.get(ENVELOPE)
    if not isinstance(token, str) or not token:
        return None
    attempt = str(members.get(ATTEMPT, ""))
    count = int(attempt) if _ATTEMPT.fullmatch(attempt) else 1
    parent = members.get(PARENT)
    if not isinstance(parent, str) or not IDENTIFIER.fullmatch(parent):
        parent = None
    return Carried(token, min(count, MAX_ATTEMPT), parent)


def inject(headers: MutableMapping[str, str], carried: Carried | None) -> None:
    """Write ``carried`` into ``headers``; other members of baggage stay, ours come first.

    Raises EnvelopeError where the header would be longer than every platform must carry: it would
    be cut on the way, and the identity lost without a word.
    """
    others = _without_own(headers)
    if carried is None:
        return
    own = [f"{name}={quote(value, safe='')}" for name, value in carried.members().items()]
    members = own + others
    text = ",".join(members)
    if len(text.encode()) > MAX_HEADER_BYTES or len(members) > MAX_MEMBERS:
        raise EnvelopeError(
            f"baggage would have {len(members)} members in {len(text):,} bytes, more than "
            f"{MAX_MEMBERS} in {MAX_HEADER_BYTES:,}: carry less beside the envelope"
        )
    name = next((one for one in headers if _is_baggage(one)), HEADER)
    headers[name] = text


def extract(headers: Mapping[str, Any]) -> Carried | None:
    """What ``headers`` carry, or None. Values may be bytes, as queues have them. Proves nothing."""
    found: dict[str, str] = {}
    for name in headers:
        if _is_baggage(name):
            for member in _members(headers[name]):
                key, _, value = member.partition("=")
                found[key.strip()] = unquote(value.partition(";")[0].strip())
    return carried_from(found)


def strip(headers: MutableMapping[str, Any]) -> None:
    """Remove everything of ours from ``headers``, in place; other members of baggage stay."""
    others = _without_own(headers)
    for name in [one for one in headers if _is_baggage(one)]:
        if others:
            headers[name] = ",".join(others)
            others = []
        else:
            del headers[name]


def headers_for(
    destination: str, carried: Carried | None, propagate_to: Iterable[str]
) -> dict[str, str]:
    """The headers for one call to ``destination`` (URL or host): empty where it is outside."""
    headers: dict[str, str] = {}
    if is_inside(destination, propagate_to):
        inject(headers, carried)
    return headers


def strip_outside(
    destination: str, headers: MutableMapping[str, Any], propagate_to: Iterable[str]
) -> None:
    """``strip`` unless ``destination`` is inside: for the last step of a client, redirects too."""
    if not is_inside(destination, propagate_to):
        strip(headers)


def is_inside(destination: str, propagate_to: Iterable[str]) -> bool:
    """Whether a URL or host matches one of ``propagate_to`` (shell patterns of host names).

    What cannot be read as a host is outside. A pattern says nothing about ports.
    """
    if isinstance(propagate_to, str):
        raise EnvelopeError("`propagate_to` is a list of host patterns, not one text")
    host = _host(destination)
    return host is not None and any(fnmatchcase(host, one.lower()) for one in propagate_to)


def _host(destination: str) -> str | None:
    text = destination if "://" in destination else f"//{destination}"
    try:
        host = urlsplit(text).hostname
    except ValueError:
        return None
    host = (host or "").rstrip(".")
    return host if _HOST.fullmatch(host) else None


def _is_baggage(name: object) -> bool:
    text = name.decode("latin-1") if isinstance(name, bytes) else str(name)
    return text.lower() == HEADER


def _members(value: object) -> list[str]:
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return [member.strip() for member in text.split(",") if member.strip()]


def _without_own(headers: Mapping[str, Any]) -> list[str]:
    """Members of baggage that are not ours, as they are written."""
    return [
        member
        for name in headers
        if _is_baggage(name)
        for member in _members(headers[name])
        if not unquote(member.partition("=")[0]).strip().startswith(OWN_PREFIX)
    ]
