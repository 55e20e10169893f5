"""What a route asks for, so that its signature reads as a sentence.

`Db` is a session that sees what the signed-in person may see and is committed before the answer
leaves; `Me` is that person, `Writer` one whose token may change things, `Administrator` one who
runs the installation; `TheSite` is what the whole installation shares.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, cast

from fastapi import Depends, Request
from sqlmodel import Session

from api.access import Actor
from api.answers import language_of
from api.auth import SESSION_COOKIE, actor_of_cookie, actor_of_token
from api.db import Database
from api.problems import NotAllowedError
from api.settings import ServiceSettings
from observer import errors

if TYPE_CHECKING:
    from api.jobs import Jobs
    from api.storage import Storage


@dataclass(frozen=True, slots=True)
class Site:
    """What one installation shares: made once, kept at `app.state.site`."""

    settings: ServiceSettings
    database: Database
    storage: "Storage"
    jobs: "Jobs"


# Dependencies that wait for nothing are coroutines: a function would be handed to a thread first.


async def the_site(request: Request) -> Site:
    """The installation that this request came to."""
    return cast("Site", request.app.state.site)


TheSite = Annotated[Site, Depends(the_site)]


def signed_in(request: Request, site: TheSite) -> Actor:
    """Who asks: by bearer token where one is sent, else by cookie. Raises SignInError."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        me = actor_of_token(site, token.strip())
    else:
        me = actor_of_cookie(site, request.cookies.get(SESSION_COOKIE, ""))
    request.state.actor = me
    request.state.language = me.language
    return me


Me = Annotated[Actor, Depends(signed_in)]


async def writer(me: Me) -> Actor:
    """Who asks, if the token allows changes. Raises NotAllowedError."""
    if "write" not in me.scopes:
        raise NotAllowedError(
            en="This token may only read. Make one with the scope “write”.",
            zh="此令牌只能读取。请创建带有“write”权限的令牌。",
        )
    return me


Writer = Annotated[Actor, Depends(writer)]


async def administrator(me: Writer) -> Actor:
    """Who asks, if an administrator. Raises NotAllowedError."""
    if not me.administrator:
        raise NotAllowedError(
            en="Only an administrator may do this. Ask the one of your installation.",
            zh="只有管理员可以执行此操作。请联系本系统的管理员。",
        )
    return me


Administrator = Annotated[Actor, Depends(administrator)]


def scoped_session(request: Request, site: TheSite, me: Me) -> Iterator[Session]:
    """A session in the name of the person; committed before the answer is sent."""
    with site.database.session(me, getattr(request.state, "request_id", "")) as session:
        yield session


# scope="function": FastAPI would otherwise commit after the answer has been sent, and a client
# that reads what it just wrote would not find it.
Db = Annotated[Session, Depends(scoped_session, scope="function")]


async def _language(request: Request) -> errors.Language:
    return language_of(request)


Language = Annotated[errors.Language, Depends(_language)]
"""The reader's language; a route that knows the person asks for `Me` before it."""
