"""Spans and envelopes behind a tenant's operations, as they were landed.

Belongs here: the trace export and the tokens. Does not: what operations are made of them
(``attribution``).

Of a trace the spans of the tenant's operations are shown, with those above them and those that they
link to. What leads to
spans that are not shown (a parent, a link) is left out and said. Landed spans hold no prompt, no
completion and no tool argument, so neither does a packet.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from attribution_pipeline.attribution.operations import LOOKBACK_DAYS
from attribution_pipeline.envelope.token import Envelope, Unreadable, read_token
from attribution_pipeline.model.ledger import WHO
from attribution_pipeline.proof.packet.charges import as_json

if TYPE_CHECKING:
    from attribution_pipeline.lake.landed import LandedView
    from attribution_pipeline.model.policy import Policy
    from attribution_pipeline.proof.packet.hiding import Hider
    from attribution_pipeline.proof.packet.trace import Traced

Record = dict[str, Any]

MOST_LEVELS = 64
"""How far from a call parents and links are followed."""

HIDDEN_COLUMNS = ("envelope", "links", "parent_span_id", "attributes")
"""Columns of a span that may speak of others."""


class Spans:
    """The landed spans of one tenant's operations of a day."""

    def __init__(self, trace: Traced, landed: LandedView) -> None:
        day = trace.found.state.day
        self.policy = trace.found.policy
        around = timedelta(days=LOOKBACK_DAYS)
        files = landed.files("spans", day - around, day + around)
        landed.verify(files)
        self.files = landed.local(files)
        self.rows: list[Record] = self._rows(trace) if self.files else []

    def _rows(self, trace: Traced) -> list[Record]:
        db = trace.db
        db.view("landed_of_packet", self.files)
        ids = (
            "select trace_id, span_id from ops where {0} union select trace_id, "
            "unnest(string_split(merged, ' ')) from ops where merged is not null and {0}"
        )
        whose = "who_id {0} (select who_id from mine)"
        db.execute(
            f"create table my_spans as {ids.format(whose.format('in'))};"
            f"create table other_spans as {ids.format(whose.format('not in'))};"
        )
        for _ in range(MOST_LEVELS):
            before = db.one("select count(*) from my_spans")
            db.execute(
                """
                insert into my_spans
                select distinct p.trace_id, p.span_id
                from (
                    select c.trace_id, c.parent_span_id as span_id from landed_of_packet c
                    join my_spans m on m.trace_id = c.trace_id and m.span_id = c.span_id
                    union
                    select split_part(link, ':', 1), split_part(link, ':', 2) from (
                        select unnest(string_split(c.links, ' ')) as link from landed_of_packet c
                        join my_spans m on m.trace_id = c.trace_id and m.span_id = c.span_id
                        where c.links is not null
                    )
                ) c
                join landed_of_packet p on p.trace_id = c.trace_id and p.span_id = c.span_id
                where not exists (select 1 from my_spans k
                                  where k.trace_id = p.trace_id and k.span_id = p.span_id)
                  and not exists (select 1 from other_spans k
                                  where k.trace_id = p.trace_id and k.span_id = p.span_id)
                """
            )
            if db.one("select count(*) from my_spans") == before:
                break
        # a twin may be of another trace: its span id and the call's response id tell it
        found: list[Record] = db.table(
            "select distinct l.* from landed_of_packet l where exists (select 1 from my_spans m "
            "where m.span_id = l.span_id and m.trace_id = l.trace_id) "
            "or (l.span_id in (select span_id from my_spans) and l.response_id in "
            "(select response_id from ops where who_id in (select who_id from mine))) "
            "order by l.trace_id, l.span_id, l.object_id, l.position"
        ).to_pylist()
        return found

    def export(self, hider: Hider) -> list[Record]:
        """One record per span and delivery."""
        here = {(row["trace_id"], row["span_id"]) for row in self.rows}
        return [_exported(row, here, hider, self.policy) for row in self.rows]


def _exported(row: Record, here: set[tuple[str, str]], hider: Hider, policy: Policy) -> Record:
    row = dict(row)
    named = row.get("tenant_id")
    names_another = named is not None and policy.tenant_alias(named) != hider.tenant
    if names_another:  # its words were not believed, or are a twin's: they are somebody else's
        row |= dict.fromkeys((*WHO, "originator_id", "attributes"))
    said = as_json({name: value for name, value in row.items() if name not in HIDDEN_COLUMNS})
    said = {
        name: value if name in ("trace_id", "span_id") else hider.clean_free(value)
        for name, value in said.items()
    }
    if names_another:
        said["names_another_tenant"] = True
    parent = row.get("parent_span_id")
    if parent is not None:
        shown = (row["trace_id"], parent) in here
        said |= {"parent_span_id": parent} if shown else {"parent_not_shown": True}
    links = (row.get("links") or "").split()
    kept = [link for link in links if tuple(link.split(":", 1)) in here]
    if links:
        said |= {"links": " ".join(kept), "links_not_shown": len(links) - len(kept)}
    if row.get("attributes"):
        said["attributes"] = hider.free_text(row["attributes"])
    if row.get("envelope"):
        said["has_envelope"] = True
    return said


def envelopes(
    trace: Traced, operations: Sequence[Record], spans: Spans
) -> tuple[list[Record], set[str]]:
    """One record per operation that carried an envelope, and the ids of the keys that are named.

    The token is shown where its verdict is ``verified`` and it names the tenant; another one may
    name somebody else.
    """
    tokens = _by_issuance(spans)
    found, named = [], set()
    for operation in operations:
        verdict = operation.get("verdict", "unsigned")
        if verdict == "unsigned":
            continue
        said: Record = {"operation_key": operation["operation_key"], "verdict": verdict}
        if verdict == "verified":
            said |= _token(trace, operation, tokens.get(operation.get("issuance_id", ""), ()))
        if "key_id" in said:
            named.add(said["key_id"])
        found.append(said)
    return found, named


def _by_issuance(spans: Spans) -> dict[str, list[tuple[str, Envelope]]]:
    """Readable tokens of the exported spans by the issuance that they name."""
    found: dict[str, list[tuple[str, Envelope]]] = defaultdict(list)
    for token in sorted({row["envelope"] for row in spans.rows if row.get("envelope")}):
        try:
            read = read_token(token)
        except Unreadable:
            continue
        found[read.claims.issuance_id].append((token, read))
    return found


def _token(
    trace: Traced, operation: Mapping[str, Any], tokens: Sequence[tuple[str, Envelope]]
) -> Record:
    for token, read in tokens:
        claims = read.claims
        if trace.found.policy.tenant_alias(
            claims.tenant_id
        ) == trace.tenant and claims.workflow_id == operation.get("workflow_id"):
            return {"token": token, "key_id": read.key_id, "algorithm": read.algorithm}
    return {}
