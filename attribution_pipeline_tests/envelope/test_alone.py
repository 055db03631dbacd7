"""An application depends on the envelope alone: without the engine, and installed by its extra."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

HEAVY = (
    "dagster", "duckdb", "pyarrow", "pandas", "numpy", "deltalake", "pydantic", "typer", "rich",
    "orjson", "zstandard", "sqlglot", "securesystemslib",
)  # fmt: skip
EXTRA = ("cryptography", "opentelemetry", "yaml")

BLOCKER = """
import sys
import tomllib
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError("No module named " + name, name=name)
sys.meta_path.insert(0, Blocker())
"""

HMAC_PATH = """
import json, os, sys
from base64 import b64encode
from attribution_pipeline.envelope import Carried, Claims, KeyRing, assert_envelope, issue, verify
from attribution_pipeline.envelope.propagation import extract, headers_for

secret = b64encode(os.urandom(32)).decode()
os.environ["KEYS"] = json.dumps(
    {"keys": [{"key_id": "k", "algorithm": "hmac-sha256", "secret": secret}]}
)
keys = KeyRing.from_environment("KEYS")
claims = Claims.new(tenant_id="acme", originator_id="u", workflow_id="w", operation_id="o",
                    audience="prod")
token = issue(claims, keys.get("k"))
carried = extract(headers_for("http://gateway/", Carried(token), ["gateway"]))
assert verify(carried.token, keys).claims == claims
other = "BA" if token.endswith("AA") else "AA"  # one token in a thousand ends so
assert verify(token[:-2] + other, keys).verdict == "bad_signature"
assert assert_envelope(token, keys, audience="prod", tenant_id="acme") == claims
loaded = {name.partition(".")[0] for name in sys.modules}
print("hmac", sorted(loaded & set(UNWANTED)))
"""

FULL_PATH = """
from attribution_pipeline.envelope.keygen import add_to_file, new_key
from attribution_pipeline.envelope.otel_context import carry
from attribution_pipeline.envelope.otel_propagator import install
from opentelemetry.sdk.trace import TracerProvider
from pathlib import Path
import tempfile

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "keys.yaml"
    add_to_file(path, new_key("e", "ed25519"))
    keys = KeyRing.load(path)
token = issue(claims, keys.get("e"))
provider = TracerProvider()
install(provider, ["gateway"])
with carry(token):
    span = provider.get_tracer("t").start_span("s")
assert verify(span.attributes["attribution.envelope"], keys).claims == claims
loaded = {name.partition(".")[0] for name in sys.modules}
print("full", sorted(loaded & set(UNWANTED)))
"""

WITHOUT = """
from attribution_pipeline.envelope import Key, KeyRing, MissingLibrary
import tempfile, os
def refused(call):
    try:
        call()
    except MissingLibrary as error:
        print(error)
refused(lambda: Key(key_id="e", algorithm="ed25519", private=os.urandom(32)))
os.environ["KEYS"] = "keys: []"
refused(lambda: KeyRing.from_environment("KEYS"))
refused(lambda: __import__("attribution_pipeline.envelope.otel_context"))
refused(lambda: __import__("attribution_pipeline.envelope.span_processor"))
refused(lambda: __import__("attribution_pipeline.envelope.otel_propagator"))
"""


def python(code: str, executable: str | Path = sys.executable, cwd: Path | None = None) -> str:
    """What a fresh interpreter prints; it must end well."""
    done = subprocess.run(
        [str(executable), "-c", code], capture_output=True, text=True, cwd=cwd, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def blocked(*names: str) -> str:
    return f"BLOCKED = {names!r}\nUNWANTED = {HEAVY!r}\n{BLOCKER}"


def test_hmac_needs_the_standard_library_alone() -> None:
    assert python(blocked(*HEAVY, *EXTRA) + HMAC_PATH) == "hmac []\n"


def test_ed25519_and_the_span_processor_need_the_extra_alone() -> None:
    assert python(blocked(*HEAVY) + HMAC_PATH + FULL_PATH) == "hmac []\nfull []\n"


def test_importing_it_loads_nothing_of_the_extra() -> None:
    code = (
        "import sys, attribution_pipeline.envelope\n"
        f"print(sorted({{n.partition('.')[0] for n in sys.modules}} & set({(*HEAVY, *EXTRA)!r})))"
    )
    assert python(code) == "[]\n"


def test_a_missing_library_is_named_with_what_to_install() -> None:
    lines = python(blocked(*HEAVY, *EXTRA) + WITHOUT).splitlines()
    needs = "which is not installed: install attribution_pipeline[envelope]"
    assert lines == [
        f"ed25519 needs cryptography, {needs}",
        f"a key file in YAML (JSON needs nothing) needs PyYAML, {needs}",
        f"carrying in OpenTelemetry needs opentelemetry-sdk, {needs}",
        f"the span processor needs opentelemetry-sdk, {needs}",
        f"carrying in OpenTelemetry needs opentelemetry-sdk, {needs}",
    ]


def test_the_command_without_its_libraries_says_in_one_line_what_to_install() -> None:
    code = blocked(*HEAVY) + "from attribution_pipeline.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "attribution: typer is not installed: this is the envelope library alone; for the command "
        "install attribution_pipeline[pipeline]\n"
    )


def test_a_part_of_the_product_that_is_gone_is_no_missing_extra() -> None:
    code = (
        "import sys; sys.modules['attribution_pipeline.cli'] = None\n"
        "from attribution_pipeline.__main__ import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ModuleNotFoundError" in done.stderr


@pytest.mark.heavy
def test_the_extra_installs_the_library_and_nothing_of_the_engine(tmp_path: Path) -> None:
    """A wheel built from this tree, in an environment of its own, from the package index.

    Not skipped where the index does not answer: then it has not been shown, and that is a failure.
    """
    source = tmp_path / "source"
    shutil.copytree(
        ROOT / "attribution_pipeline", source / "attribution_pipeline",
        ignore=shutil.ignore_patterns("__pycache__"),
    )  # fmt: skip
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source / name)
    quiet = ["--quiet", "--disable-pip-version-check"]
    _run(
        sys.executable, "-m", "pip", "wheel", *quiet, "--no-deps", "--no-build-isolation",
        "--wheel-dir", tmp_path, source,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    _run(sys.executable, "-m", "venv", tmp_path / "venv")
    binaries = tmp_path / "venv" / "bin"
    _run(binaries / "python", "-m", "pip", "install", *quiet, f"{wheel}[envelope]")

    names = "from importlib.metadata import distributions as d; print(*(one.name for one in d()))"
    installed = set(python(names, binaries / "python").replace("-", "_").split())
    assert {"cryptography", "opentelemetry_sdk", "attribution_pipeline"} <= installed
    assert installed.isdisjoint(HEAVY)
    code = f"UNWANTED = {HEAVY!r}\n{HMAC_PATH}{FULL_PATH}"
    assert python(code, binaries / "python", cwd=tmp_path) == "hmac []\nfull []\n"
    command = subprocess.run(
        [binaries / "attribution", "--help"], capture_output=True, text=True, check=False
    )
    assert command.returncode == 2
    assert command.stderr.count("\n") == 1
    assert "install attribution_pipeline[pipeline]" in command.stderr


def _run(*command: str | Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, env=environment,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def test_the_lock_file_holds_what_every_extra_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements.lock").read_text(), re.M))
    assert project["dependencies"] == []
    for extra in ("envelope", "pipeline", "dev"):
        for line in project["optional-dependencies"][extra]:
            name = re.match(r"[A-Za-z0-9_-]+", line)
            assert name is not None
            assert name[0].lower().replace("_", "-") in locked, line
