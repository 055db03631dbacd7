"""Where a connection may lead: checked when a name is resolved, for the address that is connected to.

Belongs here: which addresses are refused, connections that check before they connect. Does not:
requests (``transport``), which endpoints there are (the deployment file).

A name is resolved once and the connection goes to the very address that was checked, so an answer of
DNS that changes between the two gains nothing. Metadata services of clouds give credentials to
whoever asks from inside; all of them but three live on link-local addresses.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util import connection as sockets

from attribution_pipeline.model.errors import Refusal

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in (
        "fd00:ec2::254",  # AWS, instance metadata over IPv6
        "100.100.100.200",  # Alibaba Cloud
        "168.63.129.16",  # Azure's wire server
        "192.0.0.192",  # Oracle Cloud, older images
    )
)
"""Metadata services that are not link-local; 169.254.169.254 and fe80::/10 are."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
"""RFC 6052: an IPv4 address in an IPv6 one."""


class ForbiddenAddress(Refusal):
    """A name that leads to an address that no live source may have."""


def forbidden(text: str, *, loopback: bool) -> str:
    """Why a connection to this address is refused; empty where it may be made.

    ``loopback``: the endpoint names this machine itself, as a port-forward does.
    """
    for address in _meanings(ipaddress.ip_address(text.partition("%")[0])):
        if address in METADATA:
            return "the metadata service of a cloud"
        if address.is_link_local:
            return "link-local"
        if address.is_multicast or address.is_unspecified:
            return "no host's address"
        if address.is_loopback and not loopback:
            return "this machine, which its name does not say"
    return ""


def _meanings(address: Address) -> Iterator[Address]:
    """The address, and the IPv4 addresses that it stands for."""
    yield address
    if isinstance(address, ipaddress.IPv6Address):
        for inner in (address.ipv4_mapped, address.sixtofour):
            if inner is not None:
                yield inner
        if address in _NAT64:
            yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)


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
    try:
        reason = forbidden(host, loopback=True)
    except ValueError:
        reason = ""  # a name; it is looked at when it is resolved
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
