"""Any edit, omission or truncation of a review packet is found; so is an issuer who lies."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from attribution_pipeline.orchestration.packet import write_packet
from attribution_pipeline.proof.packet.verify import archive
from attribution_pipeline.proof.packet.verify.failure import (
    CONSERVATION,
    FILES,
    RECOMPUTATION,
    SIGNATURE,
    UNUSABLE,
)
from attribution_pipeline_tests.orchestration.deployments import DAY
from attribution_pipeline_tests.proof import packets
from attribution_pipeline_tests.proof.replays import History

TAMPERED = (SIGNATURE, FILES)
SAMPLED_BYTES = 150
SAMPLED_LENGTHS = 40
D = f"days/{DAY}/"


@pytest.fixture(scope="module")
def made(recorded_history: History, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Packets of two tenants, of state 4 of the worked day."""
    folder = tmp_path_factory.mktemp("packets")
    private, _ = packets.keys(folder)
    packets.keys(folder, "stranger")
    for tenant in ("tenant-a", "tenant-b"):
        write_packet(
            recorded_history.house(), tenant, DAY, DAY, out=folder / f"{tenant}.tar", key=private
        )
    return folder


def _status(packet: Path, made: Path) -> int:
    return packets.checked(packet, made / "issuer.pub.pem")[0]


def test_the_packet_itself_verifies(made: Path):
    for tenant in ("tenant-a", "tenant-b"):
        status, said = packets.checked(made / f"{tenant}.tar", made / "issuer.pub.pem")
        assert status == 0, said


# -- who has no key --------------------------------------------------------------------------------


def test_one_bit_flipped_anywhere_is_found(made: Path, tmp_path: Path):
    content = (made / "tenant-a.tar").read_bytes()
    dice = random.Random(20261005)
    blocks = range(0, len(content), archive.BLOCK)
    places = {
        *dice.sample(range(len(content)), SAMPLED_BYTES),
        *(at + dice.randrange(archive.BLOCK) for at in list(blocks)[:6]),  # the statement
        len(content) - 1,
    }
    packet = tmp_path / "flipped.tar"
    for place in sorted(places):
        flipped = bytearray(content)
        flipped[place] ^= 1 << dice.randrange(8)
        packet.write_bytes(flipped)
        assert _status(packet, made) in TAMPERED, f"byte {place}"


def test_every_length_but_its_own_is_found(made: Path, tmp_path: Path):
    content = (made / "tenant-a.tar").read_bytes()
    packet = tmp_path / "cut.tar"
    lengths = random.Random(5).sample(range(len(content)), SAMPLED_LENGTHS)
    for length in [*lengths, 0, len(content) - 1, len(content) - archive.BLOCK]:
        packet.write_bytes(content[:length])
        assert _status(packet, made) in TAMPERED, f"{length} bytes"
    for more in (b"\0", b"\0" * archive.BLOCK, b"more"):
        packet.write_bytes(content + more)
        assert _status(packet, made) in TAMPERED


def test_each_file_dropped_emptied_truncated_added_or_renamed_is_found(made: Path, tmp_path: Path):
    files = packets.members(made / "tenant-a.tar")
    packet = tmp_path / "changed.tar"
    for name in files:
        without = {other: content for other, content in files.items() if other != name}
        changes = {
            "dropped": without,
            "emptied": {**files, name: b""},
            "truncated": {**files, name: files[name][:-1]},
            "longer": {**files, name: files[name] + b" "},
            "renamed": {**without, f"{name}x": files[name]},
        }
        for change, changed in changes.items():
            packets.put_together(packet, changed)
            assert _status(packet, made) in TAMPERED, f"{name} {change}"
    packets.put_together(packet, {**files, "notes.txt": b"read me"})
    assert _status(packet, made) == FILES


def test_another_order_or_a_file_twice_is_found(made: Path, tmp_path: Path):
    files = list(packets.members(made / "tenant-a.tar").items())
    packet = tmp_path / "order.tar"
    orders = [[files[1], files[0], *files[2:]], [files[0], *reversed(files[1:])],
              [*files, files[-1]], [files[0], *files]]  # fmt: skip
    for order in orders:
        with packet.open("wb") as file:
            archive.write(file, order)
        assert _status(packet, made) == FILES


