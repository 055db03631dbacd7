"""Addresses that no server of ours has: metadata services of clouds, link-local, no host's at all.

Belongs here: which addresses are refused, in every spelling. Does not: resolving names, connecting
(``sources.pull.address``), what an endpoint may look like (the deployment file).

Metadata services give credentials to whoever asks from inside. Most live on 169.254.169.254; those
that do not stand in ``METADATA``. An IPv4 address can be written as a number, and inside of several
kinds of IPv6 address: what counts is what it means.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterator

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

METADATA = tuple(
    ipaddress.ip_network(text)
    for text in (
        "fd00:ec2::/32",  # AWS: instance metadata at ::254, Pod Identity at ::23
        "fd20:ce::/32",  # Google Cloud: ::254
        "100.100.100.200/32",  # Alibaba Cloud
        "168.63.129.16/32",  # Azure's wire server
        "192.0.0.192/32",  # Oracle Cloud, older images
    )
)
"""Metadata services that are not link-local; 169.254.169.254 and fe80::/10 are."""

_OUT_OF_USE = tuple(ipaddress.ip_network(text) for text in ("::/96", "2001::/32"))
"""IPv4 in IPv6 of times gone by: IPv4-compatible (RFC 4291, section 2.5.5.1) and Teredo (RFC 4380)."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
"""RFC 6052: an IPv4 address in an IPv6 one, its last four bytes."""

_LOCAL_NAT64 = ipaddress.ip_network("64:ff9b:1::/48")
"""RFC 8215: a network's own prefix, of any length that RFC 6052 knows."""

_LOCAL_LAYOUTS = ((6, 7, 9, 10), (7, 9, 10, 11), (9, 10, 11, 12), (12, 13, 14, 15))
"""The bytes of the IPv4 address by a prefix of 48, 56, 64 and 96 bits (RFC 6052, section 2.2)."""

_NUMBERS = re.compile(r"[0-9a-fx.]+", re.ASCII | re.IGNORECASE)


def address_in(host: str) -> Address | None:
    """The address that a host is by its own spelling, as connecting takes it; None for a name."""
    bare = host.strip("[]").partition("%")[0]
    try:
        return ipaddress.ip_address(bare)
    except ValueError:
        pass
    if not _NUMBERS.fullmatch(bare):
        return None
    try:  # 2852039166, 0xa9fea9fe, 169.254.43518, 0251.0376.0251.0376
        return ipaddress.IPv4Address(socket.inet_aton(bare))
    except OSError:
        return None


def forbidden(host: str, *, loopback: bool) -> str:
    """Why a connection to this address is refused; empty where it may be made, and for a name.

    ``loopback``: the endpoint names this machine itself, as a port-forward does.
    """
    found = address_in(host)
    for address in _meanings(found) if found else ():
        if any(address in network for network in METADATA):
            return "the metadata service of a cloud"
        if address.is_link_local:
            return "link-local"
        if address.is_multicast or address.is_unspecified:
            return "no host's address"
        if address.is_loopback:
            if not loopback:
                return "this machine, which its name does not say"
        elif any(address in network for network in _OUT_OF_USE):
            return "of a kind that is out of use and hides another"
    return ""


def _meanings(address: Address) -> Iterator[Address]:
    """The address, and the IPv4 addresses that it stands for."""
    yield address
    if isinstance(address, ipaddress.IPv6Address):
        for inner in (address.ipv4_mapped, address.sixtofour):
            if inner is not None:
                yield inner
        layouts: tuple[tuple[int, ...], ...] = ()
        if address in _LOCAL_NAT64:
            layouts = _LOCAL_LAYOUTS
        elif address in _NAT64:
            layouts = _LOCAL_LAYOUTS[-1:]
        for layout in layouts:
            inner = ipaddress.IPv4Address(bytes(address.packed[at] for at in layout))
            if not inner.is_unspecified:  # where another layout has its zeros
                yield inner
