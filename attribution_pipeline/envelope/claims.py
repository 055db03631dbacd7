"""What an envelope says: who caused the work, under which issuance, for whom and until when.

Belongs here: the fields, their form, and what is refused at issue. Does not: how they become bytes
(``token``), who may say so (``keys``, ``verification``).
"""

from __future__ import annotations

import re
import time
import uuid
from dataclasses import dataclass, fields

from attribution_pipeline.envelope.errors import EnvelopeError

IDENTIFIER = re.compile(r"[A-Za-z0-9._:-]{1,128}")
"""Every text field, matched whole. ASCII alone: look-alike letters are other bytes, and refused.

The set needs no escape in baggage, in JSON, in a URL or in a file name.
"""

LAST_SECOND = 253_402_300_799
"""9999-12-31T23:59:59Z, the last second that calendars of the standard library know."""

MAX_LIFETIME = 31 * 86_400
"""Seconds from issue to expiry. An envelope outlives a stolen key that was revoked by at most this;
jobs that run for longer get a new issuance on their way."""

DEFAULT_LIFETIME = 3_600
"""Seconds. Long enough for a request with its queue; a batch job says what it needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """The signed fields of one issuance. Times are whole seconds since 1970, UTC.

    ``tenant_id`` pays. ``originator_id`` is the principal that started the work, ``consumer_id``
    the one it was for; they are never exchanged for each other. ``operation_id`` is the logical
    operation, the same in each of its attempts. ``issuance_id`` names this issuance alone.
    ``audience`` is the deployment that the envelope is meant for.

    Raises EnvelopeError for an identifier outside ``[A-Za-z0-9._:-]{1,128}`` and for times that
    cannot be: expiry not after issue, or more than ``MAX_LIFETIME`` after it.
    """

    tenant_id: str
    originator_id: str
    workflow_id: str
    operation_id: str
    issuance_id: str
    issued_at: int
    expires_at: int
    audience: str
    consumer_id: str | None = None
    project: str | None = None
    task: str | None = None
    feature: str | None = None
    environment: str | None = None

    def __post_init__(self) -> None:
        for name in IDENTIFIER_FIELDS:
            value = getattr(self, name)
            if value is None and name in OPTIONAL_FIELDS:
                continue
            if type(value) is not str or not IDENTIFIER.fullmatch(value):
                raise EnvelopeError(f"{name} is no identifier: write {IDENTIFIER.pattern}")
        for name in TIME_FIELDS:
            value = getattr(self, name)
            if type(value) is not int or not 0 <= value <= LAST_SECOND:
                raise EnvelopeError(f"{name} is no time: write whole seconds since 1970")
        if not 0 < self.expires_at - self.issued_at <= MAX_LIFETIME:
            raise EnvelopeError(
                f"expires_at must be after issued_at, by at most {MAX_LIFETIME} seconds"
            )

    @classmethod
    def new(
        cls,
        *,
        tenant_id: str,
        originator_id: str,
        workflow_id: str,
        operation_id: str,
        audience: str,
        lifetime: int = DEFAULT_LIFETIME,
        consumer_id: str | None = None,
        project: str | None = None,
        task: str | None = None,
        feature: str | None = None,
        environment: str | None = None,
    ) -> Claims:
        """Claims of a new issuance with an id of its own, from now on for ``lifetime`` seconds."""
        now = int(time.time())
        return cls(
            tenant_id=tenant_id, originator_id=originator_id, workflow_id=workflow_id,
            operation_id=operation_id, issuance_id=uuid.uuid4().hex, issued_at=now,
            expires_at=now + lifetime, audience=audience, consumer_id=consumer_id,
            project=project, task=task, feature=feature, environment=environment,
        )  # fmt: skip

    def signed_fields(self) -> dict[str, str | int]:
        """The fields that are set, in their order; what ``token`` writes."""
        pairs = ((name, getattr(self, name)) for name in CLAIM_FIELDS)
        return {name: value for name, value in pairs if value is not None}


TIME_FIELDS = ("issued_at", "expires_at")
OPTIONAL_FIELDS = ("consumer_id", "project", "task", "feature", "environment")
CLAIM_FIELDS = tuple(field.name for field in fields(Claims))
IDENTIFIER_FIELDS = tuple(name for name in CLAIM_FIELDS if name not in TIME_FIELDS)
