"""How an error is told: problem+json (RFC 9457), or a page for people, in the reader's language."""

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DataError, IntegrityError, OperationalError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from api.problems import (
    ConflictError,
    InvalidError,
    LimitError,
    ServiceError,
    SignInError,
    UnavailableError,
    not_found,
)
from observer.errors import (
    EngineError,
    Language,
    ObserverError,
    RecordingError,
    TranscriptError,
    UsageError,
)

LANGUAGE_COOKIE = "observer_language"
MEDIA_TYPE = "application/problem+json"
TITLES: Mapping[int, tuple[str, str]] = {
    400: ("The request cannot be understood", "请求无法理解"),
    401: ("Please sign in", "请先登录"),
    403: ("Not allowed", "没有权限"),
    404: ("Nothing here", "没有找到内容"),
    405: ("Not possible here", "此处不支持该操作"),
    409: ("It clashes with what is there", "与已有内容冲突"),
    413: ("Too large", "内容过大"),
    422: ("Something in it is not right", "内容有误"),
    429: ("Too often", "操作过于频繁"),
    500: ("Something went wrong here", "系统出现问题"),
    503: ("Not available just now", "暂时不可用"),
    507: ("No space left", "存储空间不足"),
}
"""Headings (en, zh); others fall back to the heading of their hundred."""

log = logging.getLogger("observer")


def status_of(error: ObserverError) -> int:
    """HTTP status of an error: its own, or that of its branch of the tree."""
    if isinstance(error, ServiceError):
        return error.status
    if isinstance(error, RecordingError | TranscriptError | UsageError):
        return 422
    return 503 if isinstance(error, EngineError) else 500


def answer(request: Request, error: ObserverError, *, fields: Sequence[Any] = ()) -> Response:
    """The error as problem+json (RFC 9457), or as a page where a person is reading.

    `fields` are {"field", "message"} of values that could not be taken. A person who is not
    signed in is led to the sign-in page and back.
    """
    status = status_of(error)
    people = _is_page(request)
    if people and isinstance(error, SignInError):
        back = str(request.url.path) if request.method == "GET" else ""
        if back and request.url.query:
            back += f"?{request.url.query}"
        return RedirectResponse("/sign-in?" + urlencode({"next": back or "/"}), 303)
    language = language_of(request)
    response = (
        _page(request, error, status, language)
        if people
        else _document(request, error, status, language, fields)
    )
    if isinstance(error, LimitError) and error.retry_after is not None:
        response.headers["retry-after"] = str(error.retry_after)
    if status == 401:
        response.headers["www-authenticate"] = "Bearer"
    return response


def _is_page(request: Request) -> bool:
    accepted = request.headers.get("accept", "")
    return not request.url.path.startswith("/api/") and "text/html" in accepted


def _page(request: Request, error: ObserverError, status: int, language: Language) -> Response:
    from api.pages import render

    return render(
        request,
        "message",
        actor=getattr(request.state, "actor", None),
        language=language,
        status=status,
        heading=title(status, language),
        text=error.text(language),
        next=None,
    )


def _document(
    request: Request,
    error: ObserverError,
    status: int,
    language: Language,
    fields: Sequence[Any],
) -> Response:
    slug = getattr(error, "slug", ServiceError.slug)
    content = {
        "type": f"urn:observer:problem:{slug}",
        "title": title(status, language),
        "status": status,
        "detail": error.text(language),
        "request_id": _name(request),
    }
    if fields:
        content["fields"] = list(fields)
    body = json.dumps(content, ensure_ascii=False)
    return Response(body, status, {"content-language": language}, MEDIA_TYPE)


def title(status: int, language: Language) -> str:
    """The heading of a status."""
    known = TITLES.get(status) or TITLES[500 if status >= 500 else 400]
    return known[1 if language == "zh" else 0]


def install(app: FastAPI) -> None:
    """Every error of `app` is answered by `answer`."""
    app.add_exception_handler(ObserverError, _tell)
    app.add_exception_handler(RequestValidationError, _tell_invalid)
    app.add_exception_handler(HTTPException, _tell_http)
    app.add_exception_handler(IntegrityError, _tell_clash)
    app.add_exception_handler(OperationalError, _tell_database)
    for kind in (DataError, UnicodeEncodeError):
        app.add_exception_handler(kind, _tell_unstorable)
    app.add_exception_handler(Exception, _tell_defect)


