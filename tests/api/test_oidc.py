"""Signing in through a provider: a small one of our own, over real HTTP, that keeps the rules.

browser ─/sign-in/oidc→ service ─303→ provider ─303→ /sign-in/oidc/return ─code→ provider
"""

import base64
import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from fastapi import FastAPI, Form, Header, HTTPException
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from sqlmodel import select

from api.deps import Site
from api.oidc import provider
from api.problems import UnavailableError
from api.tables import AuditEntry, User
from tests.service_site import client_of, person, running, site_in

SECRET = "the client's secret"


@dataclass
class Provider:
    """What the provider will say next; tests make it say wrong things."""

    issuer: str = ""
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "1"}))
    signs: Any = None
    """Another key than the published one."""
    claims: dict[str, Any] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)
    """The last authorization request."""
    said: dict[str, Any] = field(default_factory=dict)
    """Claims of the last token, as sent."""

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.get("/.well-known/openid-configuration")
        def description() -> dict[str, str]:
            names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
            return {"issuer": self.issuer} | {n: f"{self.issuer}/{n}" for n in names}

        @app.get("/jwks_uri")
        def keys() -> dict[str, Any]:
            return {"keys": [self.key.as_dict(private=False)]}

        @app.post("/token_endpoint")
        def token(
            code: Annotated[str, Form()],
            code_verifier: Annotated[str, Form()],
            redirect_uri: Annotated[str, Form()],
            authorization: Annotated[str, Header()],
        ) -> dict[str, Any]:
            digest = hashlib.sha256(code_verifier.encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            known = base64.b64encode(f"observer:{SECRET}".encode()).decode()
            fine = (
                code == "the code"
                and challenge == self.asked["code_challenge"]
                and redirect_uri == self.asked["redirect_uri"]
                and authorization == f"Basic {known}"
            )
            if not fine:
                raise HTTPException(400, "invalid_grant")
            return {"access_token": "a", "token_type": "Bearer", "id_token": self._id_token()}

        return app

    def _id_token(self) -> str:
        now = int(time.time())
        usual = {
            "iss": self.issuer,
            "sub": "4711",
            "aud": "observer",
            "iat": now,
            "exp": now + 60,
            "nonce": self.asked["nonce"],
            "email": "Chen@Example.edu",
            "email_verified": True,
        }
        self.said = {k: v for k, v in {**usual, **self.claims}.items() if v is not None}
        key = self.signs or self.key
        algorithm = "HS256" if isinstance(key, OctKey) else "RS256"
        return jwt.encode({"alg": algorithm, "kid": "1"}, self.said, key, algorithms=[algorithm])


@pytest.fixture(scope="module")
def reached() -> Iterator[Provider]:
    made = Provider()
    with running(made.app()) as made.issuer:
        yield made


@pytest.fixture
def idp(reached: Provider) -> Provider:
    reached.claims, reached.signs = {}, None
    return reached


@pytest.fixture
def site(tmp_path: Path, idp: Provider) -> Iterator[Site]:
    made = site_in(
        tmp_path,
        oidc_issuer=idp.issuer,
        oidc_client_id="observer",
        oidc_client_secret=SECRET,
    )
    yield made
    made.database.close()


def go_there(client: Any, idp: Provider, where: str = "/lessons") -> dict[str, str]:
    """To the provider; gives what it was asked."""
    answer = client.get("/sign-in/oidc", params={"next": where})
    assert answer.status_code == 303, answer.text
    address = urlsplit(answer.headers["location"])
    assert f"{address.scheme}://{address.netloc}{address.path}" == (
        f"{idp.issuer}/authorization_endpoint"
    )
    idp.asked = dict(parse_qsl(address.query))
    return idp.asked


def come_back(client: Any, state: str, code: str = "the code") -> Any:
    return client.get("/sign-in/oidc/return", params={"state": state, "code": code})


def test_there_and_back(site: Site, idp: Provider) -> None:
    user_id = person(site, "chen@example.edu", password=None)
    client = client_of(site)
    assert "/sign-in/oidc?next=/lessons" in client.get("/sign-in?next=/lessons").text
    asked = go_there(client, idp)
    assert asked["code_challenge_method"] == "S256"
    assert asked["response_type"] == "code"
    assert asked["redirect_uri"] == "http://127.0.0.1:8000/sign-in/oidc/return"
    assert set(asked["scope"].split()) == {"openid", "email", "profile"}
    answer = come_back(client, asked["state"])
    assert (answer.status_code, answer.headers["location"]) == (303, "/lessons")
    assert client.get("/account").status_code == 200
    with site.database.system("test") as session:
        assert session.exec(select(User.oidc_subject)).one() == f"{idp.issuer} 4711"
        entry = session.exec(select(AuditEntry).where(AuditEntry.action == "session.create")).one()
    assert entry.object_id == user_id


def test_afterwards_the_subject_counts_and_not_the_address(site: Site, idp: Provider) -> None:
    """Whoever gets a colleague's old address must not get the colleague's lessons."""
    person(site, "chen@example.edu", password=None)
    for claims, status in (
        ({}, 303),
        ({"email": "chen.new@example.edu"}, 303),  # the same person, a new address
        ({"sub": "4712"}, 401),  # a new person, the old address
    ):
        idp.claims = claims
        client = client_of(site)
        assert come_back(client, go_there(client, idp)["state"]).status_code == status


@pytest.mark.parametrize(
    "claims",
    [
        {"email_verified": False},
        {"email_verified": None},
        {"email_verified": "true"},
        {"email": "nobody@example.edu"},
        {"email": None},
        {"aud": "another application"},
        {"iss": "https://evil.example"},
        {"nonce": "of another attempt"},
        {"nonce": None},
        {"exp": 1_600_000_000},
        {"sub": None},
    ],
)
def test_what_the_provider_must_not_say(
    site: Site, idp: Provider, claims: dict[str, object]
) -> None:
    person(site, "chen@example.edu", password=None)
    idp.claims = claims
    client = client_of(site)
    answer = come_back(client, go_there(client, idp)["state"])
    assert answer.status_code == 401
    assert "observer_session" not in client.cookies


@pytest.mark.parametrize(
    "key", [RSAKey.generate_key(2048, {"kid": "1"}), OctKey.import_key(SECRET, {"kid": "1"})]
)
def test_a_token_signed_by_somebody_else_is_refused(
    site: Site, idp: Provider, key: RSAKey | OctKey
) -> None:
    """Also one signed with the shared secret: HS256 is not among the signatures taken."""
    person(site, "chen@example.edu", password=None)
    idp.signs = key
    client = client_of(site)
    assert come_back(client, go_there(client, idp)["state"]).status_code == 401


def test_an_answer_counts_once_and_in_the_browser_that_asked(site: Site, idp: Provider) -> None:
    person(site, "chen@example.edu", password=None)
    client, other = client_of(site), client_of(site)
    state = go_there(client, idp)["state"]
    assert come_back(other, state).status_code == 401
    assert come_back(client, state, "a made up code").status_code == 401
    assert come_back(client, state).status_code == 401, "the attempt is over"
    state = go_there(client, idp)["state"]
    assert come_back(client, "another").status_code == 401
    state = go_there(client, idp)["state"]
    assert come_back(client, state).status_code == 303


def test_a_deactivated_person_stays_out(site: Site, idp: Provider) -> None:
    person(site, "chen@example.edu", password=None)
    with site.database.system("test") as session:
        user = session.exec(select(User)).one()
        user.active = False
        session.add(user)
    client = client_of(site)
    answer = come_back(client, go_there(client, idp)["state"])
    assert answer.status_code == 401
    assert "You have no account here" in answer.text


def test_a_provider_that_cannot_be_reached_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError):
        provider("http://127.0.0.1:9/none")
    site = site_in(tmp_path, oidc_issuer="http://127.0.0.1:9/none", oidc_client_id="observer")
    answer = client_of(site).get("/sign-in/oidc")
    assert answer.status_code == 503
    assert "cannot be reached" in answer.text
    site.database.close()
