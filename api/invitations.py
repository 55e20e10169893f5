"""One-time links that let a person set a password: invitations, resets, the first administrator.

Looking at a link does not use it up (mail programs look), setting the password does. Only the
link's SHA-256 is stored.
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import CursorResult
from sqlmodel import Session, col, delete, select, update

from api.audit import record
from api.auth import end_sessions
from api.columns import now
from api.passwords import check_new_password, digest, passwords
from api.problems import InvalidError, NotFoundError
from api.settings import ServiceSettings
from api.tables import Invitation, Membership, Position, User

if TYPE_CHECKING:
    from api.db import Database
    from api.deps import Site


@dataclass(frozen=True, slots=True)
class Link:
    """A one-time link as its page needs it."""

    user_id: str | None
    """None: it creates the first administrator."""
    login: str
    name: str


def invite(session: Session, user_id: str | None, *, hours: int = 72) -> str:
    """The path of a new one-time link that lets a person set a password; older ones are void.

    For an invitation and for a reset alike; in an administrator's or a system session.
    """
    token = secrets.token_urlsafe(32)
    _void_links(session, user_id)
    expires = now() + timedelta(hours=hours)
    session.add(Invitation(token_hash=digest(token), user_id=user_id, expires=expires))
    return f"/invitation/{token}"


def _void_links(session: Session, user_id: str | None) -> None:
    owner = col(Invitation.user_id)
    same = owner.is_(None) if user_id is None else owner == user_id
    session.exec(delete(Invitation).where(same).where(col(Invitation.used).is_(None)))


def open_link(site: "Site", token: str) -> Link:
    """Whose link it is; looking does not use it up. Raises NotFoundError."""
    with site.database.system("whose one-time link is this") as session:
        found = session.exec(
            select(Invitation, User)
            .join(User, col(User.id) == Invitation.user_id, isouter=True)
            .where(Invitation.token_hash == digest(token))
            .where(col(Invitation.used).is_(None))
            .where(col(Invitation.expires) > now())
        ).first()
        if found is None:
            raise _spent()
        user = cast("User | None", found[1])
        if user is None:
            return Link(None, "", "")
        return Link(user.id, user.login, user.name)


def accept(
    site: "Site", token: str, password: str, *, login: str = "", name: str = "", language: str
) -> str:
    """Use the link up: sets the password, ends the person's sessions; gives the person's id.

    `login`, `name` and `language` are for the first administrator, whom the link creates.
    Raises NotFoundError when the link is spent, InvalidError for what was typed.
    """
    link = open_link(site, token)
    login = link.login or login.strip().lower()
    if not login or not (link.name or name.strip()):
        raise InvalidError(en="Give a login and a name.", zh="请填写登录名和姓名。")
    check_new_password(password, login)
    hashed = passwords(site.settings).hash(password)
    with site.database.system("a one-time link is used") as session:
        _use_up(session, token)
        if link.user_id is not None:
            end_sessions(session, link.user_id)
            this = col(User.id) == link.user_id
            session.exec(update(User).where(this).values(password_hash=hashed))
            record(session, "invitation.accept", object_id=link.user_id)
            return link.user_id
        if has_administrator(session):
            raise _spent()
        user = User(login=login, name=name.strip(), password_hash=hashed, language=language)
        session.add(user)
        session.flush()
        session.add(Membership(user_id=user.id, position=Position.ADMINISTRATOR.value))
        record(session, "person.create", object_id=user.id, detail={"position": "administrator"})
        return user.id


def _use_up(session: Session, token: str) -> None:
    """Exactly one of several at once succeeds: the database counts the rows it changed."""
    changed = session.exec(
        update(Invitation)
        .where(col(Invitation.token_hash) == digest(token))
        .where(col(Invitation.used).is_(None), col(Invitation.expires) > now())
        .values(used=now())
    )
    if cast("CursorResult[Any]", changed).rowcount != 1:
        raise _spent()


def _spent() -> NotFoundError:
    return NotFoundError(
        en="This link has been used or has expired. Ask your administrator for a new one.",
        zh="此链接已被使用或已过期，请向管理员索取新的链接。",
    )


def has_administrator(session: Session) -> bool:
    """Whether somebody can run the installation; in a system session."""
    found = session.exec(
        select(Membership.id)
        .join(User, col(User.id) == Membership.user_id)
        .where(Membership.position == Position.ADMINISTRATOR.value, col(User.active))
    ).first()
    return found is not None


def first_link(database: "Database", settings: ServiceSettings) -> str | None:
    """At first start: the address that creates the administrator, once; None when there is one."""
    with database.system("the first administrator's link") as session:
        if has_administrator(session):
            return None
        return settings.public_url + invite(session, None, hours=24)
