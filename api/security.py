"""What every request passes: a name, a size, the same origin; what every answer carries.

Pure ASGI around the whole application, error pages included. Requests are logged as JSON lines
with the route's template, never the address itself: one-time links and titles stand in those.
"""

import re
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.answers import answer
from api.auth import SESSION_COOKIE
from api.metrics import count
from api.problems import LimitError, NotAllowedError, ServiceError
from api.settings import ServiceSettings

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "font-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""The content security policy of every answer that does not bring its own."""

HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # not no-referrer: browsers would then send `Origin: null` with our own forms
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cache-control": "private, no-store",
}
HSTS = "max-age=31536000"
"""With https alone: on a plain-http server of a school it would lock people out."""

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
BODY_LIMIT = 1024 * 1024
"""Bytes of a request's body, where the route has no limit of its own."""
OWN_LIMIT = ("/api/v1/uploads",)
"""Routes that take long bodies and count them themselves."""

log = structlog.get_logger("observer.access")


class Guard:
    """Wraps the application; see the module."""

    def __init__(self, app: ASGIApp, settings: ServiceSettings) -> None:
        self._app = app
        public = urlsplit(settings.public_url)
        self._origin = f"{public.scheme}://{public.netloc}"
        self._headers = dict(HEADERS)
        if settings.secure_cookies:
            self._headers["strict-transport-security"] = HSTS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, or hands it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = _request_id(headers.get("x-request-id", ""))
        scope.setdefault("state", {})["request_id"] = request_id
        out = _Answer(send, self._headers | {"x-request-id": request_id})
        start = time.perf_counter()
        try:
            await self._hand_on(scope, headers, receive, out)
        finally:
            seconds = time.perf_counter() - start
            count(scope["method"], route_of(scope), out.status, seconds)
            log.info(
                "request",
                request_id=request_id,
                method=scope["method"],
                route=route_of(scope),
                status=out.status,
                bytes=out.bytes,
                ms=round(1000 * seconds, 1),
            )

    async def _hand_on(
        self, scope: Scope, headers: Headers, receive: Receive, send: "_Answer"
    ) -> None:
        try:
            if scope["method"] not in SAFE:
                check_origin(headers, self._origin)
                if not scope["path"].startswith(OWN_LIMIT):
                    receive = await _limited(headers, receive)
        except ServiceError as error:
            await answer(Request(scope), error)(scope, receive, send)
            return
        await self._app(scope, receive, send)


class _Answer:
    """`send` that adds the headers an answer lacks, and remembers its status and length."""

    def __init__(self, send: Send, headers: dict[str, str]) -> None:
        self._send = send
        self._headers = headers
        self.status = 0
        """0: the client went away before an answer."""
        self.bytes = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in self._headers.items():
                headers.setdefault(name, value)
        elif message["type"] == "http.response.body":
            self.bytes += len(message.get("body", b""))
        await self._send(message)


def check_origin(headers: Headers, public: str) -> None:
    """Raises NotAllowedError for a change that another site's page asks a browser for.

    `public` is the installation's own origin. Bearer tokens are exempt: no browser sends them
    unasked. Without both headers it is no browser of this decade; it may act without a cookie.
    """
    if headers.get("authorization", "").lower().startswith("bearer "):
        return
    site = headers.get("sec-fetch-site")
    origin = headers.get("origin")
    if site is not None:
        fine = site in {"same-origin", "none"}
    elif origin is not None:
        fine = origin == public or urlsplit(origin).netloc == headers.get("host", "")
    else:
        fine = SESSION_COOKIE not in headers.get("cookie", "")
    if not fine:
        raise NotAllowedError(
            en="This request came from another website and was not carried out. Open the page"
            " here and try again.",
            zh="此请求来自其他网站，未被执行。请在本站打开页面后重试。",
        )


async def _limited(headers: Headers, receive: Receive) -> Receive:
    """`receive` for a body of at most BODY_LIMIT bytes. Raises LimitError for a longer one.

    A body without a stated length is read first: once the application has begun to answer, it
    would be too late to refuse.
    """
    stated = headers.get("content-length")
    if stated is not None:
        if not re.fullmatch(r"\d{1,18}", stated) or int(stated) > BODY_LIMIT:
            raise _too_large()
        return receive
    if "transfer-encoding" not in headers:
        return receive
    messages = [m async for m in _body(receive)]
    return _Replay(messages, receive)


async def _body(receive: Receive) -> Any:
    size = 0
    more = True
    while more:
        message = await receive()
        more = bool(message.get("more_body", False))
        size += len(message.get("body", b""))
        if size > BODY_LIMIT:
            raise _too_large()
        yield message


class _Replay:
    """`receive` that gives messages again before it goes on."""

    def __init__(self, messages: Iterable[Message], receive: Receive) -> None:
        self._messages = list(messages)
        self._receive = receive

    async def __call__(self) -> Message:
        return self._messages.pop(0) if self._messages else await self._receive()


def _too_large() -> LimitError:
    return LimitError(
        en="The request is larger than 1 MB. Recordings are uploaded under /api/v1/uploads.",
        zh="请求超过 1 MB。录像请通过 /api/v1/uploads 上传。",
    )


def _request_id(given: str) -> str:
    """The proxy's name for the request if it is a harmless one, else a new one."""
    return given if re.fullmatch(r"[0-9A-Za-z-]{8,64}", given) else uuid4().hex


def route_of(scope: Scope) -> str:
    """The template of the route that answered, such as /lessons/{lesson_id}; - for none."""
    route = scope.get("route")
    return getattr(route, "path", "-") if route is not None else "-"
