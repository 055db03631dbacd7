"""How a bucket is reached: credentials by the usual chain, one endpoint, no redirect, nothing secret said."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow as pa
import pytest

from attribution_pipeline.buckets import Access, Bucket
from attribution_pipeline.buckets.client import Client
from attribution_pipeline.buckets.session import session_of
from attribution_pipeline.commands import close
from attribution_pipeline.lake import Lake
from attribution_pipeline.lake.landed import LandedStore
from attribution_pipeline.lake.places import open_store
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.sources.landing import Source, land
from attribution_pipeline_tests.buckets import server
from attribution_pipeline_tests.buckets.paths import BucketPath
from attribution_pipeline_tests.cases import WORKED_DAY
from attribution_pipeline_tests.lake.days import DAY, record
from attribution_pipeline_tests.test_cli import run

pytestmark = pytest.mark.heavy

CANARY = "canary-of-a-secret-key"
STS = """<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>web-key</AccessKeyId>
<SecretAccessKey>web-secret</SecretAccessKey><SessionToken>web-token</SessionToken>
<Expiration>{until}</Expiration></Credentials></AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>"""


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credentials but what a test gives, and a process that knows none yet."""
    server.access()
    for name in server.KEYS:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def named(place: BucketPath, **changes: object) -> BucketPath:
    """The same place by an access of its own, so that no other test's session is used."""
    return replace(place, access=replace(place.access, attempts=2, **changes))  # type: ignore[arg-type]


def works(place: BucketPath) -> None:
    """A small object and a Delta table, which delta-rs reaches by itself."""
    store = open_store(place)
    store.create("one", b"1")
    assert store.read("one") == b"1"
    schema = pa.schema([("charge_date", pa.date32()), ("x", pa.int64())])
    store.create_table("t", schema, {})
    assert store.open_table("t").version() == 0


@contextlib.contextmanager
def answering(
    status: int, headers: dict[str, str], body: bytes = b""
) -> Iterator[tuple[str, list[str]]]:
    """A server on loopback with one answer; its address, and what it was asked."""
    asked: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def _say(self) -> None:
            asked.append(self.path)
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_HEAD = do_PUT = do_POST = _say

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as http:
        serving = threading.Thread(target=http.serve_forever, daemon=True)
        serving.start()
        try:
            yield f"http://127.0.0.1:{http.server_port}", asked
        finally:
            http.shutdown()
            serving.join()


def test_a_profile_gives_the_keys(place: BucketPath, alone: None, tmp_path: Path) -> None:
    lines = ["[lake]", *(f"{name.lower()} = {value}" for name, value in server.KEYS.items())]
    (tmp_path / "AWS_SHARED_CREDENTIALS_FILE").write_text("\n".join(lines))
    works(named(place, profile="lake"))


def test_a_profile_that_is_not_there_is_named(place: BucketPath, alone: None) -> None:
    with pytest.raises(Refusal, match="profile no-such: the AWS configuration cannot be used"):
        works(named(place, profile="no-such"))


def test_a_web_identity_is_exchanged_for_keys_that_end(
    alone: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("a.jwt.token")
    until = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    with answering(200, {"content-type": "text/xml"}, STS.format(until=until).encode()) as (
        url,
        asked,
    ):
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
        monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/lake")
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url)
        reached = session_of(Access("http://127.0.0.1:1", "eu-central-1", attempts=3))
        options = reached.delta_options("b")
    assert len(asked) == 1
    assert (options["AWS_ACCESS_KEY_ID"], options["AWS_SESSION_TOKEN"]) == ("web-key", "web-token")


def test_no_credentials_are_one_clear_line(place: BucketPath, alone: None) -> None:
    for act in (lambda store: store.read("x"), lambda store: store.open_table("t")):
        with pytest.raises(Refusal, match="no credentials were found for object storage"):
            act(open_store(named(place, timeout_s=31.0)))


def test_an_endpoint_in_the_environment_is_not_used(
    place: BucketPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(500, {}) as (url, asked):
        for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT"):
            monkeypatch.setenv(name, url)
        works(named(place, timeout_s=32.0))
        assert asked == []


def test_aws_itself_is_asked_in_its_region_and_nowhere_else(
    alone: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://169.254.169.254")
    options = session_of(Access(region="eu-central-1", attempts=4)).delta_options("costs")
    assert options["AWS_ENDPOINT_URL"] == "https://s3.eu-central-1.amazonaws.com"
    assert options["AWS_ALLOW_HTTP"] == "false"
    with pytest.raises(Refusal, match="no region is known"):
        Client(Bucket("costs", access=Access(attempts=5))).read("x")


def test_a_redirect_is_not_followed(place: BucketPath) -> None:
    """delta-rs would, so the lake asks by its own client first, whatever it is about to do."""
    with answering(200, {}, b"stolen") as (elsewhere, reached):
        for status in (301, 302, 307, 308):
            with answering(status, {"location": f"{elsewhere}/bucket/one"}) as (url, asked):
                there = named(place, endpoint=url)
                acts: list[Callable[[], object]] = [
                    lambda there=there: open_store(there).read("one"),
                    lambda there=there: open_store(there).names("a"),
                    lambda there=there: Lake(there).days(),
                    lambda there=there: record(Lake(there), DAY, ["1"]),
                    lambda there=there: LandedStore(there),
                ]
                for act in acts:
                    with pytest.raises(OSError, match="s3://"):
                        act()
                assert asked
        assert reached == []


def test_a_wrong_key_is_told_without_it(
    place: BucketPath, alone: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.KEYS["AWS_ACCESS_KEY_ID"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
    wrong = named(place, timeout_s=33.0)
    store = open_store(wrong)
    for act in (
        lambda: store.read("x"),
        lambda: store.create("x", b""),
        lambda: store.open_table("t"),
    ):
        with pytest.raises(OSError, match=r"SignatureDoesNotMatch|AccessDenied|403") as refused:
            act()
        assert CANARY not in str(refused.value)
        assert server.KEYS["AWS_ACCESS_KEY_ID"] not in str(refused.value)
        assert "\n" not in str(refused.value)
    assert CANARY not in repr((wrong, vars(store)))


@pytest.mark.parametrize(
    "command", [("run", "--to", DAY.isoformat()), ("ledger",), ("spend",)], ids=lambda one: one[0]
)
def test_storage_that_is_not_there_is_one_line(command: tuple[str, ...], tmp_path: Path) -> None:
    folder = shutil.copytree(WORKED_DAY, tmp_path / "day")
    file = folder / "attribution.yaml"
    nowhere = 's3://no-such-bucket/lake\ns3: {endpoint: "%s", allow_http: true}'
    text = file.read_text().replace("./lake", nowhere % server.access().endpoint)
    file.write_text(text)
    found = run(command[0], "--config", file, "--from", DAY.isoformat(), *command[1:])
    assert found.exit_code == 2, found.output
    (line,) = found.stderr.splitlines()
    assert line.startswith("attribution: s3://no-such-bucket/lake")
    assert "there is no such bucket" in line


def test_a_close_record_is_written_into_a_bucket_and_lands(place: BucketPath) -> None:
    line = ('{"issuer": "aws", "account": null, "billing_period": "2026-10", "action": "close", '
            '"recorded_at": "2026-11-05T00:00:00Z", "by": "me", "reason": "final"}\n')  # fmt: skip
    written = close._write(place / "closes", datetime(2026, 11, 5, tzinfo=UTC), line)
    assert written.startswith(f"{place}/closes/close-20261105T")
    (found,) = land([Source("closes", "closes", place / "closes")], LandedStore(place)).sources
    assert found.new + found.refused == 1
