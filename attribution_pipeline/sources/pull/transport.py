"""One answer of an API: asked for within limits, again where that may help, and only whole.

Belongs here: retries, what an answer must be before its bytes are kept. Does not: which addresses
are refused (``address``), pages (``paging``), what an answer means.

What a server writes in an error is never repeated: it may quote the key that it was sent.
"""

from __future__ import annotations

import hashlib
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import tenacity
from urllib3 import BaseHTTPResponse, PoolManager, Retry, Timeout
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.exceptions import TimeoutError as Slow

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.sources.pull.address import CHECKED_POOLS
from attribution_pipeline.sources.pull.limits import LIMITS, PullLimits

RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504, 529})
"""Answers that another request may better: RFC 9110, RFC 8470, and 529, an overloaded vendor."""

NO_RETRIES = Retry(False, redirect=0, raise_on_redirect=False, raise_on_status=False)
"""urllib3 neither repeats nor follows: repeating is done here, following never."""

FIRST_WAIT_S, LONGEST_WAIT_S = 1, 60

_CHUNK_BYTES = 1 << 20

Parameters = Sequence[tuple[str, str]]


class PullFailed(Refusal):
    """An answer that could not be had. ``reason`` is the stable word that is counted."""

    def __init__(self, reason: str, what: str, *, where: str, remedy: str = "") -> None:
        super().__init__(what, where=where, remedy=remedy)
        self.reason = reason


class _Again(Exception):
    """Another attempt may do better; not before ``wait_s``, where the server said so."""

    def __init__(self, failed: PullFailed, wait_s: float | None = None) -> None:
        super().__init__(failed.line())
        self.failed = failed
        self.wait_s = wait_s


@dataclass(frozen=True)
class Answer:
    """One answer as it came, whole."""

    file: Path
    """Its raw bytes."""
    request: str
    """Path and query, as they were asked for."""
    size: int
    sha256: str
    fetched_at: datetime

    def read(self) -> bytes:
        return self.file.read_bytes()


