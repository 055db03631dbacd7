"""What a check says when it fails, and the exit statuses.

Belongs here: the statuses and the one exception. Does not: any check.
"""

from __future__ import annotations

VERIFIED, UNUSABLE, SIGNATURE, FILES, CONSERVATION, RECOMPUTATION = 0, 2, 3, 4, 5, 6
"""Exit statuses. The first check that fails decides."""

SAID = {
    VERIFIED: "verified",
    UNUSABLE: "cannot be checked",
    SIGNATURE: "the signature does not verify",
    FILES: "a file is missing, extra, truncated or changed",
    CONSERVATION: "sums do not conserve",
    RECOMPUTATION: "recomputed otherwise",
}


class Failed(Exception):
    """One check that did not hold. ``status``: one of the exit statuses."""

    def __init__(self, status: int, detail: str) -> None:
        self.status = status
        self.detail = " ".join(detail.split())
        super().__init__(self.detail)
