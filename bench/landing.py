"""Landing: objects as they lie in a bucket to landed Parquet, and the floors under it.

Belongs here: the programs of each format, the objects that they read. Does not: readers
(``attribution_pipeline.sources``).

All programs here are held to one core: the goals of landing are per core, and a process that lands
several objects at once takes as many cores as it is given.

The floor of a format is a parse of the same bytes that keeps nothing, reading and gunzipping in it.
``simdjson`` validates OTLP/JSON line by line, through Python (pysimdjson): iterating lines is a good
part of it, and stated with it. Protobuf is held against the JSON of the same spans.
"""

from __future__ import annotations

import csv
import gc
import gzip
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from child import Program
from generate import company, house_of

FOCUS_SERVICE = "OpenAI API"
TEMPLATE_SPANS = "2000"
"""Of the company whose bill and clusters are made large: traffic has no part in them."""

PIECE_ROWS = 50_000
"""Rows of one bill file, pods of one OpenCost answer."""

Document = dict[str, Any]


def prepare(folder: str, kind: str, size: str) -> dict[str, Any]:
    """Objects of a kind under ``folder``: spans as JSON and protobuf, a long bill, a large cluster."""
    place = Path(folder)
    said = company(folder, size if kind == "otlp" else TEMPLATE_SPANS)
    if kind == "otlp":
        for path in _objects(place / "spans"):
            out = (place / "spans-pb" / path.relative_to(place / "spans")).with_suffix("")
            out = out.with_suffix(".binpb.gz" if path.suffix == ".gz" else ".binpb")
            out.parent.mkdir(parents=True, exist_ok=True)
            whole = _protobuf(_read_json(path))
            out.write_bytes(gzip.compress(whole, 1, mtime=0) if path.suffix == ".gz" else whole)
        return {**said, **_size_of(place / "spans"), "protobuf": _size_of(place / "spans-pb")}
    if kind == "focus":
        _bill(place, int(size))
        return {"rows": int(size), **_size_of(place / "large-bill")}
    _cluster(place, int(size))
    return {"pods": int(size), **_size_of(place / "large-cluster")}


# -- ours ----------------------------------------------------------------------------------------


def ours(folder: str, out: str) -> Program:
    """OTLP/JSON objects, landed."""
    return _land(folder, out, "spans", "spans")


def otlp_pb(folder: str, out: str) -> Program:
    """The same spans as protobuf, landed."""
    return _land(folder, out, "spans", "spans-pb")


def focus(folder: str, out: str) -> Program:
    """FOCUS CSV, landed."""
    return _land(folder, out, "billing", "large-bill", format="focus", delivery="replace")


def opencost(folder: str, out: str) -> Program:
    """OpenCost `/allocation` answers, landed."""
    return _land(folder, out, "opencost", "large-cluster", cluster="apps-prod")


def _land(folder: str, out: str, kind: str, objects: str, **said: str) -> Program:
    import pandas  # noqa: F401 - Arrow imports it at its first array
    import pyarrow.parquet  # noqa: F401

    from attribution_pipeline.lake.landed import LandedStore
    from attribution_pipeline.sources import focus, opencost, otlp  # noqa: F401
    from attribution_pipeline.sources.landing import Source, land

    _one_core()
    place = Path(out) / objects
    shutil.rmtree(place, ignore_errors=True)
    source = Source(kind=kind, name="bench", uri=Path(folder) / objects, **said)
    aliases = house_of(Path(folder)).policies.attribute_aliases()
    store = LandedStore(place)

    def run() -> dict[str, Any]:
        report = land([source], store, keep_attributes=aliases)
        if report.refused:
            raise SystemExit("\n".join(report.lines()))
        stored = sum(path.stat().st_size for path in place.rglob("*.parquet"))
        return {"rows": sum(report.rows.values()), "bytes_at_rest": stored}

    return run


# -- floors --------------------------------------------------------------------------------------


def simdjson(folder: str, out: str) -> Program:
    """Every line of the JSON objects parsed by simdjson: valid, and nothing more."""
    import simdjson as library

    parser = library.Parser()
    return _lines(Path(folder) / "spans", parser.parse)


def orjson(folder: str, out: str) -> Program:
    """The same by orjson, which makes Python objects."""
    import orjson as library

    return _lines(Path(folder) / "spans", library.loads)


def opencost_json(folder: str, out: str) -> Program:
    """The answers' JSON by simdjson."""
    import simdjson as library

    parser = library.Parser()
    return _lines(Path(folder) / "large-cluster", parser.parse)


def upb(folder: str, out: str) -> Program:
    """The protobuf objects parsed by Google's library, nothing read."""
    from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

    def run() -> dict[str, Any]:
        size = 0
        for content in _contents(Path(folder) / "spans-pb"):
            TracesData.FromString(content)
            size += len(content)
        return {"bytes": size}

    return _floor(run)


