"""One's own account: password, sessions, tokens for programs."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse
from sqlmodel import col, select

from api import auth
from api.audit import record
from api.columns import now
from api.deps import Db, Language, Me, TheSite, Writer
from api.pages import done, render
from api.passwords import digest
from api.problems import InvalidError, LimitError, ServiceError, SignInError, not_found
from api.routes.signing import same
from api.tables import ApiToken, SignIn, User

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


_BROWSERS = {
    "MicroMessenger": "WeChat",
    "Edg": "Edge",
    "OPR": "Opera",
    "Firefox": "Firefox",
    "Chrome": "Chrome",
    "Safari": "Safari",
}
_SYSTEMS = {
    "Windows": "Windows",
    "Android": "Android",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Macintosh": "macOS",
    "Linux": "Linux",
}


def browser(agent: str) -> str:
    """ "Chrome · Windows" out of what a browser calls itself; the first words of another program.

    The first match counts: nearly all of them also call themselves Safari.
    """
    known = next((name for sign, name in _BROWSERS.items() if f"{sign}/" in agent), "")
    system = next((name for sign, name in _SYSTEMS.items() if sign in agent), "")
    return " · ".join(part for part in (known, system) if part) or agent[:40]


@router.get("/account")
def account(request: Request, db: Db, me: Me, language: Language) -> Response:
    """Who I am here, where I am signed in, my tokens."""
    return _account_page(request, db, me, language)


def _account_page(
    request: Request,
    db: Db,
    me: Me,
    language: Language,
    *,
    error: ServiceError | None = None,
    fresh: str = "",
) -> Response:
    own = select(SignIn).where(SignIn.user_id == me.user_id, col(SignIn.expires) > now())
    tokens = select(ApiToken).where(ApiToken.user_id == me.user_id)
    return render(
        request,
        "account",
        actor=me,
        language=language,
        status=error.status if error else 200,
        user=db.exec(select(User).where(User.id == me.user_id)).one(),
        sessions=db.exec(own.order_by(col(SignIn.seen).desc())).all(),
        browser=browser,
        this=digest(request.cookies.get(auth.SESSION_COOKIE, "")),
        tokens=db.exec(tokens.order_by(col(ApiToken.created).desc())).all(),
        now=now(),
        error=error.text(language) if error else "",
        fresh=fresh,
    )


@router.post("/account/password")
def change_password(
    request: Request,
    site: TheSite,
    db: Db,
    me: Writer,
    language: Language,
    old: Annotated[str, Form()],
    password: Annotated[str, Form()],
    again: Annotated[str, Form()],
) -> Response:
    """Set a new password; other browsers are signed out."""
    try:
        same(password, again)
        cookie = request.cookies.get(auth.SESSION_COOKIE, "")
        auth.change_password(site, me, old, password, cookie=cookie)
    except (SignInError, InvalidError, LimitError) as error:
        return _account_page(request, db, me, language, error=error)
    return done("/account", "account.password")


@router.post("/account/sign-out-elsewhere")
def sign_out_elsewhere(request: Request, site: TheSite, me: Writer) -> Response:
    """End all my sessions but this one."""
    cookie = request.cookies.get(auth.SESSION_COOKIE, "")
    with site.database.system("sign-out everywhere else") as session:
        auth.end_sessions(session, me.user_id, keep=cookie)
    return done("/account", "account.sessions")


@router.post("/account/tokens")
def create_token(
    request: Request,
    db: Db,
    me: Writer,
    language: Language,
    name: Annotated[str, Form(max_length=100)],
    scopes: Annotated[str, Form(pattern="^(read|read write)$")] = "read",
    days: Annotated[int, Form(ge=1, le=3650)] = 365,
) -> Response:
    """Make a token; its text is on this answer and never again."""
    try:
        _, text = auth.create_token(
            db, me.user_id, name, scopes=frozenset(scopes.split()), days=days
        )
    except InvalidError as error:
        return _account_page(request, db, me, language, error=error)
    db.flush()
    return _account_page(request, db, me, language, fresh=text)


@router.post("/account/tokens/{token_id}/revoke")
def revoke_token(db: Db, me: Writer, token_id: str) -> Response:
    """Revoke one of my tokens."""
    token = db.exec(
        select(ApiToken).where(ApiToken.id == token_id, ApiToken.user_id == me.user_id)
    ).first()
    if token is None:
        raise not_found()
    record(db, "token.delete", object_id=token.id)
    db.delete(token)
    return done("/account", "account.token")
