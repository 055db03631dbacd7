"""The checks of a packet, in their order, each with what it looked at.

Belongs here: the order and the report. Does not: any check.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from . import conservation, consistency, envelopes
from .archive import Archive
from .failure import RECOMPUTATION, SAID, VERIFIED, Failed
from .recompute import recompute
from .records import Packet
from .statement import load_key, require_files, signed_statement

ROWS = {
    "meter": "by metered tokens",
    "pod": "of pods over operations",
    "workload": "of dedicated workloads",
    "idle": "of idle",
    "share": "by a pool's driver",
    "gap": "of spread gaps",
    "tag": "by a charge's own tag",
    "zero": "at zero, which nothing supports any more",
}
"""Kinds of rows that are recomputed."""

NOT_RECOMPUTED = {"held": "of closed periods that the policy holds as they were first computed"}
"""Kinds of rows that are taken as stated; each is told with its count."""

STATED = (
    "who caused an operation (its identity_source and verdict say how it is known), which rule of "
    "the policy takes a charge, weights and amounts of others, the order of equal remainders, team, "
    "cost center, settlement"
)
"""What the issuer's signature stands for alone."""


def verify_packet(packet: Path, key: Path, say: Callable[[str], object]) -> int:
    """Check everything; the exit status. ``say`` gets one line for each check."""
    try:
        _checked(packet, key, say)
    except Failed as failure:
        say(f"FAILED: {SAID[failure.status]}: {failure.detail}")
        return failure.status
    except (LookupError, ValueError, TypeError, AttributeError, ArithmeticError) as error:
        # a signed packet of another shape: no check holds that cannot be made
        say(f"FAILED: {SAID[RECOMPUTATION]}: a record is not of the packet's shape: {error!r}")
        return RECOMPUTATION
    say(SAID[VERIFIED])
    return VERIFIED


def _checked(path: Path, key_path: Path, say: Callable[[str], object]) -> None:
    key = load_key(key_path)
    archive = Archive(path)
    statement = signed_statement(archive, key)
    say(f"signature     Ed25519 key {key.keyid[:16]}, DSSE over the statement of all files")
    files, size = require_files(archive, statement)
    say(f"files         {files:,} files, {size:,} bytes: each as signed, none missing, none extra")
    packet = Packet(archive, statement)
    about = packet.about
    say(f"packet        tenant {packet.tenant}, {about['from']} to {about['to']}, "
        f"{len(packet.days)} days, issued {about['issued_at']}")  # fmt: skip
    _conserved(packet, say)
    _recomputed(packet, say)
    counted = consistency.documents_agree(packet)
    found, missing = consistency.calls(packet)
    say(f"consistency   {counted:,} tables have their stated counts, documents agree; {found:,} "
        f"operations are what their exported spans say"
        + (f", {missing:,} have NO exported span" if missing else ""))  # fmt: skip
    whole, hidden = envelopes.documents(packet)
    say(f"documents     {whole:,} manifests and policies have their recorded digest, {hidden:,} "
        "hide names of others and are stated")  # fmt: skip
    verified, stated = envelopes.envelopes(packet)
    say(f"envelopes     {verified:,} verified by their Ed25519 keys, {stated:,} verdicts stated")
    say(f"stated        {STATED}")


def _conserved(packet: Packet, say: Callable[[str], object]) -> None:
    charges = lines = requests = changes = 0
    for day in packet.days:
        found = conservation.charges(day)
        charges, lines = charges + found[0], lines + found[1]
        requests += conservation.requests(day)
        changes += conservation.revisions(day)
    rows = conservation.totals(packet)
    say(f"conservation  {rows:,} rows sum to the stated totals; {charges:,} charges equal their "
        f"{lines:,} lines, and the tenant's rows + others + unallocated; {requests:,} rows equal "
        f"their requests; {changes:,} revisions chain")  # fmt: skip


def _recomputed(packet: Packet, say: Callable[[str], object]) -> None:
    rows: Counter[str] = Counter()
    divisions: Counter[str] = Counter()
    requests = 0
    for day in packet.days:
        found = recompute(day)
        rows += found.rows
        divisions += found.divisions
        requests += found.requests
    for kind, words in ROWS.items():
        if rows[kind]:
            say(f"recomputed    {rows[kind]:,} rows {words}")
    named = ", ".join(f"{count:,} {kind}" for kind, count in sorted(divisions.items()))
    say(f"recomputed    {requests:,} request rows; divisions: {named or 'none'}")
    for kind, words in NOT_RECOMPUTED.items():
        if rows[kind]:
            say(f"NOT recomputed  {rows[kind]:,} rows {words}: amounts are stated")
