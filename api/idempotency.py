"""Creation that may safely be asked for twice: the `Idempotency-Key` header.

The answer is kept in the transaction that creates, for a day: a client that lost it sends the
same request with the same key and gets it again, and nothing is created twice.
"""

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated

from fastapi import Header, Request, Response
from pydantic import BaseModel
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, delete, select

from api.access import Actor
from api.columns import now
from api.problems import ConflictError, InvalidError
from api.tables import IdempotencyKey

KEPT = timedelta(hours=24)
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=100,
        pattern=r"^[\x21-\x7e]+$",
        description="Any name of your own for this creation; sent again with the same request it "
        "gives the same answer and creates nothing (24 hours).",
    ),
]


def once(
    session: Session,
    me: Actor,
    request: Request,
    key: str | None,
    body: BaseModel,
    create: Callable[[], BaseModel],
) -> Response:
    """The answer 201 of `create`, or the one that was given under this key before.

    Raises InvalidError when the key came with another request, ConflictError while the first
    request is still being worked on, and what `create` raises.
    """
    if key is None:
        return _created(create().model_dump_json())
    print_of = _fingerprint(request, body)
    known = session.exec(
        select(IdempotencyKey).where(
            IdempotencyKey.user_id == me.user_id,
            IdempotencyKey.key == key,
            col(IdempotencyKey.created) > now() - KEPT,
        )
    ).first()
    if known is not None:
        return _again(known, print_of)
    _forget(session, me, key)
    row = IdempotencyKey(user_id=me.user_id, key=key, fingerprint=print_of)
    session.add(row)
    try:
        session.flush()
    except IntegrityError as error:
        raise ConflictError(
            en="The first request with this Idempotency-Key is still being worked on. Send it "
            "again in a moment.",
            zh="使用该 Idempotency-Key 的首个请求仍在处理中，请稍后重试。",
        ) from error
    row.body, row.status = create().model_dump_json(), 201
    session.add(row)
    return _created(row.body)


def _created(body: str) -> Response:
    return Response(body, 201, media_type="application/json")


def _again(known: IdempotencyKey, print_of: str) -> Response:
    if known.fingerprint != print_of:
        raise InvalidError(
            en="This Idempotency-Key was used for another request. Use a new one.",
            zh="该 Idempotency-Key 已用于另一个请求，请使用新的值。",
        )
    return Response(known.body, known.status, {"Idempotency-Replayed": "true"}, "application/json")


def _forget(session: Session, me: Actor, key: str) -> None:
    """Make room for a key that was used long ago."""
    session.execute(
        delete(IdempotencyKey).where(
            col(IdempotencyKey.user_id) == me.user_id, col(IdempotencyKey.key) == key
        )
    )


def _fingerprint(request: Request, body: BaseModel) -> str:
    parts = [request.method, request.url.path, body.model_dump(mode="json")]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
