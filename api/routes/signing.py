"""Signing in and out, one-time links, and the language of the pages."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from api import auth, invitations, oidc
from api.answers import LANGUAGE_COOKIE
from api.deps import Language, Site, TheSite
from api.pages import render
from api.problems import InvalidError, LimitError, ServiceError, SignInError, not_found

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

NEXT_COOKIE = "observer_next"
Text = Annotated[str, Form(max_length=300)]
Address = Annotated[str, Form(max_length=8000)]


def local(address: str) -> str:
    """`address` if it is a path of this site, else the home page: links lead nowhere else."""
    parts = urlsplit(address)
    inside = address.startswith("/") and not address.startswith(("//", "/\\"))
    printable = address.isprintable() and "\\" not in address
    return address if inside and printable and not parts.netloc and not parts.scheme else "/"


def _signed_in(site: Site, cookie: str, where: str) -> Response:
    """On to `where` with a new session."""
    response = RedirectResponse(where, 303)
    response.set_cookie(
        auth.SESSION_COOKIE,
        cookie,
        max_age=int(auth.LONGEST_SESSION.total_seconds()),
        httponly=True,
        secure=site.settings.secure_cookies,
        samesite="lax",
    )
    return response


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _agent(request: Request) -> str:
    return request.headers.get("user-agent", "")


def _drop_session(request: Request, site: Site) -> None:
    """A browser that signs in again leaves no session behind."""
    if old := request.cookies.get(auth.SESSION_COOKIE):
        auth.sign_out(site, old)


# --- signing in


def _sign_in_page(
    request: Request,
    site: Site,
    language: Language,
    *,
    login: str,
    where: str,
    error: ServiceError | None,
) -> Response:
    response = render(
        request,
        "sign-in",
        actor=None,
        language=language,
        status=error.status if error else 200,
        login=login,
        where=where,
        error=error.text(language) if error else "",
        provider=oidc.offered(site.settings),
    )
    if isinstance(error, LimitError) and error.retry_after:
        response.headers["retry-after"] = str(error.retry_after)
    return response


@router.get("/sign-in")
def sign_in_page(
    request: Request,
    site: TheSite,
    language: Language,
    next: str = "/",  # noqa: A002
) -> Response:
    """The form."""
    return _sign_in_page(request, site, language, login="", where=local(next), error=None)


@router.post("/sign-in")
def sign_in(
    request: Request,
    site: TheSite,
    language: Language,
    login: Text,
    password: Annotated[str, Form()],
    next: Address = "/",  # noqa: A002
) -> Response:
    """Begin a session, or say what is wrong."""
    where = local(next)
    try:
        cookie = auth.sign_in(
            site, login, password, address=_address(request), agent=_agent(request)
        )
    except (SignInError, LimitError) as error:
        return _sign_in_page(request, site, language, login=login, where=where, error=error)
    _drop_session(request, site)
    return _signed_in(site, cookie, where)


@router.post("/sign-out")
def sign_out(request: Request, site: TheSite) -> Response:
    """End the session."""
    _drop_session(request, site)
    response = RedirectResponse("/sign-in", 303)
    response.delete_cookie(auth.SESSION_COOKIE)
    # What this person saw must not come back with the browser's Back button.
    response.headers["clear-site-data"] = '"cache"'
    return response


@router.get("/sign-in/oidc")
def to_provider(site: TheSite, next: str = "/") -> Response:  # noqa: A002
    """On to the organisation's provider; a link: `form-action` stops a form there."""
    if not oidc.offered(site.settings):
        raise not_found()
    attempt = oidc.Attempt.new()
    response = RedirectResponse(oidc.address_of(site.settings, attempt), 303)
    for name, value in ((oidc.OIDC_COOKIE, attempt.cookie()), (NEXT_COOKIE, local(next))):
        response.set_cookie(
            name,
            value,
            max_age=600,
            path="/sign-in",
            httponly=True,
            secure=site.settings.secure_cookies,
            samesite="lax",
        )
    return response


@router.get(oidc.CALLBACK)
def from_provider(
    request: Request, site: TheSite, language: Language, state: str = "", code: str = ""
) -> Response:
    """Back from the provider."""
    where = local(request.cookies.get(NEXT_COOKIE, "/"))
    try:
        attempt = oidc.Attempt.of_cookie(request.cookies.get(oidc.OIDC_COOKIE, ""))
        cookie = oidc.sign_in_by_code(site, attempt, state=state, code=code, agent=_agent(request))
    except ServiceError as error:
        response = _sign_in_page(request, site, language, login="", where=where, error=error)
    else:
        _drop_session(request, site)
        response = _signed_in(site, cookie, where)
    for name in (oidc.OIDC_COOKIE, NEXT_COOKIE):
        response.delete_cookie(name, path="/sign-in")
    return response


# --- one-time links


@router.get("/invitation/{token}")
def invitation_page(request: Request, site: TheSite, language: Language, token: str) -> Response:
    """Set a password; looking at the page does not use the link up."""
    return _link_page(request, language, invitations.open_link(site, token), None)


def _link_page(
    request: Request,
    language: Language,
    link: invitations.Link,
    error: ServiceError | None,
    *,
    login: str = "",
    name: str = "",
) -> Response:
    return render(
        request,
        "invitation",
        actor=None,
        language=language,
        status=error.status if error else 200,
        first=link.user_id is None,
        login=link.login or login,
        name=link.name or name,
        error=error.text(language) if error else "",
    )


@router.post("/invitation/{token}")
def accept(
    request: Request,
    site: TheSite,
    language: Language,
    token: str,
    password: Annotated[str, Form()],
    again: Annotated[str, Form()],
    login: Annotated[str, Form(max_length=200)] = "",
    name: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Set the password and sign in."""
    link = invitations.open_link(site, token)
    try:
        same(password, again)
        user_id = invitations.accept(
            site, token, password, login=login, name=name, language=language
        )
    except InvalidError as error:
        return _link_page(request, language, link, error, login=login, name=name)
    _drop_session(request, site)
    with site.database.system("sign-in after a one-time link") as session:
        cookie = auth.start_session(session, user_id, site.settings, agent=_agent(request))
    return _signed_in(site, cookie, "/")


def same(password: str, again: str) -> None:
    if password != again:
        raise InvalidError(
            en="The two passwords differ. Type them again.", zh="两次输入的密码不一致，请重新输入。"
        )


# --- the language


@router.post("/language")
def set_language(
    request: Request,
    site: TheSite,
    language: Annotated[str, Form(pattern="^(zh|en)$")],
    next: Address = "/",  # noqa: A002
) -> Response:
    """Remember the language in the browser, and with the person if one is signed in."""
    cookie = request.cookies.get(auth.SESSION_COOKIE, "")
    if cookie:
        auth.set_language(site, cookie, language)
    response = RedirectResponse(local(next), 303)
    response.set_cookie(
        LANGUAGE_COOKIE,
        language,
        max_age=365 * 86400,
        httponly=True,
        secure=site.settings.secure_cookies,
        samesite="lax",
    )
    return response