def test_files_swapped_between_packets_of_two_tenants_are_found(made: Path, tmp_path: Path):
    one, other = (packets.members(made / f"{tenant}.tar") for tenant in ("tenant-a", "tenant-b"))
    packet = tmp_path / "swapped.tar"
    swapped = [name for name in one if name in other and one[name] != other[name]]
    assert len(swapped) > 5
    for name in swapped:
        packets.put_together(packet, {**one, name: other[name]})
        assert _status(packet, made) in TAMPERED, name


def test_a_statement_with_other_spelling_or_another_key_is_refused(made: Path, tmp_path: Path):
    files = packets.members(made / "tenant-a.tar")
    envelope = json.loads(files[archive.STATEMENT])
    (signature,) = envelope["signatures"]
    spellings = [
        json.dumps(envelope).encode(),
        files[archive.STATEMENT] + b"\n",
        _canonical({**envelope, "more": 1}),
        _canonical({**envelope, "signatures": []}),
        _canonical({**envelope, "signatures": [signature, signature]}),
        _canonical({**envelope, "signatures": [{**signature, "more": "1"}]}),
        _canonical({**envelope, "signatures": [{**signature, "keyid": "0" * 64}]}),
        _canonical({**envelope, "payloadType": "application/json"}),
        b"{}", b"[]", b"",
    ]  # fmt: skip
    packet = tmp_path / "spelled.tar"
    for text in spellings:
        packets.put_together(packet, {**files, archive.STATEMENT: text})
        assert _status(packet, made) == SIGNATURE, text[:80]
    status, _ = packets.checked(made / "tenant-a.tar", made / "stranger.pub.pem")
    assert status == SIGNATURE
    assert packets.checked(made / "tenant-a.tar", made / "issuer.pem")[0] == UNUSABLE
    assert packets.checked(tmp_path / "nothing.tar", made / "issuer.pub.pem")[0] == UNUSABLE


def _canonical(said: Any) -> bytes:
    return json.dumps(said, sort_keys=True, separators=(",", ":")).encode()


# -- an issuer who lies: every digest and the signature right --------------------------------------


def _more(value: str) -> str:
    return f"{Decimal(value) + Decimal('0.01'):f}"


def _with(path: str, value: Any) -> Callable[[Any], Any]:
    """Set a value in a record; a callable gets the old one."""

    def change(record: Any) -> Any:
        at = record
        *steps, last = (int(step) if step.isdigit() else step for step in path.split("."))
        for step in steps:
            at = at[step]
        at[last] = value(at[last]) if callable(value) else value
        return record

    return change


def _next(text: str) -> str:
    return str(int(text) + 1)


def _is(**cells: Any) -> Callable[[Any], bool]:
    return lambda record: all(record.get(name) == value for name, value in cells.items())


