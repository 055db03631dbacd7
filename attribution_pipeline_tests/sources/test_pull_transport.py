"""One answer of an API: whole or not at all, asked for again where that helps, never elsewhere."""

from __future__ import annotations

import hashlib
import logging
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from attribution_pipeline.buckets.addresses import forbidden
from attribution_pipeline.buckets.settings import S3
from attribution_pipeline.sources.pull import transport as transport_module
from attribution_pipeline.sources.pull.address import (
    ForbiddenAddress,
    endpoint_fault,
    names_this_machine,
)
from attribution_pipeline.sources.pull.limits import PullLimits
from attribution_pipeline.sources.pull.transport import PullFailed, Transport
from attribution_pipeline_tests.sources.api_servers import Asked, Reply, sequence, serving

GOOD = Reply(b'{\n "data": [0.10000000000000000001]\n}\n')


def asking(url: str, folder: Path, **changes: Any) -> tuple[Transport, list[float]]:
    """A transport whose waits are counted, not waited."""
    waits: list[float] = []
    limits = PullLimits(**{"attempts": 3, **changes.pop("limits", {})})
    return Transport(url, folder, sleep=waits.append, limits=limits, **changes), waits


def failing(answer: Callable[[Asked], Reply], folder: Path, **changes: Any) -> tuple[str, str, int]:
    """Reason, message and number of requests of an answer that can't be had."""
    with serving(answer) as server:
        transport, _ = asking(server.url, folder, **changes)
        with pytest.raises(PullFailed) as no:
            transport.get("/report", [("window", "w")])
        return no.value.reason, no.value.line(), len(server.asked)


@pytest.mark.parametrize("chunked", [False, True])
def test_answer_is_kept_byte_for_byte(tmp_path: Path, chunked: bool) -> None:
    reply = Reply(GOOD.body, chunked=chunked)
    with serving(lambda _: reply) as server:
        transport, waits = asking(server.url, tmp_path)
        answer = transport.get("/report", [("group_by[]", "a b"), ("group_by[]", "c")])
    assert answer.read() == GOOD.content
    assert answer.sha256 == hashlib.sha256(GOOD.content).hexdigest()
    assert (answer.size, waits) == (len(GOOD.content), [])
    assert server.asked[0].query == {"group_by[]": ["a b", "c"]}
    assert server.asked[0].headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 529])
def test_answer_that_may_be_better_next_time_is_asked_for_again(
    tmp_path: Path, status: int
) -> None:
    with serving(sequence(Reply(status=status), Reply(status=status), GOOD)) as server:
        transport, waits = asking(server.url, tmp_path)
        assert transport.get("/report").read() == GOOD.content
    assert len(server.asked) == 3
    assert len(waits) == 2
    assert 1 <= waits[0] <= waits[1] <= 60


def test_server_says_how_long_to_wait_in_seconds_or_as_a_date(tmp_path: Path) -> None:
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    replies = sequence(
        Reply(status=429, headers={"Retry-After": "7"}),
        Reply(status=503, headers={"Retry-After": in_a_minute}),
        GOOD,
    )
    with serving(replies) as server:
        transport, waits = asking(server.url, tmp_path)
        transport.get("/report")
    assert waits[0] == 7
    assert 50 < waits[1] <= 60


def test_wait_that_is_too_long_is_the_next_runs(tmp_path: Path) -> None:
    limited = Reply(status=429, headers={"Retry-After": "86400"})
    reason, line, requests = failing(lambda _: limited, tmp_path)
    assert (reason, requests) == ("retry_after", 1)
    assert "86400 s" in line


def test_server_that_stays_down_is_given_up_after_the_attempts(tmp_path: Path) -> None:
    reason, line, requests = failing(lambda _: Reply(status=503), tmp_path)
    assert (reason, requests) == ("refused_for_now", 3)
    assert line.endswith("answers 503; the next run asks again")


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(status=401), "not_allowed"),
        (Reply(status=404), "unusable_status"),
        (Reply(b"<html>sign in</html>", content_type="text/html; charset=utf-8"), "content_type"),
        (Reply(b"{}", content_type=""), "content_type"),
        (Reply(b"{}", headers={"Content-Encoding": "gzip"}), "encoded_answer"),
        (Reply(b"{" + b" " * 200 + b"}"), "answer_bytes"),
        (Reply(b"{" + b" " * 200 + b"}", chunked=True), "answer_bytes"),
    ],
)
def test_answer_that_no_retry_betters_is_refused_at_once(
    tmp_path: Path, reply: Reply, reason: str
) -> None:
    found, _, requests = failing(lambda _: reply, tmp_path, limits={"answer_bytes": 100})
    assert (found, requests) == (reason, 1)


@pytest.mark.parametrize("chunked", [False, True])
def test_body_that_is_cut_short_is_asked_for_again_and_never_kept(
    tmp_path: Path, chunked: bool
) -> None:
    cut = Reply(GOOD.body, cut_at=9, chunked=chunked)
    assert failing(lambda _: cut, tmp_path)[::2] == ("no_answer", 3)
    with serving(sequence(cut, GOOD)) as server:
        transport, _ = asking(server.url, tmp_path)
        assert transport.get("/report").read() == GOOD.content


