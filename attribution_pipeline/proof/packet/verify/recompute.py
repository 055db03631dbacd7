"""One day again: every division in the order of the phases, then the rows.

Belongs here: the order. Does not: any formula.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from .arithmetic import quanta
from .failure import RECOMPUTATION, Failed
from .meters import meter
from .nodes import Nodes
from .pieces import Piece, Request
from .records import COSTS, Day, who_of
from .rows import require_requests, require_rows
from .shares import Shares, base_of


@dataclass(frozen=True)
class Recomputed:
    """What was compared: rows by kind, request rows, divisions by kind."""

    rows: Counter[str]
    requests: int
    divisions: Counter[str]


def recompute(day: Day) -> Recomputed:
    """Raises Failed where anything comes out otherwise than the packet says."""
    pieces, requests = _divided(day)
    rows = require_rows(day, pieces)
    compared = require_requests(day, requests)
    return Recomputed(rows, compared, Counter(found["kind"] for found in day.divisions))


def _divided(day: Day) -> tuple[list[Piece], list[Request]]:
    of = {
        kind: [division for division in day.divisions if division["kind"] == kind]
        for kind in ("meter", "node", "volume", "pod", "share")
    }
    unknown = {division["kind"] for division in day.divisions} - set(of)
    if unknown:
        raise Failed(RECOMPUTATION, f"{day.day}: {unknown} are no kinds of division")
    made: list[Piece | Request] = []
    for division in of["meter"]:
        made += meter(day, division)
    nodes = Nodes(day)
    shares = Shares(day, nodes, {division["slice"]: division for division in of["meter"]})

    def share(what: str, *, overhead: bool = False) -> None:
        base = base_of(day, [one for one in made if isinstance(one, Piece)])
        for division in of["share"]:
            if division["of"] == what and (division["component"] == "overhead") is overhead:
                made.extend(shares.divide(division, base))

    share("gap")
    share("charge")
    for division in of["node"]:
        nodes.node(division)
    for division in of["volume"]:
        nodes.volume(division)
    made += nodes.pods(of["pod"])
    made += _tagged(day)
    share("idle")
    made += shares.added_up()
    share("charge", overhead=True)
    return (
        [one for one in made if isinstance(one, Piece)],
        [one for one in made if isinstance(one, Request)],
    )


def _tagged(day: Day) -> list[Piece]:
    """Charges whose own tag names the tenant: theirs, whole, by the principal that the bill names."""
    pieces = []
    for number, part in day.parts.items():
        if part.get("rule") != "tag":
            continue
        if part["tenant"] != day.packet.tenant:
            raise Failed(RECOMPUTATION, f"{day.day}: a charge's tag names another tenant")
        charge = part["charge"]
        component, leg = "direct", "own"
        if part.get("commitment_status") == "Unused":
            component, leg = "idle", "idle"
        elif charge.get("charge_category") == "Purchase":
            component = "overhead"
        amounts = (quanta(part[COSTS[0]]), quanta(part[COSTS[1]]))
        named = {"tenant_id": part["tenant"], "principal_id": part.get("principal_id")}
        who = who_of(named)
        pieces.append(Piece("tag", number, component, leg, "tag", "tag", who, amounts, "allocated"))
    return pieces
