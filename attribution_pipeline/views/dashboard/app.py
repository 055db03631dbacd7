"""The web application: which URL is which page, and what every answer carries.

Belongs here: routes, templates, exports, refusals as pages, security headers. Does not: what pages
say (``pages``), starting a server (``serving``).

Only GET and HEAD are answered. No answer holds a script or a style but the two files from here, and
the browser is told to take no other: text of the outside stays text even if an escape were forgotten.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from attribution_pipeline.model.errors import Broken, Refusal
from attribution_pipeline.views.dashboard import asked
from attribution_pipeline.views.dashboard.books import Books
from attribution_pipeline.views.dashboard.frame import NARROWED, framed
from attribution_pipeline.views.dashboard.place import NONE, Place
from attribution_pipeline.views.dashboard.rendering import environment
from attribution_pipeline.views.dashboard.view import NotThere, Page, View

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

PAGES: Mapping[str, str] = {
    "overview": "overview", "spend": "spend", "call": "call", "charge": "charge",
    "outcome": "outcome", "business": "views", "product": "views", "workflow": "views",
    "model": "views", "platform": "views", "governance": "views", "backlog": "views",
    "budgets": "budgets", "explain": "moved", "quality": "quality", "find": "find",
    "policy": "policy",
}  # fmt: skip
"""URL -> module of ``pages``."""

HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}

REFUSED, FAILED = 404, 500

FORMATS = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}

LEAST_ZIPPED = 1024
"""Bytes of an answer from which on it is compressed."""


def dashboard(
    books: Books,
    *,
    dagster: str | None = None,
    hosts: Sequence[str] = ("127.0.0.1", "localhost"),
    patience_s: float | None = None,
) -> Starlette:
    """The application. ``dagster``: where its UI is, for links; ``hosts``: names by which it answers,
    so that no other site's name can be pointed at it; ``patience_s``: see ``View``."""
    routes = [
        Route("/", _home),
        Mount(
            "/static", StaticFiles(packages=[("attribution_pipeline.views.dashboard", "static")])
        ),
        *(
            route
            for name in PAGES
            for route in (
                Route(f"/{name}", _endpoint(books, name, dagster, patience_s)),
                Route(f"/{name}/{{sheet}}.{{format}}", _export(books, name, dagster)),
            )
        ),
    ]
    return Starlette(
        routes=routes,
        middleware=[
            Middleware(_Headers),  # around the others: also what they refuse carries them
            Middleware(TrustedHostMiddleware, allowed_hosts=[*hosts], www_redirect=False),
            Middleware(GZipMiddleware, minimum_size=LEAST_ZIPPED),
        ],
        exception_handlers={Exception: _failed},
    )


def warm(books: Books) -> None:
    """Read what the first page needs before somebody asks for it."""
    with contextlib.suppress(Refusal, Broken, OSError):  # the page itself says what is wrong
        books.look()
        if books.days():
            _page(View(books, _completed(books, Place()), "overview"))


def _home(request: Request) -> Response:
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"/overview{query}")


def _endpoint(
    books: Books, name: str, dagster: str | None, patience_s: float | None
) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        try:
            view = replace(_view(books, name, dagster, request), patience_s=patience_s)
            page = Page("nothing.html", "Nothing recorded") if not books.days() else _page(view)
        except (Refusal, Broken, OSError) as problem:
            return _problem(books, name, problem)
        return _html(page.template, {**framed(view, page), **page.more, "page": page})

    answer.__name__ = name
    return answer


def _export(books: Books, name: str, dagster: str | None) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        from attribution_pipeline.views.dashboard.exporting import exported

        format_ = request.path_params["format"]
        try:
            view = _view(books, name, dagster, request)
            shown = _page(view).by_name if books.days() else {}
            sheet = shown.get(request.path_params["sheet"])
            if sheet is None or format_ not in FORMATS:
                raise NotThere("there is no such table", where=request.url.path,
                              remedy="open the page, and use its links")  # fmt: skip
            content = exported(sheet.data, format_)
        except (Refusal, Broken, OSError) as problem:
            return _problem(books, name, problem)
        file = f"{_file_name(name, sheet.name, view.place)}.{format_}"
        return Response(
            content, media_type=FORMATS[format_],
            headers={"content-disposition": f'attachment; filename="{file}"'},
        )  # fmt: skip

    return answer


def _page(view: View) -> Page:
    module = import_module(f"attribution_pipeline.views.dashboard.pages.{PAGES[view.page]}")
    found: Page = module.page(view)
    return found


def _view(books: Books, name: str, dagster: str | None, request: Request) -> View:
    books.look()
    query = request.query_params
    asked_for = Place.of(query, query.getlist(NONE))
    if name not in NARROWED:  # it shows everything, and is not to say otherwise
        asked_for = replace(asked_for, within={})
    place = _completed(books, asked_for)
    return View(books, place, name, dict(query), dagster)


def _completed(books: Books, place: Place) -> Place:
    """With the month and the currency that were left open."""
    place = books.complete(place)
    if place.month is None:
        return place
    known = asked.currencies(books, place.on(None))
    if place.currency in known:
        return place
    return replace(place, currency=known[0] if known else None)


def _problem(books: Books, name: str, problem: Exception) -> Response:
    """A refusal as a page: what, where, what to do. A broken invariant is said as one."""
    if isinstance(problem, Refusal):
        said = {"what": problem.what, "where": problem.where, "remedy": problem.remedy}
    elif isinstance(problem, OSError):
        where = str(problem.filename or books.lake.storage)
        said = {"what": (problem.strerror or str(problem)).lower(), "where": where, "remedy": ""}
    else:
        said = {"what": f"a figure is not shown, since it does not add up: {problem}", "where": "",
                "remedy": "run `attribution triage`, and keep its answer"}  # fmt: skip
    status = REFUSED if isinstance(problem, NotThere) else FAILED
    return _html("problem.html", {"said": said, "title": "Not shown", "here": name}, status)


def _failed(_request: Request, _problem: Exception) -> Response:
    """What nobody thought of; the server's log has it."""
    return Response("this page failed", FAILED, headers=HEADERS, media_type="text/plain")


def _html(template: str, context: Mapping[str, Any], status: int = 200) -> Response:
    text = environment().get_template(template).render(**context)
    return Response(text, status, media_type="text/html")


def _file_name(page: str, sheet: str, place: Place) -> str:
    """Of ASCII letters: what tenants are called stays inside the file."""
    period = place.day.isoformat() if place.day else f"{place.month:%Y-%m}"
    return re.sub(r"[^a-z0-9_-]", "", f"{page}-{sheet}-{period}".lower())


class _Headers:
    """Puts ``HEADERS`` on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(
                        (k.encode(), v.encode())
                        for k, v in HEADERS.items()
                        if k.encode() not in there
                    ),
                ]
            await send(message)

        await self.app(scope, receive, send_with)
