"""A real S3 for a test session: started once, for all workers, and gone with them.

Belongs here: the gateway's life, places in its bucket. Does not: what tests do there.

CI installs the gateway (`make s3`) and must run on it. Where it cannot be had, ``WITHOUT_S3=1`` says so
and the tests that need it are skipped; without that word they fail.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import shutil
import socket
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path

import pytest

from attribution_pipeline.buckets import Access
from attribution_pipeline_tests.buckets.paths import BucketPath
from attribution_pipeline_tests.cases import REPOSITORY

BUCKET = "tests"
KEYS = {"AWS_ACCESS_KEY_ID": "testkey", "AWS_SECRET_ACCESS_KEY": "testsecret"}
"""What scripts/s3.sh lets in. By the environment, as children get it, too."""

PATIENCE_S = 120.0
WITHOUT = "WITHOUT_S3"
PORTS = 3
"""That a gateway takes, one after the other."""

_places = itertools.count()
_children: list[subprocess.Popen[bytes]] = []
"""Not waited for: it ends by itself, after the session."""


def access() -> Access:
    """How this session's S3 is reached; it is started by whoever asks first."""
    os.environ.update(KEYS)
    return Access(endpoint=f"http://127.0.0.1:{_port()}", region="us-east-1")


def new_place(scratch: Path) -> BucketPath:
    """A prefix that nobody else uses; local work goes to ``scratch``."""
    return BucketPath(BUCKET, f"{os.getpid()}/{next(_places)}", access(), str(scratch))


@cache
def _port() -> int:
    if not shutil.which("radosgw"):
        if os.environ.get(WITHOUT) == "1":
            pytest.skip(f"{WITHOUT}=1: NOTHING OF THIS IS TESTED ON S3")
        pytest.fail(f"no radosgw: install it (make s3), or say {WITHOUT}=1 and go without")
    worker = "PYTEST_XDIST_WORKER" in os.environ
    session = os.environ.get("PYTEST_XDIST_TESTRUNUID") if worker else f"alone-{os.getpid()}"
    home = Path(tempfile.gettempdir()) / f"attribution-s3-{os.getuid()}-{session}"
    home.mkdir(exist_ok=True)
    with (home / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = home / "port"
        if not said.exists():
            port = _start(home / "ceph", os.getppid() if worker else os.getpid())
            said.write_text(str(port))
        return int(said.read_text())


def _start(folder: Path, watched: int) -> int:
    """A gateway that ends when the process ``watched`` does; its port."""
    port = _free_ports()
    script = REPOSITORY / "scripts" / "s3.sh"
    log = folder.parent / "log"
    with log.open("wb") as out:
        child = subprocess.Popen(
            [str(script), "run", str(folder), str(port), str(watched)],
            stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    _children.append(child)
    until = time.monotonic() + PATIENCE_S
    while "ready" not in log.read_text():
        if time.monotonic() > until:
            pytest.fail(f"S3 did not start: {log.read_text()}")
        time.sleep(0.1)
    import boto3

    client = boto3.client(
        "s3", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1",
        aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
    )  # fmt: skip
    client.create_bucket(Bucket=BUCKET)
    return port


def _free_ports() -> int:
    """The first of some ports in a row that nobody listens on."""
    while True:
        with contextlib.ExitStack() as held, contextlib.suppress(OSError, OverflowError):
            first = 0
            for offset in range(PORTS):
                one = held.enter_context(socket.socket())
                one.bind(("127.0.0.1", first + offset if first else 0))
                first = first or one.getsockname()[1]
            return int(first)