def _tell(request: Request, error: Exception) -> Response:
    known = cast("ObserverError", error)
    if status_of(known) >= 500:
        log.error("%s", known, exc_info=known)
    return answer(request, known)


def _tell_invalid(request: Request, error: Exception) -> Response:
    fields = [
        {"field": ".".join(str(part) for part in e["loc"]), "message": str(e["msg"])}
        for e in cast("RequestValidationError", error).errors()
    ]
    names = ", ".join(f["field"] for f in fields)
    return answer(
        request,
        InvalidError(
            en=f"These values cannot be taken: {names}. Correct them and send it again.",
            zh=f"以下内容无法接受：{names}。请修改后重新提交。",
        ),
        fields=fields,
    )


def _tell_http(request: Request, error: Exception) -> Response:
    """What the framework itself refuses: an unknown address, a method, a malformed body."""
    known = cast("HTTPException", error)
    if known.status_code == 404:
        return answer(request, not_found())
    refused = InvalidError(
        en="This address does not take the request in this form.",
        zh="该地址不接受此种形式的请求。",
    )
    refused.status = known.status_code
    response = answer(request, refused)
    response.headers.update(known.headers or {})
    return response


def _tell_clash(request: Request, error: Exception) -> Response:
    """The database refused what two people did at once, or a name that is taken."""
    log.warning("clash in request %s: %s", _name(request), type(error).__name__)
    return answer(
        request,
        ConflictError(
            en="This clashes with what is there already: the name may be taken, or somebody else"
            " was quicker. Load the page again and look.",
            zh="与已有内容冲突：名称可能已被使用，或他人已先行修改。请刷新页面后查看。",
        ),
    )


def _tell_database(request: Request, error: Exception) -> Response:
    """The database is away, or too busy to write."""
    log.error("database in request %s", _name(request), exc_info=error)
    response = answer(
        request,
        UnavailableError(
            en="The database does not answer just now; nothing was changed. Try again in a few"
            " seconds.",
            zh="数据库暂时没有响应，没有任何内容被更改。请几秒后重试。",
        ),
    )
    response.headers["retry-after"] = "5"
    return response


def _tell_unstorable(request: Request, error: Exception) -> Response:
    """Characters that no database keeps (U+0000, half a surrogate pair), or too many of them."""
    log.warning("unstorable text in request %s: %s", _name(request), type(error).__name__)
    return answer(
        request,
        InvalidError(
            en="A text holds characters that cannot be stored, or is too long. Type it again.",
            zh="文本中含有无法保存的字符，或内容过长。请重新输入。",
        ),
    )


def _name(request: Request) -> str:
    return str(getattr(request.state, "request_id", ""))


def _tell_defect(request: Request, error: Exception) -> Response:
    """A defect of ours: the traceback goes to the log, a name to find it by to the person."""
    name = _name(request)
    log.error("defect in request %s", name, exc_info=error)
    return answer(
        request,
        ServiceError(
            en=f"This should not have happened, and nothing was changed. Try again; if it stays,"
            f" tell your administrator this number: {name}",
            zh=f"发生了意外错误，没有任何内容被更改。请重试；如仍出现，请将此编号告知管理员：{name}",
        ),
    )


def language_of(request: Request) -> Language:
    """The cookie's language, else the person's, else the browser's, else Chinese."""
    known = request.cookies.get(LANGUAGE_COOKIE) or getattr(request.state, "language", None)
    if known in {"zh", "en"}:
        return cast("Language", known)
    return preferred(request.headers.get("accept-language", ""))


def preferred(accepted: str) -> Language:
    """zh or en, whichever an Accept-Language header prefers; zh when it names neither."""
    best: tuple[float, Language] = (0.0, "zh")
    for part in accepted.split(","):
        tag, _, weight = part.partition(";")
        name = tag.strip().lower().split("-")[0]
        if name in {"zh", "en"} and (quality := _quality(weight)) > best[0]:
            best = (quality, cast("Language", name))
    return best[1]


def _quality(weight: str) -> float:
    name, _, number = weight.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(number)
    except ValueError:
        return 0.0
