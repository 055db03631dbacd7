"""The whole chain with the real OpenTelemetry SDK: threads, tasks, queues, calls over a socket."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
from opentelemetry import baggage, context, propagate, trace
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from attribution_pipeline.envelope import Carried, EnvelopeError
from attribution_pipeline.envelope.otel_context import (
    carry,
    current,
    extract_from_message,
    in_current_context,
    inject_into_message,
)
from attribution_pipeline.envelope.otel_propagator import EnvelopePropagator, install
from attribution_pipeline.envelope.propagation import extract
from attribution_pipeline.envelope.span_processor import EnvelopeSpanProcessor
from attribution_pipeline_tests.envelope.envelopes import TOKENS, judged

TOKEN = TOKENS["gw-2026a"]
INSIDE, OUTSIDE = "127.0.0.1", "127.0.0.2"
"""Two loopback hosts; the first is in ``propagate_to``."""


class Tracing:
    """A provider with our processor, the global propagator guarded, and what was exported."""

    def __init__(self, **options: Any) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False, **options)
        install(self.provider, [INSIDE])
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = self.provider.get_tracer("a third party's scope")

    def spans(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self.exporter.get_finished_spans()}

    def envelope(self, name: str) -> Any:
        return (self.spans()[name].attributes or {}).get("attribution.envelope")


@pytest.fixture
def textmap() -> Iterator[None]:
    before = propagate.get_global_textmap()
    yield
    propagate.set_global_textmap(before)


@pytest.fixture
def tracing(textmap: None) -> Iterator[Tracing]:
    made = Tracing()
    yield made
    made.provider.shutdown()


def test_every_span_within_carries_the_token_as_it_is(tracing: Tracing) -> None:
    start = tracing.tracer.start_as_current_span
    with carry(Carried(TOKEN, 2, "iss-0")), start("outer"), start("inner", kind=SpanKind.CLIENT):
        pass
    with tracing.tracer.start_as_current_span("after"):
        pass
    for name in ("outer", "inner"):
        attributes = dict(tracing.spans()[name].attributes or {})
        assert attributes == {
            "attribution.envelope": TOKEN, "attribution.attempt": 2,
            "attribution.parent_issuance_id": "iss-0",
        }  # fmt: skip
        assert judged(attributes["attribution.envelope"])
    assert tracing.envelope("after") is None


def test_carrying_ends_where_its_block_ends_and_none_stops_it(tracing: Tracing) -> None:
    with carry(TOKEN):
        with carry(None):
            assert current() is None
            tracing.tracer.start_span("scrubbed").end()
        assert current() == Carried(TOKEN)
        with pytest.raises(ZeroDivisionError), carry("other"):
            raise ZeroDivisionError
        assert current() == Carried(TOKEN)
    assert current() is None
    assert tracing.envelope("scrubbed") is None


def test_what_the_application_sets_itself_stays(tracing: Tracing) -> None:
    with carry(TOKEN):
        tracing.tracer.start_span("own", attributes={"attribution.envelope": "mine"}).end()
    assert tracing.spans()["own"].attributes == {"attribution.envelope": "mine"}


def test_a_span_is_stamped_from_the_context_it_is_given(tracing: Tracing) -> None:
    with carry(TOKEN):
        kept = context.get_current()
    tracing.tracer.start_span("elsewhere", context=kept).end()
    assert tracing.envelope("elsewhere") == TOKEN


def test_tasks_carry_it_each_its_own(tracing: Tracing) -> None:
    async def work(name: str) -> None:
        with carry(f"token-of-{name}"):
            await asyncio.sleep(0)
            task = asyncio.create_task(child(name))
            await asyncio.to_thread(tracing.tracer.start_span(f"{name}-thread").end)
            await task

    async def child(name: str) -> None:
        await asyncio.sleep(0)
        tracing.tracer.start_span(f"{name}-task").end()

    async def main() -> None:
        await asyncio.gather(*(work(f"w{number}") for number in range(5)))

    asyncio.run(main())
    for number in range(5):
        for kind in ("task", "thread"):
            assert tracing.envelope(f"w{number}-{kind}") == f"token-of-w{number}"


def test_a_thread_pool_carries_it_only_with_the_context_of_now(tracing: Tracing) -> None:
    def work(name: str) -> str:
        tracing.tracer.start_span(name).end()
        return name

    start = tracing.tracer.start_as_current_span
    with ThreadPoolExecutor(4) as pool, carry(TOKEN), start("submitter") as submitter:
        bound = in_current_context(work)
        names = list(pool.map(bound, [f"bound{number}" for number in range(8)]))
        pool.submit(work, "bare").result()
    assert tracing.envelope("bare") is None  # what the helper is for
    for name in names:
        assert tracing.envelope(name) == TOKEN
        parent = tracing.spans()[name].parent
        assert parent is not None
        assert parent.span_id == submitter.get_span_context().span_id


def test_a_queue_carries_it_and_a_redelivery_is_the_next_attempt(tracing: Tracing) -> None:
    message: dict[str, Any] = {}
    with carry(TOKEN), tracing.tracer.start_as_current_span("publish", kind=SpanKind.PRODUCER):
        inject_into_message(message)
    assert set(message) == {"traceparent", "baggage"}
    assert propagate.extract(message)
    as_bytes = {name: value.encode() for name, value in message.items()}  # as Kafka gives them
    for attempt, headers in enumerate((message, as_bytes), start=1):
        came = extract_from_message(headers)
        carried = current(came)
        assert carried == Carried(TOKEN)
        for _ in range(attempt - 1):
            carried = carried.retried()
        with carry(carried):
            tracing.tracer.start_span(
                f"consume{attempt}", context=context_with(carried, came), kind=SpanKind.CONSUMER
            ).end()
    published = tracing.spans()["publish"].context
    for attempt in (1, 2):
        span = tracing.spans()[f"consume{attempt}"]
        assert span.attributes is not None
        assert span.context is not None
        assert published is not None
        assert span.attributes["attribution.attempt"] == attempt
        assert span.attributes["attribution.envelope"] == TOKEN
        assert span.context.trace_id == published.trace_id


def context_with(carried: Carried | None, within: Any) -> Any:
    from attribution_pipeline.envelope.otel_context import with_carried

    return with_carried(carried, within)


def test_a_queue_without_tracing_carries_it_all_the_same() -> None:
    """No provider, no propagator of ours: plain headers."""
    message: dict[str, str] = {}
    with carry(TOKEN):
        inject_into_message(message)
    assert extract(message) == Carried(TOKEN)
    assert current(extract_from_message(message)) == Carried(TOKEN)


# -- calls over a socket ---------------------------------------------------------------------------


class Server:
    """An HTTP server on one loopback host that keeps the headers of each request by path."""

    def __init__(self, host: str) -> None:
        seen: dict[str, dict[str, str]] = {}

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path, _, target = self.path.partition("?to=")
                seen[path] = {name.lower(): value for name, value in self.headers.items()}
                self.send_response(302 if target else 200)
                if target:
                    self.send_header("Location", target)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.seen = seen
        self._server = ThreadingHTTPServer((host, 0), Handler)
        self.url = f"http://{host}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def carried(self, path: str) -> Carried | None:
        return extract(self.seen[path])


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Server, Server]]:
    both = Server(INSIDE), Server(OUTSIDE)
    yield both
    for one in both:
        one.stop()


class Instrumented(requests.adapters.HTTPAdapter):
    """What OpenTelemetry's HTTP client instrumentations do: a CLIENT span with the URL, injection
    inside it, and nothing after (read from opentelemetry-instrumentation-requests and -httpx
    0.66b1)."""

    def __init__(self, tracer: trace.Tracer, attribute: str) -> None:
        super().__init__()
        self._tracer, self._attribute = tracer, attribute

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        attributes = {self._attribute: str(request.url)}
        with self._tracer.start_as_current_span("GET", kind=SpanKind.CLIENT, attributes=attributes):
            propagate.inject(request.headers)
            return super().send(request, **options)


@pytest.fixture
def session(tracing: Tracing) -> Iterator[requests.Session]:
    with requests.Session() as made:
        made.trust_env = False
        made.mount("http://", Instrumented(tracing.tracer, "url.full"))
        yield made


def test_calls_inside_carry_it_and_calls_outside_do_not(
    tracing: Tracing, session: requests.Session, servers: tuple[Server, Server]
) -> None:
    with carry(Carried(TOKEN, 2)):
        within = context.attach(baggage.set_baggage("team", "growth"))
        with tracing.tracer.start_as_current_span("request", kind=SpanKind.SERVER):
            for server in servers:
                assert session.get(f"{server.url}/plain").status_code == 200
        context.detach(within)
    inside, outside = (server.seen["/plain"] for server in servers)
    assert servers[0].carried("/plain") == Carried(TOKEN, 2)
    assert judged(servers[0].carried("/plain").token)  # type: ignore[union-attr]
    assert "attribution" not in str(outside)
    assert outside["baggage"] == "team=growth"  # what is not ours goes on as before
    assert inside["traceparent"][:35] == outside["traceparent"][:35]  # one trace
    assert tracing.envelope("GET") == TOKEN  # our own spans have it either way


def test_a_redirect_to_the_outside_loses_it(
    session: requests.Session, servers: tuple[Server, Server]
) -> None:
    """Clients copy the headers of the first hop; ours are taken out of the copy."""
    inside, outside = servers
    with carry(TOKEN):
        session.get(f"{inside.url}/hop?to={outside.url}/landed")
        session.get(f"{outside.url}/out?to={inside.url}/back")
    assert inside.carried("/hop") == Carried(TOKEN)
    assert outside.carried("/landed") is None
    assert "attribution" not in str(outside.seen["/landed"])
    assert outside.carried("/out") is None
    assert inside.carried("/back") == Carried(TOKEN)


@pytest.mark.parametrize(
    ("kind", "attributes", "goes"),
    [
        (SpanKind.CLIENT, {"url.full": "http://127.0.0.1:1/x"}, True),
        (SpanKind.CLIENT, {"http.url": "http://127.0.0.1:1/x"}, True),
        (SpanKind.CLIENT, {"server.address": "127.0.0.1"}, True),
        (SpanKind.CLIENT, {"net.peer.name": "127.0.0.1"}, True),
        (SpanKind.CLIENT, {"server.address": "127.0.0.1", "url.full": "http://evil/"}, False),
        (SpanKind.CLIENT, {"server.address": "api.openai.com"}, False),
        (SpanKind.CLIENT, {}, False),
        (SpanKind.SERVER, {"server.address": "127.0.0.1"}, False),
        (SpanKind.INTERNAL, {"server.address": "127.0.0.1"}, False),
        (SpanKind.PRODUCER, {}, True),
    ],
)
def test_the_destination_is_read_from_the_client_span(
    tracing: Tracing, kind: SpanKind, attributes: dict[str, str], goes: bool
) -> None:
    headers: dict[str, str] = {}
    with carry(TOKEN), tracing.tracer.start_as_current_span("s", kind=kind, attributes=attributes):
        propagate.inject(headers)
    assert (extract(headers) == Carried(TOKEN)) is goes
    assert "traceparent" in headers


def test_a_call_whose_host_is_unknown_is_outside(textmap: None) -> None:
    """Not sampled, or no span at all: there is nothing to read the host from."""
    unsampled = Tracing(sampler=ALWAYS_OFF)
    headers: dict[str, str] = {}
    with carry(TOKEN):
        propagate.inject(headers)
        attributes = {"url.full": f"http://{INSIDE}/"}
        with unsampled.tracer.start_as_current_span(
            "s", kind=SpanKind.CLIENT, attributes=attributes
        ):
            propagate.inject(headers)
    assert extract(headers) is None


def test_queues_may_be_outside_too(tracing: Tracing) -> None:
    strict = EnvelopePropagator([INSIDE], TraceContextTextMapPropagator(), queues=False)
    headers: dict[str, str] = {}
    with carry(TOKEN), tracing.tracer.start_as_current_span("s", kind=SpanKind.PRODUCER):
        strict.inject(headers)
    assert set(headers) == {"traceparent"}


def test_it_is_carried_where_the_application_propagates_no_baggage(tracing: Tracing) -> None:
    narrow = EnvelopePropagator([INSIDE], TraceContextTextMapPropagator())
    headers: dict[str, str] = {}
    attributes = {"url.full": f"http://{INSIDE}/"}
    with (
        carry(TOKEN),
        tracing.tracer.start_as_current_span("s", kind=SpanKind.CLIENT, attributes=attributes),
    ):
        narrow.inject(headers)
    assert current(narrow.extract(headers)) == Carried(TOKEN)
    assert narrow.fields == {"traceparent", "tracestate", "baggage"}


def test_the_envelope_is_first_so_that_limits_cut_others(tracing: Tracing) -> None:
    headers: dict[str, str] = {}
    full = context.get_current()
    for number in range(60):
        full = baggage.set_baggage(f"k{number}", "x" * 200, full)
    token = context.attach(full)
    try:
        with (
            carry(TOKEN),
            tracing.tracer.start_as_current_span(
                "s", kind=SpanKind.CLIENT, attributes={"url.full": f"http://{INSIDE}/"}
            ),
        ):
            propagate.inject(headers)
    finally:
        context.detach(token)
    assert len(headers["baggage"]) <= 8192
    assert extract(headers) == Carried(TOKEN)


def test_installing_twice_is_refused(tracing: Tracing) -> None:
    with pytest.raises(EnvelopeError, match="installed already"):
        install(tracing.provider, [INSIDE])
    with pytest.raises(EnvelopeError, match="list of host patterns"):
        EnvelopePropagator(INSIDE)


def test_a_token_that_the_sdk_cuts_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    provider = TracerProvider(
        shutdown_on_exit=False, span_limits=SpanLimits(max_span_attribute_length=100)
    )
    provider.add_span_processor(EnvelopeSpanProcessor())
    with carry(TOKEN), caplog.at_level(logging.WARNING):
        for _ in range(3):
            provider.get_tracer("t").start_span("s").end()
    said = [record.message for record in caplog.records if "attribution.envelope" in record.message]
    assert len(said) == 1
    assert "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT" in said[0]
    assert TOKEN[:100] not in said[0]