LIES = {
    # table, which record, change, status
    "a row costs more": ("rows", _is(component="direct"), _with("effective_cost", _more), 5),
    "a row is of another confidence": (
        "rows", _is(confidence="estimated"), _with("confidence", "metered"), 6),
    "a row's quantity": ("rows", _is(method="meter"), _with("driver_quantity", _next), 6),
    "a row's denominator": ("rows", _is(component="overhead"), _with("driver_total", _next), 6),
    "a row's workflow": ("rows", _is(workflow_id="search"), _with("workflow_id", "digest"), 6),
    "a row's pool": ("rows", _is(pool="support"), _with("pool", "tax"), 6),
    "a row's tenant": ("rows", _is(component="idle"), _with("tenant_id", "tenant-x"), 5),
    "a row's region": ("rows", _is(component="direct"), _with("region", "moon-1"), 6),
    "another's weight under a meter": (
        "divisions", _is(kind="meter"), _with("others.0.1", _next), 6),
    "another's amount under a meter": (
        "divisions", _is(kind="meter"), _with("charges.0.others.0.0", _more), 6),
    "the rest of a meter": ("divisions", _is(kind="meter"), _with("charges.0.rest.0", _more), 5),
    "an own weight under a meter": ("divisions", _is(kind="meter"), _with("mine.0.1", _next), 6),
    "tokens seen": ("divisions", _is(kind="meter"), _with("seen", _next), 6),
    "tokens billed": ("divisions", _is(kind="meter"), _with("billed_tokens", _next), 6),
    "another pod's weight": ("divisions", _is(kind="node"), _with("pods.0.1", _next), 6),
    "a node's cost": ("divisions", _is(kind="node"), _with("cost.cpu", _next), 6),
    "another call's weight on a pod": (
        "divisions", lambda r: r["kind"] == "pod" and r["others"],
        _with("weights", lambda text: "1 " + text.split(" ", 1)[1]), 6),
    "the order of calls on a pod": (
        "divisions", lambda r: r["kind"] == "pod" and len(r["mine"]) > 1,
        lambda r: {**r, "mine": [[r["mine"][1][0], r["mine"][0][1]],
                                 [r["mine"][0][0], r["mine"][1][1]], *r["mine"][2:]]}, 6),
    "another's weight on a pod": (
        "divisions", lambda r: r["kind"] == "pod" and r["others"], _with("others.0.1", _next), 6),
    "another's weight of idle": (
        "divisions", _is(of="idle"), lambda r: _last_member(r, "weight", _next), 6),
    "another's weight of a pool": (
        "divisions", _is(of="charge"), lambda r: _last_member(r, "weight", _next), 6),
    "another's amount of a pool": (
        "divisions", _is(of="charge"),
        lambda r: _last_member(r, "amounts", lambda found: [_more(found[0]), found[1]]), 6),
    "an own operation of idle left out": (
        "divisions", _is(of="idle"), _with("members.0.operations", []), 6),
    "a call's tokens": ("operations", _is(metered=True), _with("visible_output", 1), 6),
    "a call's active time": ("operations", _is(metered=True), _with("active_ms", 1), 6),
    "a call's tenant": ("operations", _is(metered=True), _with("tenant_id", "tenant-x"), 6),
    "a request's cost": ("request_costs", lambda _: True, _with("billed_cost", _more), 5),
    "a request's weight": ("request_costs", lambda _: True, _with("weight", _next), 6),
    "a line of the bill": ("lines", lambda _: True, _with("billed_cost", _more), 5),
    "a line's quantity": (
        "lines", lambda r: r.get("consumed_quantity"), _with("consumed_quantity", _next), 6),
    "what others have": ("charges", lambda r: r["others"], _with("others.0.billed_cost", _more), 5),
    "a charge": ("charges", lambda _: True, _with("billed_cost", _more), 5),
    "a part of a charge": ("charges", lambda _: True, _with("parts.0.billed_cost", _more), 5),
    "a revision": ("revisions", lambda _: True, _with("old_billed_cost", _more), 5),
    "a revision left out": ("revisions", lambda _: True, _with("revision", 7), 5),
}  # fmt: skip


def _last_member(record: Any, name: str, change: Callable[[Any], Any]) -> Any:
    found = record["members"][-1]
    assert "who" not in found
    found[name] = change(found[name])
    return record


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_that_is_signed_is_found(made: Path, tmp_path: Path, lie: str):
    table, which, change, expected = LIES[lie]
    packet = made / "tenant-a.tar"
    files = packets.with_record(packets.unpacked(packet), f"{D}{table}.jsonl.gz", which, change)
    out = packets.signed_again(packet, tmp_path / "lie.tar", files, made / "issuer.pem")
    status, said = packets.checked(out, made / "issuer.pub.pem")
    assert status == expected, said
    assert said[0].startswith("signature"), "the signature is good: the sums are not"


def test_an_honest_packet_signed_again_verifies(made: Path, tmp_path: Path):
    """The instrument: what makes lies fail is the lie."""
    packet = made / "tenant-a.tar"
    files = packets.unpacked(packet)
    out = packets.signed_again(packet, tmp_path / "same.tar", files, made / "issuer.pem")
    assert _status(out, made) == 0


