"""``attribution metrics``: the pipeline's figures as Prometheus reads them.

Belongs here: the text format, a file for node_exporter, an endpoint. Does not: the figures
(``orchestration.measuring``).
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from attribution_pipeline.commands.options import Config
from attribution_pipeline.model.errors import Broken, Refusal

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

    from attribution_pipeline.orchestration.house import House
    from attribution_pipeline.orchestration.measuring import Figure

PREFIX = "attribution_"

FRESH_S = 30.0
"""Two scrapers, or an impatient one, are answered from one look at the storage."""

HEALTHY, METRICS = "/-/healthy", "/metrics"


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("metrics", short_help="Figures of the pipeline for Prometheus")(metrics)


def metrics(
    serve: Annotated[
        int | None,
        typer.Option("--serve", min=0, max=65535, metavar="PORT",
                     help="Answer at /metrics until stopped; 0: any port that is free."),
    ] = None,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="To serve on. Default: this machine alone.")
    ] = "127.0.0.1",
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="F",
                     help="Write to a file, whole at once: for node_exporter's textfile collector."),
    ] = None,
    config: Config = None,
) -> None:  # fmt: skip
    """Print landing lag, stale days, unallocated share, rejected records, replay variance, the last
    recorded day and schema versions in Prometheus' text format. Reads the lake and changes nothing.

    No tenant is named, and no amount but the conservation difference, which is 0.
    """
    from prometheus_client import generate_latest, write_to_textfile

    from attribution_pipeline.config import load_deployment
    from attribution_pipeline.orchestration.house import House

    if serve is not None and out is not None:
        raise Refusal("--serve and --out exclude each other", remedy="give one of them")
    house = House(load_deployment(config))
    if serve is not None:
        _serve(house, host, serve)
        return
    registry = registry_of(house, tolerant=False)
    if out is None:
        typer.echo(generate_latest(registry).decode(), nl=False)
        return
    try:
        write_to_textfile(str(out), registry)
    except OSError as error:
        raise Refusal(
            (error.strerror or str(error)).lower(), where=str(out),
            remedy="name a file that this user may write",
        ) from None  # fmt: skip


def registry_of(house: House, *, tolerant: bool) -> CollectorRegistry:
    """The figures as metrics. ``tolerant``: what cannot be read is told by ``attribution_up 0``, and
    not raised; for a server, which others ask."""
    from prometheus_client import CollectorRegistry

    registry = CollectorRegistry()
    registry.register(_Collector(house, tolerant))
    return registry


class _Collector:
    """Looks at the storage when it is asked, and not oftener than ``FRESH_S``."""

    def __init__(self, house: House, tolerant: bool) -> None:
        self._house = house
        self._tolerant = tolerant
        self._lock = threading.Lock()
        self._seen: tuple[float, list[Metric]] | None = None

    def describe(self) -> Iterable[Metric]:
        """Nothing: the registry is not to look at the storage to learn names."""
        return []

    def collect(self) -> list[Metric]:
        """Every metric."""
        with self._lock:
            if self._seen is None or time.monotonic() - self._seen[0] > FRESH_S:
                found = self._look()  # may take longer than what it finds stays fresh
                self._seen = (time.monotonic(), found)
            return self._seen[1]

    def _look(self) -> list[Metric]:
        from attribution_pipeline.orchestration.measuring import Figure, figures

        began = time.monotonic()
        try:
            found, up = figures(self._house), 1
        except (Refusal, Broken, OSError) as problem:
            if not self._tolerant:
                raise
            typer.echo(f"metrics: {problem}", err=True)
            found, up = [], 0
        took = time.monotonic() - began
        about = [
            Figure("up", "Whether the storage could be read.", (), (((), up),)),
            Figure("look_seconds", "How long reading it took.", (), (((), took),)),
        ]
        return [_gauge(figure) for figure in (*about, *found)]


def _gauge(figure: Figure) -> Metric:
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(PREFIX + figure.name, figure.help, labels=figure.labels)
    for labels, value in figure.values:
        family.add_metric(labels, value)
    return family


def _serve(house: House, host: str, port: int) -> None:
    from wsgiref.simple_server import make_server

    from prometheus_client.exposition import ThreadingWSGIServer, _SilentHandler

    answer = application(registry_of(house, tolerant=True))
    try:
        server = make_server(
            host, port, answer, server_class=ThreadingWSGIServer, handler_class=_SilentHandler
        )
    except OSError as error:
        raise Refusal(
            f"cannot listen ({(error.strerror or str(error)).lower()})", where=f"{host}:{port}",
            remedy="give another --serve, or stop what listens there",
        ) from None  # fmt: skip
    # as a container's first process nothing else would end it
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with server, contextlib.suppress(KeyboardInterrupt):
        typer.echo(f"metrics on http://{host}:{server.server_port}{METRICS} (Ctrl-C stops it)")
        server.serve_forever()


def application(registry: CollectorRegistry) -> Callable[[dict[str, Any], Any], Iterable[bytes]]:
    """The endpoint: ``/metrics``, and ``/-/healthy``, which looks at nothing."""
    from prometheus_client import make_wsgi_app

    inner = make_wsgi_app(registry)

    def answer(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == METRICS and environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            found: Iterable[bytes] = inner(environ, start)
            return found
        healthy = environ["PATH_INFO"] == HEALTHY
        start("200 OK" if healthy else "404 Not Found", [("Content-Type", "text/plain")])
        return [b"alive\n" if healthy else b"/metrics\n"]

    return answer