def test_server_that_says_nothing_is_let_go_of(tmp_path: Path) -> None:
    silent = Reply(b"0123456789", drip=1.5)
    reason, _, requests = failing(
        lambda _: silent, tmp_path, limits={"silence_seconds": 1, "attempts": 1}
    )
    assert (reason, requests) == ("too_slow", 1)


def test_server_that_drips_is_let_go_of_though_it_never_is_silent(tmp_path: Path) -> None:
    """Every byte is a second by this clock, so the answer's time is over while bytes still come."""
    seconds = iter(range(10_000))
    dripping = Reply(b"x" * 400, drip=0.001)
    reason, _, _ = failing(
        lambda _: dripping, tmp_path, clock=lambda: float(next(seconds)),
        limits={"answer_seconds": 20, "attempts": 1},
    )  # fmt: skip
    assert reason == "too_slow"


def test_whole_pull_has_an_end(tmp_path: Path) -> None:
    now = [0.0]
    with serving(lambda _: GOOD) as server:
        transport, _ = asking(
            server.url, tmp_path, clock=lambda: now[0], limits={"pull_seconds": 60}
        )
        transport.get("/report")
        now[0] = 61
        with pytest.raises(PullFailed, match="more than 60 s"):
            transport.get("/report")
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_not_followed_wherever_it_leads(tmp_path: Path, status: int) -> None:
    with serving(lambda _: GOOD) as other:
        for target in (other.url, "http://169.254.169.254/latest/meta-data/"):
            reply = Reply(status=status, headers={"Location": target})
            assert failing(lambda _, reply=reply: reply, tmp_path)[::2] == ("redirect", 1)
    assert other.asked == []


def test_nobody_there_is_one_line_without_a_trace(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        transport, waits = asking(f"http://127.0.0.1:{taken.getsockname()[1]}", tmp_path)
        with pytest.raises(PullFailed) as no:
            transport.get("/report")
    assert no.value.reason == "no_answer"
    assert len(waits) == 2


def test_plain_text_where_tls_should_be_is_refused(tmp_path: Path) -> None:
    with serving(lambda _: GOOD) as server:
        transport, _ = asking(server.url.replace("http://", "https://"), tmp_path)
        with pytest.raises(PullFailed):
            transport.get("/report")
    assert server.asked == []


# -- where a connection may lead -----------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254", "169.254.170.2", "fe80::1", "fe80::1%eth0", "fd00:ec2::254",
        "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::", "100.100.100.200",
        "168.63.129.16", "192.0.0.192", "0.0.0.0", "::", "224.0.0.1", "ff02::1", "127.0.0.1", "::1",
        "::169.254.169.254", "64:ff9b:1::a9fe:a9fe", "64:ff9b:1:a9fe:a9:fe00::",
        "64:ff9b:1:0:a9:fea9:fe00:0", "2001:0:a9fe:a9fe::", "fd00:ec2::23", "fd20:ce::254",
        "2852039166", "0xa9fea9fe", "169.254.43518", "0251.0376.0251.0376", "[::ffff:a9fe:a9fe]",
    ],
)  # fmt: skip
def test_address_that_no_live_source_has_is_refused(address: str) -> None:
    assert forbidden(address, loopback=False)


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.7",
        "192.168.1.1",
        "172.20.0.10",
        "104.18.6.192",
        "fd12::1",
        "fd00:ec3::1",
        "2001:db8::1",
        "64:ff9b:1::a00:7",
        "64:ff9b::a00:7",
        "168431623",
        "opencost.example.com",
        "face",
        "x",
    ],
)
def test_address_of_a_cluster_or_of_the_internet_is_none_of_these(address: str) -> None:
    assert not forbidden(address, loopback=False)


@pytest.mark.parametrize(
    "host",
    [
        "100.100.100.200", "[::ffff:169.254.169.254]", "2852039166", "[::169.254.169.254]",
        "[fd00:ec2::23]", "[2001:0:a9fe:a9fe::]", "0xa9fea9fe",
    ],
)  # fmt: skip
def test_storage_is_at_no_such_address_either(host: str) -> None:
    with pytest.raises(ValueError, match=r"is (the metadata service|link-local|of a kind)"):
        S3(endpoint=f"https://{host}")
    assert S3(endpoint="https://10.0.0.7:9000").access().endpoint == "https://10.0.0.7:9000"


def _resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    def answer(host: str, port: int, *_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", answer)


@pytest.mark.parametrize(
    "addresses",
    [("169.254.169.254",), ("10.0.0.1", "169.254.169.254"), ("fd00:ec2::254",), ("127.0.0.1",)],
)
def test_name_that_dns_leads_to_a_forbidden_address_is_not_connected_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, addresses: tuple[str, ...]
) -> None:
    connected: list[Any] = []
    monkeypatch.setattr(
        "urllib3.util.connection.create_connection", lambda *given, **_: connected.append(given)
    )
    _resolving(monkeypatch, *addresses)
    transport, _ = asking("http://metadata.example.com", tmp_path)
    with pytest.raises(ForbiddenAddress, match=r"metadata\.example\.com leads to"):
        transport.get("/report")
    assert connected == []