def test_a_row_that_costs_more_everywhere_is_recomputed_otherwise(made: Path, tmp_path: Path):
    """Row, others, totals and request level agree with each other, so every sum holds."""
    packet = made / "tenant-a.tar"
    files = packets.unpacked(packet)
    row = next(
        record for line in files[f"{D}rows.jsonl.gz"].splitlines()
        if (record := json.loads(line))["component"] == "overhead"
    )  # fmt: skip

    def less(charge: Any) -> Any:
        found = charge["others"][0]
        found["effective_cost"] = f"{Decimal(found['effective_cost']) - Decimal('0.01'):f}"
        return charge

    rows, charges = f"{D}rows.jsonl.gz", f"{D}charges.jsonl.gz"
    files = packets.with_record(
        files, rows, _is(attribution_id=row["attribution_id"]), _with("effective_cost", _more)
    )
    if row["revision"] > 1:
        name = f"{D}revisions.jsonl.gz"
        last = _is(attribution_id=row["attribution_id"], revision=row["revision"])
        for column in ("new_effective_cost", "delta_effective_cost"):
            files = packets.with_record(files, name, last, _with(column, _more))
    files = packets.with_record(files, charges, _is(charge_id=row["charge_id"]), less)
    about = json.loads(files["packet.json"])
    about["totals"][0]["effective_cost"] = _more(about["totals"][0]["effective_cost"])
    files["packet.json"] = json.dumps(about).encode()
    out = packets.signed_again(packet, tmp_path / "lie.tar", files, made / "issuer.pem")
    status, said = packets.checked(out, made / "issuer.pub.pem")
    assert status == RECOMPUTATION, said
    assert row["attribution_id"] in said[-1]
    assert said[-2].startswith("conservation"), "all sums hold"


def test_a_row_cannot_be_taken_out_of_the_recomputation(made: Path, tmp_path: Path):
    """Only a policy that holds closed periods does that."""
    packet = made / "tenant-a.tar"
    files = packets.unpacked(packet)
    day = json.loads(files[f"{D}day.json"])
    day["held"] = [json.loads(files[f"{D}rows.jsonl.gz"].splitlines()[0])["charge_id"]]
    files[f"{D}day.json"] = json.dumps(day).encode()
    out = packets.signed_again(packet, tmp_path / "lie.tar", files, made / "issuer.pem")
    assert _status(out, made) == RECOMPUTATION


def test_a_missing_row_or_operation_is_found(made: Path, tmp_path: Path):
    packet = made / "tenant-a.tar"
    for table, expected in (("rows", (CONSERVATION,)), ("operations", (RECOMPUTATION,)),
                            ("divisions", (RECOMPUTATION,)), ("charges", (CONSERVATION,)),
                            ("request_costs", (CONSERVATION,)), ("lines", (CONSERVATION,))):  # fmt: skip
        files = packets.unpacked(packet)
        name = f"{D}{table}.jsonl.gz"
        files[name] = b"".join(files[name].splitlines(keepends=True)[1:])
        out = packets.signed_again(packet, tmp_path / "lie.tar", files, made / "issuer.pem")
        assert _status(out, made) in expected, table


def test_another_manifest_or_policy_than_was_recorded_is_found(made: Path, tmp_path: Path):
    packet = made / "tenant-a.tar"
    files = packets.unpacked(packet)
    policy = next(name for name in files if name.startswith("policies/"))
    for name in (policy, f"{D}manifest.json"):
        changed = {**files, name: files[name] + b" "}
        out = packets.signed_again(packet, tmp_path / "lie.tar", changed, made / "issuer.pem")
        assert _status(out, made) == RECOMPUTATION, name


# -- every field ---------------------------------------------------------------------------------

STATED_FILES = (
    "completeness.json",
    "controls.json",
    "lines.jsonl.gz",
    "spans.jsonl.gz",
    "summary.html",
)
"""Files of evidence and of words. Of lines and spans some fields are checked, most are shown."""