def csv_scan(folder: str, out: str) -> Program:
    """The bill's CSV split into columns of text by Arrow."""
    from pyarrow import csv as library

    def run() -> dict[str, Any]:
        rows = 0
        for path in sorted((Path(folder) / "large-bill").glob("*.csv")):
            rows += library.read_csv(path).num_rows
        return {"rows": rows}

    return _floor(run)


def _lines(folder: Path, parse: Callable[[bytes], object]) -> Program:
    def run() -> dict[str, Any]:
        size = 0
        for content in _contents(folder):
            size += len(content)
            for line in content.splitlines():
                parse(line)
        return {"bytes": size}

    return _floor(run)


def _floor(run: Program) -> Program:
    """Without the cyclic collector, which finds nothing here and takes time: a floor should be low."""
    _one_core()
    gc.disable()
    return run


def _one_core() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


# -- objects -------------------------------------------------------------------------------------


def _objects(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _contents(folder: Path) -> Iterator[bytes]:
    for path in _objects(folder):
        content = path.read_bytes()
        yield gzip.decompress(content) if path.suffix == ".gz" else content


def _size_of(folder: Path) -> dict[str, int]:
    paths = _objects(folder)
    return {"objects": len(paths), "object_bytes": sum(path.stat().st_size for path in paths)}


def _read_json(path: Path) -> Document:
    import orjson as library

    content = path.read_bytes()
    found: Document = library.loads(gzip.decompress(content) if path.suffix == ".gz" else content)
    return found


def _protobuf(document: Document) -> bytes:
    """OTLP/JSON as OTLP protobuf. ``ParseDict`` does that too, ten times slower."""
    from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

    data = TracesData()
    for resource in document["resourceSpans"]:
        of_resource = data.resource_spans.add()
        _attributes(of_resource.resource, resource["resource"])
        for scope in resource["scopeSpans"]:
            of_scope = of_resource.scope_spans.add()
            of_scope.scope.name = scope["scope"].get("name", "")
            of_scope.scope.version = scope["scope"].get("version", "")
            for said in scope["spans"]:
                span = of_scope.spans.add(
                    name=said["name"],
                    kind=said["kind"],
                    flags=said.get("flags", 0),
                    trace_state=said.get("traceState", ""),
                    start_time_unix_nano=int(said["startTimeUnixNano"]),
                    end_time_unix_nano=int(said["endTimeUnixNano"]),
                )
                _ids(span, said)
                _attributes(span, said)
                for link in said.get("links", ()):
                    _ids(span.links.add(), link)
                span.status.code = said.get("status", {}).get("code", 0)
    whole: bytes = data.SerializeToString()
    return whole


def _ids(holder: Any, said: Document) -> None:
    holder.trace_id = bytes.fromhex(said["traceId"])
    holder.span_id = bytes.fromhex(said["spanId"])
    if said.get("parentSpanId"):
        holder.parent_span_id = bytes.fromhex(said["parentSpanId"])


def _attributes(holder: Any, said: Document) -> None:
    for one in said.get("attributes", ()):
        value = holder.attributes.add(key=one["key"]).value
        ((kind, content),) = one["value"].items()
        match kind:
            case "stringValue":
                value.string_value = content
            case "intValue":
                value.int_value = int(content)
            case "boolValue":
                value.bool_value = content
            case "doubleValue":
                value.double_value = content
            case _:
                raise SystemExit(f"{one['key']} has a {kind}: write a rule for it")


def _bill(place: Path, size: int) -> None:
    """The company's OpenAI bill, its rows again and again, each of a project of its own."""
    (path,) = (place / "bill-openai").glob("*.csv")
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        rows, columns = list(reader), reader.fieldnames or []
    folder = place / "large-bill"
    folder.mkdir()
    for piece in range(0, size, PIECE_ROWS):
        with (folder / f"part-{piece:09d}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            writer.writeheader()
            for number in range(piece, min(piece + PIECE_ROWS, size)):
                row = rows[number % len(rows)]
                writer.writerow({**row, "SubAccountId": f"proj_{number // len(rows):07d}"})


def _cluster(place: Path, size: int) -> None:
    """One answer of the company's application cluster, its pods again and again under new names."""
    import orjson as library

    (path,) = sorted((place / "opencost" / "apps-prod").glob("allocation-*.json"))
    answer = library.loads(path.read_bytes())
    ((entries),) = answer["data"]
    pods = [(name, entry) for name, entry in entries.items() if entry["properties"].get("pod")]
    folder = place / "large-cluster"
    folder.mkdir()
    for piece in range(0, size, PIECE_ROWS):
        made = {}
        for number in range(piece, min(piece + PIECE_ROWS, size)):
            name, entry = pods[number % len(pods)]
            pod = f"{entry['properties']['pod']}-{number:07d}"
            own = name.replace(entry["properties"]["pod"], pod)
            properties = {**entry["properties"], "pod": pod}
            made[own] = {**entry, "name": own, "properties": properties}
        content = library.dumps({**answer, "data": [made]})
        (folder / f"allocation-{piece:09d}.json").write_bytes(content)