@dataclass
class Transport:
    """Asks one endpoint, for the length of one pull."""

    endpoint: str
    scratch: Path
    """A local folder for answers; whoever made it removes it."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secret: str = field(default="", repr=False)
    """What no kept answer may hold."""
    ca_file: str | None = None
    limits: PullLimits = LIMITS
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    tell: Callable[[str], None] = lambda _: None

    def __post_init__(self) -> None:
        self._until = self.clock() + self.limits.pull_seconds
        self._count = 0
        self._pools = PoolManager(
            retries=NO_RETRIES, cert_reqs="CERT_REQUIRED", ca_certs=self.ca_file
        )  # fmt: skip
        self._pools.pool_classes_by_scheme = CHECKED_POOLS

    def get(self, path: str, parameters: Parameters = ()) -> Answer:
        """The JSON answer to a GET. Raises PullFailed, or ForbiddenAddress."""
        query = urlencode(parameters)
        request = f"{path}?{query}" if query else path
        return self.attempts(request, lambda: self._send(request))

    def attempts(
        self, request: str, send: Callable[[], BaseHTTPResponse], kind: str = "application/json"
    ) -> Answer:
        """``send`` until an answer comes whole, or may not come any more. For clients that send by
        themselves (``kubernetes``), too."""
        where = f"{_origin(self.endpoint)}{urlsplit(request).path}"
        repeated = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self.limits.attempts),
            wait=self._wait,
            retry=tenacity.retry_if_exception_type(_Again),
            before_sleep=lambda state: self.tell(_told(state)),
            sleep=self.sleep,
            reraise=True,
        )
        try:
            return repeated(self._attempt, request, send, kind, where)
        except _Again as last:
            raise last.failed from None

    def _wait(self, state: tenacity.RetryCallState) -> float:
        """What the server asked for, else twice as long each time, with jitter."""
        error = state.outcome.exception() if state.outcome else None
        asked = error.wait_s if isinstance(error, _Again) else None
        if asked is not None:
            return asked
        return float(
            tenacity.wait_exponential_jitter(initial=FIRST_WAIT_S, max=LONGEST_WAIT_S)(state)
        )

    def _attempt(
        self, request: str, send: Callable[[], BaseHTTPResponse], kind: str, where: str
    ) -> Answer:
        if self.clock() > self._until:
            raise PullFailed(
                "pull_seconds", f"the pull took more than {self.limits.pull_seconds} s", where=where,
                remedy="ask for fewer days, or raise limits.pull_seconds",
            )  # fmt: skip
        try:
            response = send()
            try:
                self._require_usable(response, kind, where)
                return self._kept(response, request, where)
            finally:
                response.close()  # no half-read connection is used again
        except (Slow, TimeoutError) as error:
            if isinstance(error, NewConnectionError):  # by urllib3's descent a timeout; it is none
                raise _Again(
                    PullFailed("no_answer", "cannot be connected to", where=where)
                ) from error
            raise _Again(PullFailed("too_slow", "did not answer in time", where=where)) from error
        except (HTTPError, ssl.SSLError, OSError) as error:
            if _is_certificate(error):
                raise PullFailed(
                    "certificate", "has a certificate that does not verify", where=where,
                    remedy="name its authority under ca_file",
                ) from None  # fmt: skip
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk's
            raise _Again(
                PullFailed("no_answer", f"could not be asked ({type(error).__name__})", where=where)
            ) from error

    def _send(self, request: str) -> BaseHTTPResponse:
        return self._pools.request(
            "GET",
            self.endpoint.rstrip("/") + request,
            headers={"Accept": "application/json", "Accept-Encoding": "identity", **self.headers},
            timeout=self.timeout(),
            redirect=False,
            preload_content=False,
            decode_content=False,
        )

    def timeout(self) -> Timeout:
        """Of one request, in seconds: to connect, and between two reads."""
        return Timeout(connect=self.limits.connect_seconds, read=self.limits.silence_seconds)

    def _require_usable(self, response: BaseHTTPResponse, kind: str, where: str) -> None:
        status = response.status
        if status in RETRIED:
            raise _Again(
                PullFailed("refused_for_now", f"answers {status}", where=where,
                           remedy="the next run asks again"),
                self._asked_wait(response, where),
            )  # fmt: skip
        if 300 <= status < 400:
            raise PullFailed(
                "redirect", f"answers {status}, a redirect, which is not followed", where=where,
                remedy="name the address that answers as `endpoint`",
            )  # fmt: skip
        if status in (401, 403):
            raise PullFailed(
                "not_allowed", f"answers {status}", where=where,
                remedy="check the credential that key_env or key_file names, and its scope",
            )  # fmt: skip
        if status != 200:
            raise PullFailed("unusable_status", f"answers {status}", where=where)
        said = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if said != kind and not (said.startswith("application/") and said.endswith("+json")):
            raise PullFailed(
                "content_type", f"answers with {said[:60]!r}, not {kind}", where=where,
                remedy="is something else listening there, a login page say?",
            )  # fmt: skip
        coding = response.headers.get("Content-Encoding", "identity").strip().lower()
        if coding not in ("identity", ""):
            raise PullFailed(
                "encoded_answer", "is compressed, which was not asked for", where=where
            )
        length = response.headers.get("Content-Length", "")
        if length.isdecimal() and len(length) < 20 and int(length) > self.limits.answer_bytes:
            raise self._too_large(where)

    def _asked_wait(self, response: BaseHTTPResponse, where: str) -> float | None:
        seconds = _seconds(response.headers.get("Retry-After", ""))
        if seconds is None:
            return None
        if seconds > self.limits.retry_after_seconds or self.clock() + seconds > self._until:
            raise PullFailed(
                "retry_after", f"answers {response.status}: ask again in {seconds:.0f} s",
                where=where, remedy="the next run asks again",
            )  # fmt: skip
        return seconds

    def _kept(self, response: BaseHTTPResponse, request: str, where: str) -> Answer:
        self._count += 1
        file = self.scratch / f"answer-{self._count}"
        until = min(self.clock() + self.limits.answer_seconds, self._until)
        digest, size, tail = hashlib.sha256(), 0, b""
        secret = self.secret.encode()
        with file.open("wb") as kept:
            # read1: what has arrived, so that a server that drips does not hold a whole chunk back
            while chunk := response.read1(_CHUNK_BYTES, decode_content=False):
                size += len(chunk)
                if size > self.limits.answer_bytes:
                    raise self._too_large(where)
                if self.clock() > until:
                    raise _Again(
                        PullFailed("too_slow", f"was not whole in {self.limits.answer_seconds} s",
                                   where=where)
                    )  # fmt: skip
                if secret and secret in tail + chunk:
                    raise PullFailed(
                        "holds_the_key", "repeats the credential that it was sent", where=where,
                        remedy="is `endpoint` what you think it is? replace the key",
                    )  # fmt: skip
                tail = (tail + chunk)[-len(secret) :] if secret else b""
                digest.update(chunk)
                kept.write(chunk)
        return Answer(file, request, size, digest.hexdigest(), datetime.now(UTC))

    def _too_large(self, where: str) -> PullFailed:
        return PullFailed(
            "answer_bytes", f"is larger than {self.limits.answer_bytes} bytes", where=where,
            remedy="raise limits.answer_bytes where that is right",
        )  # fmt: skip


def _origin(endpoint: str) -> str:
    parts = urlsplit(endpoint)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"


def _seconds(text: str) -> float | None:
    """Of a Retry-After: seconds, or a date (RFC 9110 section 10.2.3)."""
    text = text.strip()
    if text.isdecimal() and len(text) < 10:
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return max(0.0, (at - datetime.now(UTC)).total_seconds())


def _is_certificate(error: BaseException) -> bool:
    seen: Any = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return True
        inner = [arg for arg in getattr(seen, "args", ()) if isinstance(arg, BaseException)]
        seen = inner[0] if inner else (seen.__cause__ or seen.__context__)
    return False


def _told(state: tenacity.RetryCallState) -> str:
    error = state.outcome.exception() if state.outcome else None
    wait = state.next_action.sleep if state.next_action else 0
    return f"{error}; again in {wait:.1f} s"
