"""Signing in: sessions of the browser and tokens of scripts.

Secrets that the service hands out (cookies, links, tokens) are random, 256 bits, and only their
SHA-256 is stored: a copy of the database opens no door. Every session here is a system one:
who asks is not known yet.
"""

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam
from sqlmodel import Session, col, delete, or_, select, update

from api.access import BOTH_SCOPES, PLACES, Actor, actor_in, actor_of
from api.audit import record
from api.columns import now
from api.passwords import (
    attempt_keys,
    check_new_password,
    count_attempt,
    digest,
    forgive,
    passwords,
)
from api.problems import InvalidError, SignInError
from api.settings import ServiceSettings
from api.tables import ApiToken, FailedSignIn, Invitation, Membership, School, SignIn, User

if TYPE_CHECKING:
    from api.deps import Site

SESSION_COOKIE = "observer_session"
TOKEN_PREFIX = "obs_"
LONGEST_SESSION = timedelta(days=90)
NOTED_EVERY = timedelta(minutes=5)
"""How often the use of a session or a token is written down."""
_SESSION: tuple[Any, ...] = (
    *(SignIn.created, SignIn.seen, SignIn.expires),
    *(User.id, User.name, User.language, User.active),
)
_HOLDER = (
    select(SignIn)
    .join(User, col(User.id) == SignIn.user_id)
    .join(Membership, col(Membership.user_id) == User.id, isouter=True)
    .join(School, col(School.id) == Membership.school_id, isouter=True)
    .where(col(SignIn.token_hash) == bindparam("token"))
    .order_by(col(Membership.id))
    .with_only_columns(*_SESSION, *PLACES)
)
"""What every click asks, so that it is one statement, made once: a row for each membership."""


def sign_in(site: "Site", login: str, password: str, *, address: str, agent: str) -> str:
    """The cookie of a new session.

    Raises SignInError, the same for a wrong password and an unknown login, and LimitError.
    """
    login = login.strip().lower()
    keys = attempt_keys(login, address)
    with site.database.system("sign-in: count the attempt") as session:
        count_attempt(session, keys)
        user = session.exec(select(User).where(User.login == login)).first()
        known = None if user is None or not user.active else (user.id, user.password_hash)
    fits, renewed = passwords(site.settings).check(password, known[1] if known else None)
    if known is None or not fits:
        raise SignInError(
            en="Login and password do not fit. Check both; an administrator can send you a link"
            " to set a new password.",
            zh="登录名或密码不正确。请检查后重试；管理员可以向您发送重设密码的链接。",
        )
    with site.database.system("sign-in: start a session") as session:
        forget_expired(session)
        forgive(session, keys)
        if renewed:
            session.exec(update(User).where(col(User.id) == known[0]).values(password_hash=renewed))
        record(session, "session.create", object_id=known[0], detail={"by": "password"})
        return start_session(session, known[0], site.settings, agent=agent)


def start_session(session: Session, user_id: str, settings: ServiceSettings, *, agent: str) -> str:
    """A new session of a person who has proved who they are; gives its cookie."""
    token = secrets.token_urlsafe(32)
    session.add(
        SignIn(
            token_hash=digest(token),
            user_id=user_id,
            expires=now() + timedelta(days=settings.session_days),
            agent=agent[:200],
        )
    )
    return token


def sign_out(site: "Site", cookie: str) -> None:
    """End the session of this cookie, if there is one."""
    with site.database.system("sign-out") as session:
        session.exec(delete(SignIn).where(col(SignIn.token_hash) == digest(cookie)))


def end_sessions(session: Session, user_id: str, *, keep: str = "") -> None:
    """End all sessions of a person but that of the cookie `keep`; in a system session."""
    session.exec(
        delete(SignIn)
        .where(col(SignIn.user_id) == user_id)
        .where(col(SignIn.token_hash) != digest(keep))
    )


def actor_of_cookie(site: "Site", cookie: str) -> Actor:
    """Who holds this cookie. Raises SignInError when its session has ended."""
    moment, token = now(), digest(cookie)
    with site.database.system("who holds this cookie") as session:
        found = session.execute(_HOLDER, {"token": token}).all()  # one row a membership
        if not found:
            raise _nobody()
        (created, seen, expires, *person), active = found[0][:6], found[0][6]
        if not active or expires <= moment:
            raise _nobody()
        if moment - seen > NOTED_EVERY:
            idle = timedelta(days=site.settings.session_days)
            until = min(moment + idle, created + LONGEST_SESSION)
            own = update(SignIn).where(col(SignIn.token_hash) == token)
            session.exec(own.values(seen=moment, expires=until))
        return actor_in((row[7:] for row in found if row[7]), *person)


