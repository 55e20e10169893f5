"""Administration of people: invitations, one-time links, positions, deactivation."""

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy import or_
from sqlmodel import Session, col, func, select

from api.audit import record
from api.auth import end_sessions
from api.columns import now
from api.deps import Administrator, Db, Language, Site, TheSite
from api.invitations import invite
from api.pages import Sheet, done, render
from api.problems import ConflictError, InvalidError, not_found
from api.routes.administration import SHEET, TABS, Name
from api.tables import District, Invitation, Membership, Position, School, User

router = APIRouter(
    prefix="/administration", include_in_schema=False, default_response_class=HTMLResponse
)

LINK_HOURS = 72
"""How long a one-time link holds."""


@router.get("/people")
def people(request: Request, db: Db, me: Administrator, language: Language) -> HTMLResponse:
    """Everybody who may sign in."""
    return _people_page(request, db, me, language)


def _people_page(
    request: Request, db: Session, me: Administrator, language: Language, **link: object
) -> HTMLResponse:
    q = request.query_params.get("q", "").strip()[:100]
    asked = request.query_params.get("page", "1")
    number = max(1, int(asked)) if asked.isdigit() and len(asked) < 7 else 1
    fits = [or_(*(col(c).icontains(q, autoescape=True) for c in (User.name, User.login)))]
    total = db.exec(select(func.count()).select_from(User).where(*fits)).one()
    found = db.exec(
        select(User)
        .where(*fits)
        .order_by(col(User.active).desc(), User.name, User.id)
        .offset((number - 1) * SHEET)
        .limit(SHEET)
    ).all()
    ids = [u.id for u in found]
    memberships: dict[str, list[Membership]] = {}
    for row in db.exec(select(Membership).where(col(Membership.user_id).in_(ids))):
        memberships.setdefault(row.user_id, []).append(row)
    open_links = select(Invitation.user_id).where(
        col(Invitation.used).is_(None), col(Invitation.expires) > now()
    )
    return render(
        request,
        "administration/people",
        actor=me,
        language=language,
        tabs=TABS,
        q=q,
        sheet=Sheet(found, number, SHEET, total),
        memberships=memberships,
        invited=set(db.exec(open_links)),
        schools=db.exec(select(School).order_by(School.name)).all(),
        districts=db.exec(select(District).order_by(District.name)).all(),
        positions=list(Position),
        link=link,
    )


def _place(db: Session, position: Position, where: str) -> tuple[str | None, str | None]:
    """(school, district) of a choice "school:…", "district:…" or "" (administrators alone)."""
    kind, _, target = where.partition(":")
    if position is Position.ADMINISTRATOR:
        return None, None
    if kind == "school" and db.get(School, target) is not None:
        return target, None
    if kind == "district" and db.get(District, target) is not None:
        return None, target
    raise InvalidError(
        en="Choose the school or district of this position.", zh="请选择该身份所在的学校或区县。"
    )


def _link(
    request: Request, db: Session, me: Administrator, site: Site, language: Language, person: User
) -> HTMLResponse:
    address = site.settings.public_url + invite(db, person.id, hours=LINK_HOURS)
    until = now() + timedelta(hours=LINK_HOURS)
    db.flush()
    return _people_page(request, db, me, language, address=address, name=person.name, until=until)


@router.post("/people")
def invite_person(
    request: Request,
    db: Db,
    me: Administrator,
    site: TheSite,
    language: Language,
    name: Name,
    login: Name,
    position: Annotated[Position, Form()],
    where: Annotated[str, Form(max_length=60)] = "",
) -> HTMLResponse:
    """A new person, and the link to give them; the link is shown on this answer alone."""
    school, district = _place(db, position, where)
    login = login.lower()
    if db.exec(select(User).where(User.login == login)).first() is not None:
        raise ConflictError(
            en=f"The login {login} is taken. Find the person in the list and add a position there.",
            zh=f"登录名 {login} 已存在。请在列表中找到该人员并添加身份。",
        )
    person = User(login=login, name=name, language=language)
    db.add(person)
    db.flush()
    db.add(
        Membership(
            user_id=person.id, school_id=school, district_id=district, position=position.value
        )
    )
    record(db, "person.create", object_id=person.id, school_id=school)
    return _link(request, db, me, site, language, person)


def _person(db: Session, user_id: str) -> User:
    found = db.exec(select(User).where(User.id == user_id)).first()
    if found is None:
        raise not_found()
    return found


@router.post("/people/{user_id}/link")
def password_link(
    request: Request,
    user_id: str,
    db: Db,
    me: Administrator,
    site: TheSite,
    language: Language,
) -> HTMLResponse:
    """A link to set a new password."""
    person = _person(db, user_id)
    record(db, "person.reset", object_id=person.id)
    return _link(request, db, me, site, language, person)


@router.post("/people/{user_id}/{what}")
def switch_person(
    user_id: str, what: Literal["activate", "deactivate"], db: Db, me: Administrator
) -> RedirectResponse:
    """Let a person sign in again, or no more: their sessions end at once."""
    person = _person(db, user_id)
    if person.id == me.user_id:
        raise InvalidError(
            en="You cannot deactivate yourself. Ask another administrator.",
            zh="不能停用自己，请由另一位管理员操作。",
        )
    person.active = what == "activate"
    db.add(person)
    if not person.active:
        end_sessions(db, person.id)
    record(db, f"person.{what}", object_id=person.id)
    return done("/administration/people", "person.change")


@router.post("/people/{user_id}/memberships/add")
def add_membership(
    user_id: str,
    db: Db,
    me: Administrator,  # noqa: ARG001
    position: Annotated[Position, Form()],
    where: Annotated[str, Form(max_length=60)] = "",
) -> RedirectResponse:
    """One more position of a person."""
    person = _person(db, user_id)
    school, district = _place(db, position, where)
    wanted = Membership(
        user_id=person.id, school_id=school, district_id=district, position=position.value
    )
    same = select(Membership).filter_by(
        user_id=person.id, school_id=school, district_id=district, position=position.value
    )
    if db.exec(same).first() is None:
        db.add(wanted)
        record(db, "membership.create", object_id=person.id, school_id=school)
    return done("/administration/people", "membership.create")


@router.post("/people/{user_id}/memberships/{membership_id}/end")
def end_membership(user_id: str, membership_id: str, db: Db, me: Administrator) -> RedirectResponse:
    """Take a position away."""
    found = db.exec(
        select(Membership).where(Membership.id == membership_id, Membership.user_id == user_id)
    ).first()
    if found is None:
        raise not_found()
    if found.user_id == me.user_id and found.position == Position.ADMINISTRATOR:
        raise InvalidError(
            en="You cannot take the administrator's position from yourself.",
            zh="不能移除自己的管理员身份。",
        )
    db.delete(found)
    record(db, "membership.delete", object_id=user_id, school_id=found.school_id)
    return done("/administration/people", "membership.end")
