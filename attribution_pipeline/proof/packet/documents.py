"""Documents behind a tenant's rows: policy, manifest, completeness, controls, public keys.

Belongs here: documents that stand as they were recorded, or as copies that name nobody else. Does
not: rows and divisions.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from attribution_pipeline.lake.manifest import canonical, manifest_id
from attribution_pipeline.proof.packet.charges import as_json
from attribution_pipeline.proof.packet.hiding import Hider, Number

if TYPE_CHECKING:
    from attribution_pipeline.attribution.day import Compute
    from attribution_pipeline.envelope import KeyRing
    from attribution_pipeline.lake import Lake
    from attribution_pipeline.lake.landed import LandedView
    from attribution_pipeline.lake.states import Published
    from attribution_pipeline.proof.packet.trace import Traced

Record = dict[str, Any]

NAME_DIGITS = 16
"""Hex digits of a digest that a file's name has; what is checked is the digest in the manifest."""


def policy(trace: Traced, files: dict[str, bytes], hider: Hider) -> Record:
    """Adds the policy's document: as it was recorded, or, where that names others, a copy that does not.
    Of ``owners`` only what can be the tenant's is shown."""
    said = trace.found.manifest["policy"]
    path = trace.lake.verified(trace.lake.stored(said["file"]))
    text = path.read_bytes()
    owners = trace.found.policy.owners
    mine = [n for n, owner in enumerate(owners) if fnmatchcase(trace.tenant, owner.tenant)]

    def clean(document: Record) -> Record:
        said = dict(document)
        if owners:
            said["owners"] = hider.clean_free([document["owners"][n] for n in mine])
        return dict(hider.clean(said))

    shown = _shown(text, clean)
    copy = hashlib.sha256(shown).hexdigest()
    name = f"policies/{said['digest'][:NAME_DIGITS]}-{copy[:NAME_DIGITS]}.json"
    files[name] = shown
    return {
        "policy": hider.text(said["policy"]),
        "version": said["version"],
        "digest": said["digest"],
        "sha256": said["file"]["sha256"],
        "document": name,
        "hidden": shown != text,
        "metric": trace.found.policy.settlement.metric,
        "rules": _rules(trace, hider),
    }


def _rules(trace: Traced, hider: Hider) -> list[str]:
    """The policy in words, for people."""
    from attribution_pipeline.model.policy_text import summary as in_words

    return [hider.text(line) for line in in_words(trace.found.policy)]


def manifest(trace: Traced, files: dict[str, bytes], hider: Hider, folder: str) -> Record:
    """Adds the manifest, as it was recorded or as a copy that names nobody else."""
    text = canonical(trace.found.manifest).encode()

    def clean(document: Record) -> Record:
        output = {**document["output"]}
        output["findings"] = hider.clean_free(output["findings"])
        return dict(hider.clean({**document, "output": output}))

    shown = _shown(text, clean)
    files[f"{folder}/manifest.json"] = shown
    return {
        "manifest_id": trace.found.state.manifest_id,
        "previous": trace.found.manifest["previous"],
        "hidden": shown != text or manifest_id(text.decode()) != trace.found.state.manifest_id,
    }


def _shown(text: bytes, clean: Callable[[Record], Record]) -> bytes:
    """A JSON document without names of others: the very bytes where it has none."""
    document = json.loads(text, parse_float=Number, parse_int=Number)
    shown = clean(document)
    return text if shown == document else _json(shown).encode()


def _json(value: Any) -> str:
    match value:
        case Number():
            return str(value)
        case Mapping():
            items = (f"{json.dumps(key)}:{_json(item)}" for key, item in sorted(value.items()))
            return "{" + ",".join(items) + "}"
        case list():
            return "[" + ",".join(map(_json, value)) + "]"
        case _:
            return json.dumps(value)


def controls(landed: LandedView, hider: Hider, first: date, last: date) -> list[Record]:
    """The control plane's records of the period: shadow hits and overrides in it, and the hard-block
    list and policy snapshots as they stood by its end."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = landed.files("controls", None, last)
    landed.verify(files)
    standing = {
        (source, one) for source, ids in landed.current_objects("controls").items() for one in ids
    }
    rows: list[Record] = []
    for path in landed.local(files):
        table: pa.Table = pq.ParquetFile(path).read()
        rows += [
            row
            for row in table.to_pylist()
            if (row["source"], row["object_id"]) in standing
            and (row["date"] is None or row["date"] <= last)
            and (row["kind"] in ("hard_block", "policy_snapshot") or row["date"] is None
                 or row["date"] >= first)
        ]  # fmt: skip
    return [hider.clean_free(as_json(row)) for row in rows]


def completeness(
    lake: Lake,
    states: Sequence[Published],
    rows: Collection[Record],
    *,
    metric: str,
    hider: Hider,
    compute: Compute,
) -> Record:
    """What is known of who caused cost, in the route slices that the tenant's ``rows`` lie in."""
    from attribution_pipeline.proof.completeness import as_document, completeness_of
    from attribution_pipeline.proof.relations import RecordedDay
    from attribution_pipeline.proof.routes import COLUMNS, Route

    routes = {Route.of({column: row.get(column) for column in COLUMNS}) for row in rows}
    mine = [route.as_dict() for route in routes]
    recorded = [RecordedDay(state, lake.document(state)) for state in states]
    found = completeness_of(lake, recorded, metric, compute)
    document = as_document(found)
    document["slices"] = [
        said
        for one, said in zip(found.slices, document["slices"], strict=True)
        if hider.clean(one.route.as_dict()) in mine
    ]
    return dict(hider.clean(document))


def public_keys(keys: KeyRing | None, wanted: set[str]) -> list[Record]:
    """Public keys of the Ed25519 envelopes in the packet. Never a secret: an HMAC key has no other
    part."""
    found = []
    for key_id in sorted(wanted):
        key = keys.get(key_id) if keys else None
        if key is not None and key.algorithm == "ed25519" and key.public is not None:
            found.append({"key_id": key_id, "algorithm": key.algorithm, "public": key.public.hex()})
    return found
