"""Signing in through the organisation's provider: OpenID Connect, code flow with PKCE.

What belongs to one attempt (state, nonce, verifier) waits in a short-lived cookie of the browser
that made it, so that an answer meant for another browser is refused. A person is known by issuer
and subject; the first time, the address that the provider has verified finds the account that an
administrator made. Nobody gets an account by signing in.
"""

import secrets
from dataclasses import dataclass
from functools import cache
from hmac import compare_digest
from typing import TYPE_CHECKING, Any, cast

import httpx2
from authlib.integrations.base_client import OAuthError  # type: ignore[import-untyped]
from authlib.integrations.httpx_client import OAuth2Client  # type: ignore[import-untyped]
from authlib.oidc.core import CodeIDToken  # type: ignore[import-untyped]
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry
from sqlmodel import Session, col, select

from api.audit import record
from api.auth import start_session
from api.problems import SignInError, UnavailableError
from api.settings import ServiceSettings
from api.tables import User

if TYPE_CHECKING:
    from api.deps import Site

OIDC_COOKIE = "observer_oidc"
CALLBACK = "/sign-in/oidc/return"
ALGORITHMS = ["RS256", "PS256", "ES256", "RS384", "RS512", "ES384", "EdDSA"]
"""Signatures with the provider's private key; `none` and shared secrets are refused."""
SECONDS = 10
"""How long the provider may take to answer."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way to the provider and back."""

    state: str
    nonce: str
    verifier: str

    @classmethod
    def new(cls) -> "Attempt":
        """Three random values of 256 bits."""
        return cls(*(secrets.token_urlsafe(32) for _ in range(3)))

    @classmethod
    def of_cookie(cls, text: str) -> "Attempt":
        """Raises SignInError for a cookie that is missing or not ours."""
        parts = text.split(".")
        if len(parts) != 3 or not all(parts):
            raise _not_ours()
        return cls(*parts)

    def cookie(self) -> str:
        """For the browser."""
        return f"{self.state}.{self.nonce}.{self.verifier}"


def offered(settings: ServiceSettings) -> bool:
    """Whether a provider is set up."""
    return bool(settings.oidc_issuer and settings.oidc_client_id)


def address_of(settings: ServiceSettings, attempt: Attempt) -> str:
    """Where the browser goes to sign in. Raises UnavailableError."""
    with _client(settings) as client:
        address, _ = client.create_authorization_url(
            provider(settings.oidc_issuer)["authorization_endpoint"],
            state=attempt.state,
            code_verifier=attempt.verifier,
            nonce=attempt.nonce,
        )
    return cast("str", address)


def sign_in_by_code(site: "Site", attempt: Attempt, *, state: str, code: str, agent: str) -> str:
    """The cookie of a new session. Raises SignInError and UnavailableError."""
    if not compare_digest(attempt.state.encode(), state.encode()):
        raise _not_ours()
    claims = _claims(site.settings, attempt, code)
    subject = f"{claims['iss']} {claims['sub']}"
    if len(subject) > 300:
        raise _refused()
    with site.database.system("sign-in by the provider") as session:
        user = _known(session, subject, claims)
        record(session, "session.create", object_id=user.id, detail={"by": "oidc"})
        return start_session(session, user.id, site.settings, agent=agent)


def _known(session: Session, subject: str, claims: dict[str, Any]) -> User:
    user = session.exec(select(User).where(User.oidc_subject == subject)).first()
    if user is None and claims.get("email_verified") is True:
        login = str(claims.get("email", "")).strip().lower()
        user = session.exec(
            select(User).where(User.login == login, col(User.oidc_subject).is_(None))
        ).first()
        if user is not None:
            user.oidc_subject = subject
            session.add(user)
    if user is None or not user.active:
        raise SignInError(
            en="You have no account here. Ask the administrator to invite you with the e-mail"
            " address of your organisation.",
            zh="您在本系统中没有账号。请管理员用您单位的邮箱地址邀请您。",
        )
    return user


def _claims(settings: ServiceSettings, attempt: Attempt, code: str) -> dict[str, Any]:
    """What the provider says of the person, signature and addressee checked."""
    known = provider(settings.oidc_issuer)
    try:
        with _client(settings) as client:
            token = client.fetch_token(
                known["token_endpoint"],
                code=code,
                code_verifier=attempt.verifier,
                grant_type="authorization_code",
            )
        keys = httpx2.get(known["jwks_uri"], timeout=SECONDS).raise_for_status().json()
        decoded = jwt.decode(
            token["id_token"],
            KeySet.import_key_set(keys),
            registry=JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False),
        )
        claims = CodeIDToken(
            decoded.claims,
            decoded.header,
            {
                "iss": {"essential": True, "value": known["issuer"]},
                "aud": {"essential": True, "value": settings.oidc_client_id},
            },
            {"nonce": attempt.nonce, "client_id": settings.oidc_client_id}
            | {k: token[k] for k in ("access_token",) if k in token},
        )
        claims.validate(leeway=60)
    except httpx2.HTTPError as error:
        raise _unreachable() from error
    except (OAuthError, JoseError, KeyError, ValueError) as error:
        raise _refused() from error
    return dict(claims)


@cache
def provider(issuer: str) -> dict[str, str]:
    """The provider's own description, read once. Raises UnavailableError."""
    address = issuer.rstrip("/") + "/.well-known/openid-configuration"
    try:
        found = httpx2.get(address, timeout=SECONDS).raise_for_status().json()
        known = {name: str(dict(found)[name]) for name in _NEEDED}
    except (httpx2.HTTPError, ValueError, KeyError) as error:
        raise _unreachable() from error
    if known["issuer"].rstrip("/") != issuer.rstrip("/"):
        raise _unreachable()
    return known


_NEEDED = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")


def _client(settings: ServiceSettings) -> Any:
    return OAuth2Client(
        settings.oidc_client_id,
        settings.oidc_client_secret or None,
        scope="openid email profile",
        redirect_uri=settings.public_url + CALLBACK,
        code_challenge_method="S256",
        timeout=SECONDS,
    )


def _not_ours() -> SignInError:
    return SignInError(
        en="This answer belongs to no sign-in begun in this browser, or it came too late. Begin"
        " again.",
        zh="此登录结果不属于本浏览器发起的登录，或已超时，请重新登录。",
    )


def _refused() -> SignInError:
    return SignInError(
        en="The sign-in provider's answer could not be accepted. Begin again; if it stays, tell"
        " your administrator.",
        zh="登录服务返回的结果无法接受。请重新登录；如仍失败，请告知管理员。",
    )


def _unreachable() -> UnavailableError:
    return UnavailableError(
        en="The sign-in provider cannot be reached. Try again later, or sign in with a password.",
        zh="无法连接登录服务。请稍后重试，或使用密码登录。",
    )
