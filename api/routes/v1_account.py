"""REST for programs: who asks, tokens, webhooks, schools, people, audit."""

import secrets

from fastapi import APIRouter, Request, Response
from sqlmodel import col, select

from api import audit
from api.auth import create_token
from api.deps import Db, Me, Writer
from api.documents import (
    AuditOut,
    Listing,
    MembershipOut,
    MeOut,
    NewToken,
    NewWebhook,
    PersonOut,
    SchoolOut,
    TokenIn,
    TokenOut,
    WebhookIn,
    WebhookOut,
    bad_cursor,
)
from api.idempotency import Key, once
from api.problems import LimitError, not_found
from api.routes.v1 import Cursor, LessonId, Limit, Text
from api.tables import ApiToken, AuditEntry, School, User, Webhook

router = APIRouter(prefix="/api/v1", tags=["account"])
MOST_WEBHOOKS = 20


@router.get("/me")
def who_am_i(me: Me) -> MeOut:
    """Who the token or the session belongs to, and what it may do."""
    return MeOut(
        user_id=me.user_id,
        name=me.name,
        language=me.language,
        administrator=me.administrator,
        scopes=sorted(me.scopes),
        memberships=[MembershipOut.model_validate(m) for m in me.memberships],
    )


@router.get("/tokens")
def list_tokens(db: Db, me: Me) -> Listing[TokenOut]:
    """Your tokens, without their texts."""
    rows = db.exec(
        select(ApiToken).where(ApiToken.user_id == me.user_id).order_by(col(ApiToken.created))
    )
    return Listing(items=[TokenOut.model_validate(row) for row in rows])


@router.post("/tokens", status_code=201)
def make_token(db: Db, me: Writer, data: TokenIn) -> NewToken:
    """A new token. Its text is told once and stored nowhere: no Idempotency-Key here."""
    token, text = create_token(
        db, me.user_id, data.name, scopes=frozenset(data.scopes), days=data.days
    )
    db.flush()
    audit.record(db, "token.create", object_id=token.id)
    return NewToken(**TokenOut.model_validate(token).model_dump(), token=text)


@router.delete("/tokens/{token_id}", status_code=204)
def revoke_token(db: Db, me: Writer, token_id: LessonId) -> None:
    """Revoke a token; it is refused from now on."""
    token = db.get(ApiToken, token_id)
    if token is None or token.user_id != me.user_id:
        raise not_found()
    audit.record(db, "token.delete", object_id=token.id)
    db.delete(token)


@router.get("/webhooks")
def list_webhooks(db: Db, me: Me) -> Listing[WebhookOut]:
    """Your webhooks, without their secrets."""
    rows = db.exec(
        select(Webhook).where(Webhook.user_id == me.user_id).order_by(col(Webhook.created))
    )
    return Listing(items=[_webhook(row) for row in rows])


@router.post("/webhooks", status_code=201, response_model=NewWebhook)
def make_webhook(
    db: Db, me: Writer, request: Request, data: WebhookIn, key: Key = None
) -> Response:
    """Be told when a run of a lesson that you may see ends; see docs/api.md for the signature."""

    def create() -> NewWebhook:
        mine = select(Webhook).where(Webhook.user_id == me.user_id)
        if len(db.exec(mine).all()) >= MOST_WEBHOOKS:
            raise LimitError(
                en=f"At most {MOST_WEBHOOKS} webhooks a person. Remove one first.",
                zh=f"每人最多 {MOST_WEBHOOKS} 个 webhook，请先删除一个。",
            )
        row = Webhook(user_id=me.user_id, url=data.url, secret=secrets.token_hex(32))
        db.add(row)
        audit.record(db, "webhook.create", object_id=row.id)
        db.flush()
        return NewWebhook(**_webhook(row).model_dump(), secret=row.secret)

    return once(db, me, request, key, data, create)


@router.delete("/webhooks/{webhook_id}", status_code=204)
def remove_webhook(db: Db, me: Writer, webhook_id: LessonId) -> None:
    """Stop telling; what is under way is dropped."""
    row = db.get(Webhook, webhook_id)
    if row is None or row.user_id != me.user_id:
        raise not_found()
    audit.record(db, "webhook.delete", object_id=row.id)
    db.delete(row)


@router.get("/schools")
def list_schools(db: Db, me: Me) -> Listing[SchoolOut]:  # noqa: ARG001
    """Schools that you may know of."""
    return Listing(
        items=[
            SchoolOut.model_validate(row) for row in db.exec(select(School).order_by(School.name))
        ]
    )


@router.get("/people")
def list_people(db: Db, me: Me, q: Text = "", limit: Limit = 50) -> Listing[PersonOut]:  # noqa: ARG001
    """Colleagues whose name or login holds `q`."""
    wanted = select(User).where(col(User.active)).order_by(User.name, User.id).limit(limit)
    for word in q.split():
        named = col(User.name).icontains(word, autoescape=True)
        wanted = wanted.where(named | col(User.login).icontains(word, autoescape=True))
    return Listing(items=[PersonOut.model_validate(row) for row in db.exec(wanted)])


@router.get("/audit")
def read_audit(db: Db, me: Me, limit: Limit = 50, after: Cursor = None) -> Listing[AuditOut]:  # noqa: ARG001
    """What you did and what befell your lessons; administrators read everything."""
    wanted = select(AuditEntry).order_by(col(AuditEntry.id).desc()).limit(limit + 1)
    if after is not None:
        if not after.isascii() or not after.isdigit() or len(after) > 18:
            raise bad_cursor()
        wanted = wanted.where(col(AuditEntry.id) < int(after))
    found = db.exec(wanted).all()
    more = str(found[limit - 1].id) if len(found) > limit else None
    return Listing(items=[AuditOut.model_validate(row) for row in found[:limit]], next=more)


def _webhook(row: Webhook) -> WebhookOut:
    return WebhookOut(id=row.id, url=row.url, active=row.active, created=row.created)
