"""Starting the dashboard: a server on loopback, until Ctrl-C.

Belongs here: the server's settings. Does not: the application (``app``), the command line.
"""

from __future__ import annotations

import re
import threading
import webbrowser
from typing import TYPE_CHECKING

from attribution_pipeline.model.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from attribution_pipeline.config import Deployment

LOOPBACK = "127.0.0.1"
LOCAL = (LOOPBACK, "localhost", "[::1]")
EVERY_ADDRESS = ("0.0.0.0", "::")
"""Listened on, they name no address: loopback answers, other names are the operator's to give."""

PORT = 3001
"""Beside Dagster's 3000."""

PATIENCE_S = 0.3
"""A page comes within a second, also on a busy machine: what is not there by then follows when it is."""

BROWSER_DELAY_S = 0.8


def serve(
    deployment: Deployment, *, host: str = LOOPBACK, port: int = PORT, dagster: str | None = None,
    allow_hosts: Sequence[str] = (), browser: bool = True, told: Callable[[str], None] = lambda _line: None,
) -> None:  # fmt: skip
    """Serve until interrupted. ``allow_hosts``: names by which it may be asked beside its address.
    Raises Refusal where the address is taken, or a name is none."""
    import socket

    import uvicorn

    from attribution_pipeline.views.dashboard.app import dashboard, warm
    from attribution_pipeline.views.dashboard.books import Books

    names = names_of(host, allow_hosts)
    base = dagster or (deployment.dagster.base_url if deployment.dagster else None)
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise Refusal(
            f"cannot listen ({(error.strerror or str(error)).lower()})", where=f"{host}:{port}",
            remedy="give another --port, or stop what listens there",
        ) from None  # fmt: skip
    port = listener.getsockname()[1]
    books = Books(deployment)
    app = dashboard(books, dagster=base, hosts=names, patience_s=PATIENCE_S)
    url = f"http://{'localhost' if host in EVERY_ADDRESS else _bracketed(host)}:{port}/"
    told(f"dashboard on {url} (Ctrl-C stops it); reads {deployment.storage}, writes nothing")
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, workers=1)
    )
    threading.Thread(target=warm, args=[books], name="warm", daemon=True).start()
    if browser:
        threading.Timer(BROWSER_DELAY_S, webbrowser.open, [url]).start()
    try:
        server.run([listener])
    except KeyboardInterrupt:
        pass  # uvicorn ends in order, then tells again
    finally:
        books.close()
        listener.close()


def names_of(host: str, further: Sequence[str] = ()) -> list[str]:
    """Names that requests may call the server by: the address that it listens on, and what its operator
    adds. Any other is refused, so that no page of elsewhere can point a name of its own at it."""
    for name in further:
        if not re.fullmatch(r"(\*\.)?[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]", name):
            raise Refusal(
                "this is no host name", where=f"--allow-host {name}",
                remedy="give a name without scheme and port, as spend.example.com",
            )  # fmt: skip
    local = host in (*LOCAL, "::1", *EVERY_ADDRESS)
    return [*(LOCAL if local else [_bracketed(host)]), *further]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
