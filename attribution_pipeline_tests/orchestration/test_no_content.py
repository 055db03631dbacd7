"""Prompts, completions and tool arguments are nowhere: not in tables, evidence, rejects, Dagster's
storage, logs, exports or packets. A canary in all of them is looked for in every byte that is left.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from attribution_pipeline_tests.cases import WORKED_DAY
from attribution_pipeline_tests.sources.otlp_documents import any_value

CANARY = "zzcanary-7d1f"
DAY = "2026-10-05"

SAID: dict[str, Any] = {
    "gen_ai.input.messages": f'[{{"role":"user","parts":[{{"content":"{CANARY}"}}]}}]',
    "gen_ai.output.messages": [CANARY, CANARY],
    "gen_ai.system_instructions": CANARY,
    "gen_ai.tool.definitions": CANARY,
    "gen_ai.tool.call.arguments": {
        "kvlistValue": {"values": [{"key": "query", "value": {"stringValue": CANARY}}]}
    },
    "gen_ai.tool.call.result": CANARY,
    "gen_ai.prompt.0.content": CANARY,
    "gen_ai.completion.0.content": CANARY,
    "llm.prompts": CANARY,
    "llm.input_messages.0.message.content": CANARY,
    "input.value": CANARY,
    "output.value": CANARY,
    "traceloop.entity.input": CANARY,
    "traceloop.entity.output": CANARY,
    "langfuse.observation.input": CANARY,
    "langfuse.observation.output": CANARY,
    "http.request.body": CANARY,
    f"{CANARY}.in.a.name": 1,
}
"""What emitters call content, by the conventions that are in use."""


ONE_AFTER_ANOTHER = """
import json, sys
from attribution_pipeline.cli import app
for command in json.loads(sys.argv[1]):
    try:
        app(command)
    except SystemExit as ended:
        if ended.code not in (0, 1):
            raise
"""
"""Commands in a process of their own: whatever it writes to its output is kept. One process, since most of
a command's work is to start."""


def attributes() -> list[dict[str, Any]]:
    return [{"key": key, "value": any_value(value)} for key, value in SAID.items()]


def talkative(document: dict[str, Any]) -> None:
    """Content on every span: its attributes, events, links and status."""
    for resource in document["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                span.setdefault("attributes", []).extend(attributes())
                span["events"] = [
                    {"timeUnixNano": span["endTimeUnixNano"], "name": "gen_ai.content.prompt",
                     "attributes": attributes()},
                    {"timeUnixNano": span["endTimeUnixNano"], "name": CANARY},
                ]  # fmt: skip
                span["status"] = {"code": 2, "message": CANARY}


def refused(document: dict[str, Any]) -> Iterator[str]:
    """Lines that cannot be read, or only in part, with content where it hurts."""
    text = json.dumps(document)
    span = document["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    yield text.replace(span["traceId"], CANARY)
    yield text.replace(span["spanId"], "MTIzNDU2Nzg=")
    yield text.replace(f'"{span["endTimeUnixNano"]}"', f'"{CANARY}"')
    yield text.replace('"kind": 3', f'"kind": "{CANARY}"')
    yield text[:-200] + CANARY
    yield f'{{"resourceSpans": "{CANARY}"}}'
    yield f'"{CANARY}"'
    for key in ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"):
        yield json.dumps(_with(document, key, any_value(CANARY)))
    yield json.dumps(_with(document, "gen_ai.response.model", any_value([CANARY])))


def _with(document: dict[str, Any], key: str, value: dict[str, Any]) -> dict[str, Any]:
    changed: dict[str, Any] = json.loads(json.dumps(document))
    for span in changed["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        span["spanId"] = f"{int(span['spanId'], 16) ^ zlib.crc32(key.encode()) & 0xFFFF:016x}"
        for said in span["attributes"]:
            if said["key"] == key:
                said["value"] = value
    return changed


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that a run, an export and a packet leave behind; deliveries are taken away."""
    folder = shutil.copytree(WORKED_DAY, tmp_path_factory.mktemp("content") / "day")
    traces = folder / "spans" / "traces.jsonl"
    lines = []
    for text in traces.read_text(encoding="utf-8").splitlines():
        document = json.loads(text)
        talkative(document)
        lines.append(json.dumps(document))
    lines += refused(json.loads(lines[0]))
    traces.write_text("\n".join(lines) + "\n", encoding="utf-8")
    home = folder / "dagster-home"
    home.mkdir()
    commands = [
        ["run", "--from", DAY, "--to", DAY],
        ["ledger", "--by", "tenant_id", "--out", str(folder / "rows.parquet")],
        ["export", "focus", "--version", "1.4", "--out", str(folder / "focus")],
        ["packet", "--new-key", str(folder / "key.pem")],
        ["packet", "--tenant", "tenant-a", "--from", DAY, "--out", str(folder / "a.tar"),
         "--key", str(folder / "key.pem")],
        ["triage", "--out", str(folder / "triage.json")],
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", ONE_AFTER_ANOTHER, json.dumps(commands)],
        cwd=folder, capture_output=True, check=False,
        env={**os.environ, "DAGSTER_HOME": str(home),
             "ATTRIBUTION_CONFIG": str(folder / "attribution.yaml")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    (folder / "said.txt").write_bytes(done.stdout + done.stderr)
    traces.unlink()
    return folder


def inside(path: Path) -> Iterator[tuple[str, bytes]]:
    """A file's bytes, and what is compressed in them, by name."""
    content = path.read_bytes()
    yield str(path), content
    if path.suffix == ".parquet":
        yield f"{path}, rows", repr(pq.ParquetFile(path).read().to_pylist()).encode()
    elif path.suffix == ".tar":
        with tarfile.open(path) as packet:
            for member in packet:
                file = packet.extractfile(member)
                if file is not None:
                    said = file.read()
                    plain = gzip.decompress(said) if member.name.endswith(".gz") else said
                    yield f"{path}, {member.name}", plain


def test_content_is_in_nothing_that_is_stored_or_said(left: Path):
    found = {}
    looked = 0
    for path in sorted(left.rglob("*")):
        if path.is_file():
            for name, content in inside(path):
                looked += len(content)
                if CANARY.encode() in content:
                    at = content.index(CANARY.encode())
                    found[name] = content[max(0, at - 80) : at + 40]
    assert not found
    assert looked > 100_000, "next to nothing was left to look at"


def test_the_spans_with_content_were_read_and_some_refused(left: Path):
    rejected = [
        row
        for path in (left / "lake" / "landed").rglob("*.parquet")
        if "rejected" in path.parts
        for row in pq.ParquetFile(path).read().to_pylist()
    ]
    assert len(rejected) >= 5
    rows = pq.ParquetFile(left / "rows.parquet").read().to_pylist()
    assert any(row["tenant_id"] == "tenant-a" for row in rows)