STATED = {
    "charges.jsonl.gz": {"others.*.id", "unallocated.*.reason", "parts.*.list_cost",
                         "parts.*.meter", "parts.*.rule"},
    "divisions.jsonl.gz": {"others.*.*", "pods.*.*", "slice", "members.*.id", "members.*.reason",
                           "unit", "resource"},
    "operations.jsonl.gz": {
        "emitter", "identity_source", "verdict", "on_gpu", "provider", "account", "region",
        "server_address", "originator_id", "issuance_id", "parent_issuance_id", "merged", "attempt",
        "caller_cluster", "caller_namespace", "caller_pod", "serving_cluster", "serving_namespace",
        "serving_pod", "span_id", "trace_id",
    },
    "rows.jsonl.gz": {"settlement", "team", "cost_center"},
    "revisions.jsonl.gz": {
        "billing_currency", "cause", "charge_id", "component", "leg", "tenant_id", "settlement",
        "policy_id", "policy_version", "policy_digest", "kernel", "forced", "run_id", "recorded_at",
    },
    "usage.jsonl.gz": {"object_id", "position"},
}  # fmt: skip
"""What the issuer's signature alone stands for. Whatever is not here is found when it is changed."""

EACH = 1
"""Values that are changed of each field."""


@pytest.mark.heavy
def test_every_field_that_can_be_changed_unnoticed_is_one_that_is_only_stated(
    made: Path, recorded_history: History, tmp_path: Path
):
    house = recorded_history.house()
    first = house.lake.states(DAY)[0]  # under version 1 a pool reads the usage report
    packet = tmp_path / "first.tar"
    write_packet(
        house, "tenant-b", DAY, DAY, out=packet, key=made / "issuer.pem", as_of=first.published_at
    )
    files = packets.unpacked(packet)
    unnoticed, tried = set(), 0
    for name, field, changed in _each_field_changed(files):
        out = packets.signed_again(
            packet, tmp_path / "lie.tar", {**files, name: changed}, made / "issuer.pem"
        )
        tried += 1
        if _status(out, made) == 0:
            unnoticed.add((name.split("/")[-1], field))
    surprising = {
        (file, field)
        for file, field in unnoticed
        if file not in STATED_FILES and field not in STATED.get(file, ())
    }
    assert not surprising
    assert tried > 200
    assert len(unnoticed) < tried / 2


def _each_field_changed(files: packets.Files) -> Iterator[tuple[str, str, bytes]]:
    """(file, path of the field with ``*`` for places, the file with it changed)."""
    for name, content in files.items():
        if name.endswith(".html"):
            continue
        is_lines = name.endswith(".jsonl.gz")
        records = [json.loads(line) for line in (content.splitlines() if is_lines else [content])]
        seen: Counter[tuple[str, str]] = Counter()
        for place, record in enumerate(records):
            if name.endswith("/rows.jsonl.gz") and not Decimal(record["effective_cost"]):
                continue  # at zero: nothing supports it, so nothing can be recomputed of it
            for path, value in _leaves(record):
                field = ".".join("*" if isinstance(step, int) else step for step in path)
                key = (str(record.get("kind", "")) if isinstance(record, dict) else "", field)
                seen[key] += 1
                if seen[key] > EACH:
                    continue
                changed = json.loads(json.dumps(records))
                at = changed[place]
                for step in path[:-1]:
                    at = at[step]
                at[path[-1]] = _another(value)
                texts = [json.dumps(one, sort_keys=True, ensure_ascii=False,
                                    separators=(",", ":")) for one in changed]  # fmt: skip
                ending = "\n" if is_lines else ""
                yield name, field, "".join(text + ending for text in texts).encode()


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if isinstance(value, dict | list):
        inside = value.items() if isinstance(value, dict) else enumerate(value)
        for step, one in inside:
            yield from _leaves(one, (*path, step))
    elif path:
        yield path, value


def _another(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case None:
            return "x"
        case str() if value.isdigit():
            return str(int(value) + 1)
        case str() if value.replace(".", "", 1).replace("-", "", 1).isdigit():
            return f"{Decimal(value) + 1:f}"
        case _:
            return f"{value}x"
