"""What a request can fail with, as one tree; `api.answers` tells it to programs and people.

ServiceError
├── SignInError        401   nobody is signed in, or the sign-in was refused
├── NotAllowedError    403   signed in, but not for this
├── NotFoundError      404   it is not there, or not for this person: the two look alike
├── ConflictError      409   it clashes with what is there already
├── InvalidError       422   a value that cannot be taken; names the field
├── LimitError         413, 429 or 507   too large, too often, no space
└── UnavailableError   503   something the service stands on is not there
"""

from typing import Any, ClassVar

from observer.errors import ObserverError


class ServiceError(ObserverError):
    """A request that cannot be answered as asked; `status` is its HTTP status."""

    status: int = 500
    slug: ClassVar[str] = "failure"
    """Last part of the problem's type, stable for programs."""


class SignInError(ServiceError):
    """Nobody is signed in, or the sign-in was refused."""

    status = 401
    slug = "sign-in"


class NotAllowedError(ServiceError):
    """The person is signed in but may not do this."""

    status = 403
    slug = "not-allowed"


class NotFoundError(ServiceError):
    """It is not there, or not for this person; the two cannot be told apart."""

    status = 404
    slug = "not-found"


class ConflictError(ServiceError):
    """It clashes with what is there already."""

    status = 409
    slug = "conflict"


class InvalidError(ServiceError):
    """A value that cannot be taken; the message names the field."""

    status = 422
    slug = "invalid"


class LimitError(ServiceError):
    """Too large (413), too often (429) or no space left (507)."""

    status = 413
    slug = "limit"

    def __init__(
        self, *, en: str, zh: str, status: int = 413, retry_after: int | None = None
    ) -> None:
        super().__init__(en=en, zh=zh)
        self.status = status
        self.retry_after = retry_after
        """Seconds after which it may be tried again."""

    def __reduce__(self) -> tuple[object, ...]:
        return (_limit, (self.en, self.zh, self.status, self.retry_after))


def _limit(en: str, zh: str, status: int, retry_after: int | None) -> LimitError:
    return LimitError(en=en, zh=zh, status=status, retry_after=retry_after)


class UnavailableError(ServiceError):
    """Something that the service stands on is not there: database, storage, sign-in provider."""

    status = 503
    slug = "unavailable"


def not_found() -> NotFoundError:
    """The one answer for what is absent and for what is somebody else's."""
    return NotFoundError(
        en="There is nothing here, or it has not been shared with you. Check the address, or ask"
        " the person who owns it to share it.",
        zh="这里没有内容，或者尚未与您共享。请检查网址，或请所有者与您共享。",
    )


_DOCUMENT = {"content": {"application/problem+json": {"schema": {"type": "object"}}}}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": told, **_DOCUMENT}
    for status, told in {
        400: "The request cannot be understood.",
        401: "No token, or one that is unknown or expired.",
        403: "The token or the person may not do this.",
        404: "Not there, or not shared with you.",
        409: "It clashes with what is there.",
        413: "The body is too large.",
        422: "A value cannot be taken; `fields` names it.",
    }.items()
}
"""What every operation of the interface may answer besides its result, for OpenAPI."""
