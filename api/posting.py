"""A POST to an address that somebody typed, sent from the server's own place in the network.

The host is looked up once, refused when it is the server itself or its link (where clouds tell a
server its keys), and connected to as it was checked, so that a second look-up cannot answer
otherwise. Addresses of a school's private network are allowed.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Mapping
from functools import cache

import httpx2
import structlog

TIMEOUT = 10.0
"""Seconds for everything from the name's look-up to the answer's status."""
_log = structlog.get_logger("observer.posting")


class AddressRefused(OSError):
    """The host stands for the server itself, for its link, or for nothing that can be sent to."""


def post(url: str, body: bytes, headers: Mapping[str, str], *, allow_loopback: bool = False) -> int:
    """HTTP status of the answer; 0 when there was none within `TIMEOUT`, or it was refused.

    Redirects are not followed, the answer's body is not read, proxies and passwords of the
    environment are not used. To be called in a thread without an event loop.
    """
    return asyncio.run(_post(url, body, headers, allow_loopback=allow_loopback))


async def _post(
    typed: str, body: bytes, headers: Mapping[str, str], *, allow_loopback: bool
) -> int:
    try:
        # On the whole: limits on single reads do not stop an answer that trickles.
        async with asyncio.timeout(TIMEOUT):
            url = httpx2.URL(typed)
            address = await _address(url, allow_loopback=allow_loopback)
            # The name goes into the header and into TLS, the connection to the checked address.
            async with (
                httpx2.AsyncClient(
                    verify=_certificates(), trust_env=False, follow_redirects=False, timeout=TIMEOUT
                ) as client,
                client.stream(
                    "POST",
                    url.copy_with(host=address),
                    content=body,
                    headers={**headers, "host": url.netloc.decode("ascii")},
                    extensions={"sni_hostname": url.raw_host.decode("ascii")},
                ) as answer,
            ):
                return answer.status_code
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, UnicodeError, TimeoutError) as error:
        _log.info("no_answer", error=type(error).__name__)
        return 0


@cache
def _certificates() -> ssl.SSLContext:
    """The system's authorities, a school's own among them; reading them takes a while."""
    return ssl.create_default_context()


async def _address(url: httpx2.URL, *, allow_loopback: bool) -> str:
    """The first address behind the host. Raises AddressRefused if any of them is forbidden."""
    if url.scheme not in {"http", "https"} or not url.host:
        raise AddressRefused("no address of a web server")
    port = url.port or (443 if url.scheme == "https" else 80)
    host = url.raw_host.decode("ascii").strip("[]")
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(entry[4][0]) for entry in found]
    if not addresses or any(forbidden(a, allow_loopback=allow_loopback) for a in addresses):
        raise AddressRefused("not an address that may be sent to")
    return addresses[0]


def forbidden(address: str, *, allow_loopback: bool = False) -> bool:
    """Whether `address` is this machine, its link, a group, or in no use.

    IPv4 addresses written as IPv6 ones are judged as IPv4.
    """
    found = ipaddress.ip_address(address)
    inner = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    known = inner or found
    if known.is_loopback:
        return not allow_loopback
    return known.is_unspecified or known.is_link_local or known.is_multicast or known.is_reserved