def test_connection_goes_to_the_address_that_was_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that answers with another address the second time gains nothing: it is asked once."""
    with serving(lambda _: GOOD) as server:
        port = int(server.url.rpartition(":")[2])
        times: list[str] = []

        def rebinding(host: str, port: int, *_: Any) -> list[Any]:
            times.append(host)
            address = "127.0.0.1" if len(times) == 1 else "169.254.169.254"
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

        real = socket.getaddrinfo
        monkeypatch.setattr(
            socket, "getaddrinfo",
            lambda host, *given: rebinding(host, *given) if host == "localhost" else real(host, *given),
        )  # fmt: skip
        transport, _ = asking(f"http://localhost:{port}", tmp_path)
        transport.get("/report")
    assert times == ["localhost"]


@pytest.mark.parametrize(
    "endpoint",
    [
        "ftp://host", "file:///etc/passwd", "host:9003", "https://", "https://user:pw@host",
        "https://host/?key=1", "https://host/#x", "https://ho st", "http://169.254.169.254",
        "http://[fe80::1]", "http://[fd00:ec2::254]:80", "http://host:port", "https://host?",
        "http://2852039166", "http://[::169.254.169.254]",
    ],
)  # fmt: skip
def test_endpoint_that_cannot_be_used_is_refused_before_anything_is_asked(endpoint: str) -> None:
    fault = endpoint_fault(endpoint, with_credential=False)
    assert fault
    assert "pw" not in fault


def test_credential_goes_over_plain_http_to_this_machine_alone() -> None:
    assert "plain http" in endpoint_fault("http://opencost:9003", with_credential=True)
    assert not endpoint_fault("http://opencost:9003", with_credential=False)
    assert not endpoint_fault("http://127.0.0.1:9003", with_credential=True)
    assert not endpoint_fault("https://opencost:9003", with_credential=True)
    assert names_this_machine("[::1]")
    assert not names_this_machine("localhost.example.com")


# -- secrets -------------------------------------------------------------------------------------

CANARY = "sk-canary-7d1f0c"


@pytest.mark.parametrize("chunk", [1 << 20, 5])
def test_answer_that_repeats_the_key_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    """Also where no single read has all of it."""
    monkeypatch.setattr(transport_module, "_CHUNK_BYTES", chunk)
    echo = Reply(b'{"a": "' + b"x" * 40 + CANARY.encode() + b'"}')
    reason, line, _ = failing(
        lambda _: echo, tmp_path, secret=CANARY, headers={"Authorization": f"Bearer {CANARY}"}
    )
    assert reason == "holds_the_key"
    assert CANARY not in line


def test_no_message_and_no_log_holds_the_key_or_what_a_server_says_of_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    body = f'{{"error": "Incorrect API key provided: {CANARY}"}}'.encode()
    told: list[str] = []
    with caplog.at_level(logging.DEBUG):
        for status in (401, 429, 302, 418):
            reply = Reply(body, status=status, headers={"Location": f"https://e/{CANARY}"})
            _, line, _ = failing(
                lambda _, reply=reply: reply, tmp_path, secret=CANARY, tell=told.append,
                headers={"x-api-key": CANARY},
            )  # fmt: skip
            told.append(line)
        transport, _ = asking("http://127.0.0.1", tmp_path, secret=CANARY, headers={"a": CANARY})
        told.append(repr(transport))
    assert len(told) > 4
    assert CANARY not in "\n".join([*told, caplog.text])


# -- TLS -----------------------------------------------------------------------------------------


def _certificate(folder: Path, host: str) -> tuple[Path, Path]:
    """A certificate that signs itself, for ``host``, and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    folder.mkdir()
    (folder / "ca.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )  # fmt: skip
    return folder / "ca.pem", folder / "key.pem"


def test_certificate_is_verified_by_its_authority_and_for_its_name(tmp_path: Path) -> None:
    ca, key = _certificate(tmp_path / "localhost", "localhost")
    other_ca, other_key = _certificate(tmp_path / "other", "other.example.com")
    for certificate, authority, reason in (
        ((ca, key), ca, ""),
        ((ca, key), None, "certificate"),
        ((ca, key), other_ca, "certificate"),
        ((other_ca, other_key), other_ca, "certificate"),
    ):
        with serving(lambda _: GOOD, tls=certificate) as server:
            endpoint = server.url.replace("127.0.0.1", "localhost")
            transport, waits = asking(
                endpoint, tmp_path, ca_file=str(authority) if authority else None
            )
            if not reason:
                assert transport.get("/report").read() == GOOD.content
                continue
            with pytest.raises(PullFailed) as no:
                transport.get("/report")
            assert (no.value.reason, waits, server.asked) == (reason, [], [])
