"""Who gets in, who does not, and for how long."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import col, select, update

from api import auth
from api.columns import now
from api.db import Database
from api.deps import Site
from api.invitations import accept, first_link, has_administrator, invite, open_link
from api.passwords import check_new_password, digest, pause_after
from api.problems import InvalidError, LimitError, NotFoundError, SignInError
from api.tables import ApiToken, AuditEntry, FailedSignIn, Invitation, SignIn, User
from tests.service_site import PASSWORD, person, site_in

HERE = {"address": "192.0.2.7", "agent": "Test"}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = site_in(tmp_path)
    yield made
    made.database.close()


@pytest.fixture
def either(tmp_path: Path, database: Database) -> Site:
    """An installation on SQLite, then one on PostgreSQL."""
    return site_in(tmp_path, database)


def token_of(link: str) -> str:
    return link.rsplit("/", 1)[1]


def age(site: Site, hours: float) -> None:
    """Let all failed sign-ins have happened `hours` earlier."""
    with site.database.system("test: time passes") as session:
        for failure in session.exec(select(FailedSignIn)).all():
            failure.at -= timedelta(hours=hours)
            session.add(failure)


# --- signing in


def test_the_cookie_of_a_sign_in_names_the_person_until_signing_out(either: Site) -> None:
    site = either
    user_id = person(site, "chen@example.edu")
    cookie = auth.sign_in(site, " Chen@Example.edu ", PASSWORD, **HERE)
    assert auth.actor_of_cookie(site, cookie).user_id == user_id
    auth.sign_out(site, cookie)
    with pytest.raises(SignInError):
        auth.actor_of_cookie(site, cookie)


def test_a_copy_of_the_database_opens_no_door(site: Site) -> None:
    """What is stored of cookie, link, token and password is not what is sent."""
    user_id = person(site, "chen")
    cookie = auth.sign_in(site, "chen", PASSWORD, **HERE)
    with site.database.system("test") as session:
        link = token_of(invite(session, user_id))
        _, text = auth.create_token(
            session, user_id, "script", scopes=frozenset({"read"}), days=None
        )
    site.database.engine.dispose()
    files = b"".join(p.read_bytes() for p in site.settings.data.glob("observer.sqlite*"))
    for secret in (cookie, link, text, PASSWORD):
        assert secret.encode() not in files
    assert b"$argon2id$" in files


@pytest.mark.parametrize("login", ["chen", "nobody"])
def test_a_wrong_password_and_an_unknown_login_are_told_alike(site: Site, login: str) -> None:
    person(site, "chen")
    with pytest.raises(SignInError) as told:
        auth.sign_in(site, login, "wrong wrong wrong", **HERE)
    assert told.value.en.startswith("Login and password do not fit")


def test_an_inactive_person_neither_signs_in_nor_stays(either: Site) -> None:
    site = either
    user_id = person(site, "chen")
    cookie = auth.sign_in(site, "chen", PASSWORD, **HERE)
    with site.database.system("test") as session:
        _, text = auth.create_token(session, user_id, "x", scopes=frozenset({"read"}), days=1)
        session.exec(update(User).where(col(User.id) == user_id).values(active=False))
    with pytest.raises(SignInError):
        auth.actor_of_cookie(site, cookie)
    with pytest.raises(SignInError):
        auth.actor_of_token(site, text)
    with pytest.raises(SignInError):
        auth.sign_in(site, "chen", PASSWORD, **HERE)


def test_somebody_without_a_password_cannot_sign_in_with_any(site: Site) -> None:
    person(site, "chen", password=None)
    for guess in ("", "None", PASSWORD):
        with pytest.raises(SignInError):
            auth.sign_in(site, "chen", guess, **HERE)


def test_a_session_ends_without_use_and_lives_on_with_it(either: Site) -> None:
    """14 days without use end it; use moves the end, but never past 90 days from the start."""
    site = either
    person(site, "chen")
    cookie = auth.sign_in(site, "chen", PASSWORD, **HERE)

    def set_row(**values: object) -> None:
        with site.database.system("test") as session:
            session.exec(update(SignIn).values(**values))

    def row() -> SignIn:
        with site.database.system("test") as session:
            return session.exec(select(SignIn)).one()

    set_row(seen=now() - timedelta(days=13), expires=now() + timedelta(days=1))
    auth.actor_of_cookie(site, cookie)
    assert row().expires - now() > timedelta(days=13, hours=23)
    set_row(seen=now() - timedelta(days=1), created=now() - timedelta(days=89))
    auth.actor_of_cookie(site, cookie)
    assert row().expires - now() < timedelta(days=1, seconds=1)
    set_row(expires=now())
    with pytest.raises(SignInError):
        auth.actor_of_cookie(site, cookie)


def test_sign_ins_stand_in_the_audit_without_a_name(site: Site) -> None:
    user_id = person(site, "chen")
    auth.sign_in(site, "chen", PASSWORD, **HERE)
    with site.database.system("test") as session:
        entry = session.exec(select(AuditEntry).where(AuditEntry.action == "session.create")).one()
    assert entry.object_id == user_id
    assert "chen" not in str(entry.detail)


# --- throttling


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(0, 0), (4, 0), (5, 2), (6, 4), (7, 8), (12, 256), (14, 900), (500, 900)],
)
def test_the_pause_doubles_up_to_a_quarter_of_an_hour(failures: int, seconds: int) -> None:
    """2^(failures - 5 + 1) seconds from the fifth failure on: 2, 4, 8 … at most 900."""
    assert pause_after(failures, free=5) == seconds


def fail(site: Site, times: int, *, login: str = "chen", address: str = "192.0.2.7") -> None:
    for _ in range(times):
        with pytest.raises(SignInError):
            auth.sign_in(site, login, "wrong wrong wrong", address=address, agent="")


def test_the_sixth_guess_waits_even_with_the_right_password_and_after_a_restart(
    site: Site, tmp_path: Path
) -> None:
    person(site, "chen")
    fail(site, 5)
    again = site_in(tmp_path)  # another process: nothing is remembered but the database
    with pytest.raises(LimitError) as told:
        auth.sign_in(again, "chen", PASSWORD, **HERE)
    assert (told.value.status, told.value.retry_after) == (429, 2)
    again.database.close()
    age(site, 1)
    auth.sign_in(site, "chen", PASSWORD, **HERE)
    fail(site, 4)  # success forgave the five


def test_refused_attempts_do_not_lengthen_the_pause(either: Site) -> None:
    site = either
    person(site, "chen")
    fail(site, 5)
    for _ in range(3):
        with pytest.raises(LimitError):
            auth.sign_in(site, "chen", PASSWORD, **HERE)
    with site.database.system("test") as session:
        assert len(session.exec(select(FailedSignIn)).all()) == 5 * 3  # three keys an attempt


def test_guesses_from_elsewhere_lock_nobody_out_at_once(site: Site) -> None:
    person(site, "chen")
    fail(site, 5, address="203.0.113.66")
    auth.sign_in(site, "chen", PASSWORD, **HERE)


def test_many_addresses_guessing_one_login_are_slowed(site: Site) -> None:
    person(site, "chen")
    for n in range(20):
        fail(site, 1, address=f"203.0.113.{n}")
    with pytest.raises(LimitError):
        auth.sign_in(site, "chen", PASSWORD, address="203.0.113.99", agent="")


def test_guesses_sent_all_at_once_are_counted(either: Site) -> None:
    """24 guesses, 8 at a time: 5 are checked, 19 refused, whichever comes first."""
    site = either
    person(site, "chen")

    def guess(_: int) -> type[Exception]:
        with pytest.raises((SignInError, LimitError)) as told:
            auth.sign_in(site, "chen", "wrong wrong wrong", **HERE)
        return told.type

    with ThreadPoolExecutor(8) as threads:
        told = list(threads.map(guess, range(24)))
    assert told.count(SignInError) == 5


# --- passwords


@pytest.mark.parametrize(
    "weak", ["short", "aaaaaaaaaaaa", "1212121212", "chenlihua2026", "x" * 201]
)
def test_weak_passwords_are_refused(weak: str) -> None:
    with pytest.raises(InvalidError):
        check_new_password(weak, "chenlihua@example.edu")


def test_the_same_characters_from_another_keyboard_are_the_same_password(site: Site) -> None:
    """Full-width letters of a Chinese keyboard are NFKC-equal to ASCII ones."""
    person(site, "chen", password="river running slow")
    assert auth.sign_in(site, "chen", "ｒｉｖｅｒ running slow", **HERE)


def test_changing_the_password_ends_the_other_sessions(either: Site) -> None:
    site = either
    person(site, "chen")
    mine, other = (auth.sign_in(site, "chen", PASSWORD, **HERE) for _ in range(2))
    me = auth.actor_of_cookie(site, mine)
    with pytest.raises(SignInError):
        auth.change_password(site, me, "not the old one", "a new long sentence", cookie=mine)
    auth.change_password(site, me, PASSWORD, "a new long sentence", cookie=mine)
    assert auth.actor_of_cookie(site, mine).user_id == me.user_id
    with pytest.raises(SignInError):
        auth.actor_of_cookie(site, other)
    auth.sign_in(site, "chen", "a new long sentence", **HERE)


def test_a_hash_with_weaker_settings_is_renewed_at_the_next_sign_in(
    site: Site, tmp_path: Path
) -> None:
    person(site, "chen")
    stronger = site_in(tmp_path, argon2_passes=2)
    auth.sign_in(stronger, "chen", PASSWORD, **HERE)
    with site.database.system("test") as session:
        stored = session.exec(select(User.password_hash)).one()
    assert "m=64,t=2" in str(stored)
    stronger.database.close()


# --- one-time links


def test_the_first_link_makes_one_administrator_and_no_second(either: Site) -> None:
    site = either
    link = first_link(site.database, site.settings)
    assert link is not None
    assert link.startswith("http://127.0.0.1:8000/invitation/")
    user_id = accept(site, token_of(link), PASSWORD, login="Root", name="管理员", language="zh")
    cookie = auth.sign_in(site, "root", PASSWORD, **HERE)
    me = auth.actor_of_cookie(site, cookie)
    assert me.administrator
    assert me.user_id == user_id
    assert first_link(site.database, site.settings) is None
    with pytest.raises(NotFoundError):
        accept(site, token_of(link), PASSWORD, login="second", name="二", language="zh")


def test_a_new_first_link_voids_the_one_before(site: Site) -> None:
    old, new = (first_link(site.database, site.settings) for _ in range(2))
    assert old is not None
    assert new is not None
    with pytest.raises(NotFoundError):
        open_link(site, token_of(old))
    assert open_link(site, token_of(new)).user_id is None


def test_a_link_is_used_once_by_whoever_comes_first(either: Site) -> None:
    site = either
    link = first_link(site.database, site.settings)
    assert link is not None

    def take(n: int) -> bool:
        try:
            accept(site, token_of(link), PASSWORD, login=f"root{n}", name="x", language="zh")
        except NotFoundError:
            return False
        return True

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(take, range(4))) == 1
    with site.database.system("test") as session:
        assert has_administrator(session)
        assert len(session.exec(select(User)).all()) == 1


def test_a_reset_link_ends_sessions_and_expires(site: Site) -> None:
    user_id = person(site, "chen")
    cookie = auth.sign_in(site, "chen", PASSWORD, **HERE)
    with site.database.system("test") as session:
        stale, link = token_of(invite(session, user_id)), token_of(invite(session, user_id))
    with pytest.raises(NotFoundError):
        open_link(site, stale)
    assert open_link(site, link).login == "chen"
    assert open_link(site, link).login == "chen", "looking does not use it up"
    with pytest.raises(InvalidError):
        accept(site, link, "short", language="zh")
    accept(site, link, "a new long sentence", language="zh")
    with pytest.raises(SignInError):
        auth.actor_of_cookie(site, cookie)
    with site.database.system("test") as session:
        late = token_of(invite(session, user_id))
        this = col(Invitation.token_hash) == digest(late)
        session.exec(update(Invitation).where(this).values(expires=now()))
    with pytest.raises(NotFoundError):
        accept(site, late, "another long sentence", language="zh")


# --- tokens


def test_a_token_has_its_scopes_and_its_end(either: Site) -> None:
    site = either
    user_id = person(site, "chen")
    with site.database.system("test") as session:
        _, reading = auth.create_token(session, user_id, "r", scopes=frozenset({"read"}), days=None)
        _, writing = auth.create_token(session, user_id, "w", scopes=frozenset({"write"}), days=1)
    assert reading.startswith("obs_")
    assert auth.actor_of_token(site, reading).scopes == {"read"}
    assert auth.actor_of_token(site, writing).scopes == {"read", "write"}
    with site.database.system("test") as session:
        session.exec(update(ApiToken).where(col(ApiToken.name) == "w").values(expires=now()))
    with pytest.raises(SignInError):
        auth.actor_of_token(site, writing)
    for unknown in ("", "obs_", reading[:-1], "obs_%00"):
        with pytest.raises(SignInError):
            auth.actor_of_token(site, unknown)


@pytest.mark.parametrize("scopes", [frozenset(), frozenset({"read", "everything"})])
def test_unknown_scopes_are_refused(site: Site, scopes: frozenset[str]) -> None:
    user_id = person(site, "chen")
    with site.database.system("test") as session, pytest.raises(InvalidError):
        auth.create_token(session, user_id, "x", scopes=scopes, days=1)


def test_what_has_expired_is_forgotten(either: Site) -> None:
    site = either
    person(site, "chen")
    fail(site, 2)
    auth.sign_in(site, "chen", PASSWORD, **HERE)
    with site.database.system("test") as session:
        session.exec(update(SignIn).values(expires=now()))
        session.exec(update(FailedSignIn).values(at=now() - timedelta(days=2)))
        auth.forget_expired(session)
        assert session.exec(select(SignIn)).all() == []
        assert session.exec(select(FailedSignIn)).all() == []
