"""Where a connection may lead: checked when a name is resolved, for the address that is connected to.

Belongs here: connections that check before they connect. Does not: which addresses are refused
(``buckets.addresses``), requests (``transport``), which endpoints there are (the deployment file).

A name is resolved once and the connection goes to the very address that was checked, so an answer of
DNS that changes between the two gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Any
from urllib.parse import urlsplit

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util import connection as sockets

from attribution_pipeline.buckets.addresses import forbidden
from attribution_pipeline.model.errors import Refusal


class ForbiddenAddress(Refusal):
    """A name that leads to an address that no live source may have."""


def names_this_machine(host: str) -> bool:
    """Whether a host of an endpoint is loopback by its own spelling."""
    bare = host.strip("[]").lower()
    if bare == "localhost":
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False


def endpoint_fault(endpoint: str, *, with_credential: bool) -> str:
    """Why this endpoint can't be used, in words that repeat nothing of it; else empty.

    ``scheme://host[:port][/path]`` alone: what else a URL can hold is a place for secrets.
    """
    try:
        parts = urlsplit(endpoint)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is no web address"
    if parts.scheme not in ("http", "https") or not host or any(map(str.isspace, endpoint)):
        return "is no web address: write https://host, or http://host:port"
    if parts.username is not None or parts.password is not None:
        return "holds a user or password: name an environment variable under key_env instead"
    if parts.query or parts.fragment or "?" in endpoint or "#" in endpoint:
        return "holds a query: the pull writes its own"
    reason = forbidden(host, loopback=True)  # a name is looked at when it is resolved
    if reason:
        return f"is {reason}"
    if with_credential and parts.scheme == "http" and not names_this_machine(host):
        return "is plain http: a credential goes over https only"
    return ""


class _Checked(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _connect(self)


class _CheckedTls(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _connect(self)


def _connect(connection: HTTPConnection) -> socket.socket:
    """urllib3's own ``_new_conn``, but to addresses that were looked at."""
    host, port = connection.host.strip("[]"), connection.port
    loopback = names_this_machine(host)
    try:
        found = socket.getaddrinfo(host, port, sockets.allowed_gai_family(), socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise NameResolutionError(host, connection, socket.gaierror(str(error))) from None
    places = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for place in places:
        reason = forbidden(place, loopback=loopback)
        if reason:  # one bad answer spoils the name: the others may be there to be tried first
            raise ForbiddenAddress(
                f"{host} leads to {place}, which is {reason}",
                remedy="correct `endpoint` in the deployment file, or the name's DNS",
            )
    failure: OSError | None = None
    for place in places:
        try:
            return sockets.create_connection(
                (place, port), connection.timeout, socket_options=connection.socket_options
            )
        except OSError as error:
            failure = error
    if isinstance(failure, TimeoutError):
        raise ConnectTimeoutError(connection, f"connecting to {host} took too long") from failure
    raise NewConnectionError(connection, f"cannot connect to {host}: {failure}") from failure


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Checked


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _CheckedTls


CHECKED_POOLS: dict[str, Any] = {"http": _Pool, "https": _TlsPool}
"""For ``PoolManager.pool_classes_by_scheme``: every connection of it is checked."""
