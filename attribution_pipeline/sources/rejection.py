"""How a reader says no to a record, and to an object as a whole.

Belongs here: the two exceptions that carry a stable reason, for readers of any format. Does not:
the reasons themselves, which stand beside the rules.
"""

from __future__ import annotations

from attribution_pipeline.model.errors import Refusal


class ObjectRefused(Refusal):
    """An object that cannot be used as a whole. ``reason`` is the stable word that is counted."""

    def __init__(self, reason: str, what: str, *, where: str = "", remedy: str = "") -> None:
        super().__init__(what, where=where, remedy=remedy)
        self.reason = reason


class RecordRejected(Exception):
    """One record that a rule turned away; the reader catches it and goes on."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