def _nobody() -> SignInError:
    return SignInError(
        en="You are not signed in, or your session has ended. Sign in again.",
        zh="您尚未登录，或登录已过期，请重新登录。",
    )


def change_password(site: "Site", me: Actor, old: str, new: str, *, cookie: str) -> None:
    """Set one's own password; ends one's other sessions. Raises SignInError, InvalidError."""
    with site.database.system("change of the own password") as session:
        keys = attempt_keys(f"change {me.user_id}", me.user_id)
        count_attempt(session, keys)
        user = session.exec(select(User).where(User.id == me.user_id)).one()
        login, stored = user.login, user.password_hash
    if not passwords(site.settings).check(old, stored)[0]:
        raise SignInError(en="The old password is not right.", zh="原密码不正确。")
    check_new_password(new, login)
    hashed = passwords(site.settings).hash(new)
    with site.database.system("change of the own password") as session:
        forgive(session, keys)
        session.exec(update(User).where(col(User.id) == me.user_id).values(password_hash=hashed))
        end_sessions(session, me.user_id, keep=cookie)
        record(session, "password.change", object_id=me.user_id)


def set_language(site: "Site", cookie: str, language: str) -> None:
    """Remember the language of whoever holds this cookie."""
    with site.database.system("language of the pages") as session:
        own = select(SignIn.user_id).where(SignIn.token_hash == digest(cookie))
        session.exec(update(User).where(col(User.id).in_(own)).values(language=language))


def forget_expired(session: Session) -> None:
    """Remove sessions, links and failures that mean nothing any more; in a system session."""
    moment = now()
    session.exec(delete(SignIn).where(col(SignIn.expires) <= moment))
    session.exec(delete(FailedSignIn).where(col(FailedSignIn.at) < moment - timedelta(days=1)))
    session.exec(delete(Invitation).where(col(Invitation.expires) < moment - timedelta(days=30)))


def create_token(
    session: Session, user_id: str, name: str, *, scopes: frozenset[str], days: int | None
) -> tuple[ApiToken, str]:
    """A new token and its text, which is told this once. Raises InvalidError."""
    if not scopes or not scopes <= BOTH_SCOPES:
        raise InvalidError(
            en="The scopes of a token are read, or read and write.",
            zh="令牌的权限为 read，或 read 与 write。",
        )
    if not name.strip() or len(name) > 100 or (days is not None and not 1 <= days <= 3650):
        raise InvalidError(
            en="Give the token a name of at most 100 characters and 1 to 3650 days.",
            zh="请填写令牌名称（不超过 100 个字符）和有效天数（1 至 3650）。",
        )
    text = TOKEN_PREFIX + secrets.token_urlsafe(32)
    token = ApiToken(
        user_id=user_id,
        name=name.strip(),
        token_hash=digest(text),
        scopes=" ".join(sorted(scopes | {"read"})),
        expires=None if days is None else now() + timedelta(days=days),
    )
    session.add(token)
    record(session, "token.create", object_id=token.id, detail={"scopes": token.scopes})
    return token, text


def actor_of_token(site: "Site", text: str) -> Actor:
    """Who holds this token, with its scopes. Raises SignInError."""
    moment = now()
    with site.database.system("who holds this token") as session:
        found = session.exec(
            select(ApiToken, User)
            .join(User, col(User.id) == ApiToken.user_id)
            .where(ApiToken.token_hash == digest(text), col(User.active))
            .where(or_(col(ApiToken.expires).is_(None), col(ApiToken.expires) > moment))
        ).first()
        if found is None:
            raise SignInError(
                en="This token is unknown, revoked or expired. Make a new one in your account.",
                zh="此令牌无效、已撤销或已过期，请在账号页面创建新的令牌。",
            )
        token, user = found
        if token.used is None or moment - token.used > NOTED_EVERY:
            token.used = moment
            session.add(token)
        return actor_of(session, user, frozenset(token.scopes.split()))
