"""Webhooks: a signed message to each address whose owner sees a run that has ended.

The body is JSON and names nobody: ``{"event": "run.ended", "id", "run": {"id", "lesson_id",
"state", "created", "ended"}}``; the same `id` comes again when an answer was lost. The header
``Observer-Signature: t=SECONDS,v1=HEX`` holds the HMAC-SHA256, keyed by the webhook's secret, of
``SECONDS.BODY`` (the time as written in the header, a full stop, the bytes of the body): compare
in constant time, and refuse times that are minutes old.
"""

import hashlib
import hmac
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import psycopg
import structlog
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlmodel import col, select

from api.access import Actor, actor_of
from api.columns import now
from api.locks import locks_of
from api.posting import TIMEOUT, post
from api.tables import ENDS, Delivery, Run, User, Webhook

if TYPE_CHECKING:
    from api.db import Database
    from api.jobs import Jobs

SIGNATURE = "Observer-Signature"
PAUSES = tuple(timedelta(minutes=m) for m in (1, 5, 30, 2 * 60, 6 * 60, 24 * 60))
"""Between the attempts; when the one after the last pause has failed it is given up."""
LOOK_BACK = timedelta(days=7)
AT_ONCE = 4
"""Messages under way: a receiver that is dead does not hold up the others."""
MOST = 20
"""Messages to one webhook in one pass."""
_log = structlog.get_logger("observer.webhooks")


@dataclass(frozen=True, slots=True)
class Message:
    """A delivery that is due, as it is sent."""

    delivery_id: str
    attempts: int
    """Before this one."""
    url: str = field(repr=False)
    secret: str = field(repr=False)
    body: bytes


@dataclass(frozen=True, slots=True)
class _Listener:
    webhook: Webhook
    owner: Actor


def deliver(
    database: "Database",
    *,
    allow_loopback: bool = False,
    moment: datetime | None = None,
    stop: threading.Event | None = None,
) -> int:
    """Send what is due at `moment` (now, if None); how many messages arrived.

    A message has arrived when the answer's status is 2xx. What was found before `stop` is set and
    not sent stays due. `allow_loopback` is for tests. Raises SQLAlchemyError while the database
    is away.
    """
    moment = moment or now()
    messages = [m for listener in _listeners(database) for m in _due(database, listener, moment)]

    def send(message: Message) -> bool:
        if stop is not None and stop.is_set():
            return False
        return _send(database, message, moment, allow_loopback=allow_loopback)

    if not messages:
        return 0
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="webhooks") as pool:
        return sum(pool.map(send, messages))


# -- what is due -------------------------------------------------------------------------


def _listeners(database: "Database") -> list[_Listener]:
    """Active webhooks of active people."""
    with database.system("webhooks and whose they are") as session:
        rows = session.exec(
            select(Webhook, User)
            .join(User, col(User.id) == Webhook.user_id)
            .where(col(Webhook.active), col(User.active))
            .order_by(col(Webhook.created), col(Webhook.id))
        ).all()
        owners = {user.id: actor_of(session, user, frozenset({"read"})) for _, user in rows}
        return [_Listener(webhook, owners[user.id]) for webhook, user in rows]


def _due(database: "Database", listener: _Listener, moment: datetime) -> list[Message]:
    """The listener's messages that are due, those of runs that have just ended among them."""
    _note(database, listener, moment)
    with database.system("deliveries that are due") as session:
        deliveries = session.exec(
            select(Delivery)
            .where(Delivery.webhook_id == listener.webhook.id, col(Delivery.due) <= moment)
            .order_by(col(Delivery.due), col(Delivery.id))
            .limit(MOST)
        ).all()
    with database.session(listener.owner) as session:
        wanted = [d.run_id for d in deliveries]
        runs = {r.id: r for r in session.exec(select(Run).where(col(Run.id).in_(wanted)))}
    # What the owner no longer sees, because a share was withdrawn, is not told any more.
    closed = [d.id for d in deliveries if d.run_id not in runs]
    if closed:
        with database.system("deliveries of lessons that are closed again") as session:
            session.execute(update(Delivery).where(col(Delivery.id).in_(closed)).values(due=None))
    return [_message(listener.webhook, d, runs[d.run_id]) for d in deliveries if d.run_id in runs]


def _note(database: "Database", listener: _Listener, moment: datetime) -> None:
    """A delivery for every run that the owner sees and that has ended since."""
    hook = listener.webhook
    noted = select(Delivery.run_id).where(Delivery.webhook_id == hook.id)
    with database.session(listener.owner) as session:
        ended = session.exec(
            select(Run.id)
            .where(
                col(Run.state).in_(sorted(ENDS)),
                col(Run.ended) >= max(hook.created, moment - LOOK_BACK),
                col(Run.id).not_in(noted),
            )
            .order_by(col(Run.ended), col(Run.id))
        ).all()
    if not ended:
        return
    try:
        with database.system("a delivery for each run that ended") as session:
            session.add_all(Delivery(webhook_id=hook.id, run_id=r, due=moment) for r in ended)
    except IntegrityError:
        # Run or webhook was deleted meanwhile, or another worker was quicker: at the next pass.
        _log.info("deliveries_not_noted", webhook=hook.id)


def _message(webhook: Webhook, delivery: Delivery, run: Run) -> Message:
    told = {
        "event": "run.ended",
        "id": delivery.id,
        "run": {
            "id": run.id,
            "lesson_id": run.lesson_id,
            "state": run.state,
            "created": _written(run.created),
            "ended": _written(run.ended or run.created),
        },
    }
    body = json.dumps(told, separators=(",", ":")).encode()
    return Message(delivery.id, delivery.attempts, webhook.url, webhook.secret, body)


def _written(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


# -- sending -----------------------------------------------------------------------------


def _send(
    database: "Database", message: Message, moment: datetime, *, allow_loopback: bool
) -> bool:
    """Claim, send, write down; whether it arrived."""
    if not _claim(database, message, moment):
        return False
    headers = {
        "content-type": "application/json",
        "user-agent": "observer-webhooks",
        SIGNATURE: signature(message.secret, message.body, int(now().timestamp())),
    }
    status = post(message.url, message.body, headers, allow_loopback=allow_loopback)
    arrived = 200 <= status < 300
    with database.system("what became of a delivery") as session:
        row = session.get(Delivery, message.delivery_id)
        if row is not None:  # its webhook or its lesson may have been deleted
            row.status = status
            if arrived:
                row.arrived = now()
            if arrived or message.attempts >= len(PAUSES):
                row.due = None
            session.add(row)
    if not arrived:
        tried = message.attempts + 1
        _log.warning("not_delivered", delivery=message.delivery_id, status=status, attempt=tried)
    return arrived


def _claim(database: "Database", message: Message, moment: datetime) -> bool:
    """Count the attempt and set the next one; False when another worker has it.

    There is a next one even after the last, until that has failed: a worker that dies while it
    sends costs a second message, never a lost one.
    """
    tried = message.attempts
    following = moment + PAUSES[min(tried, len(PAUSES) - 1)]
    with database.system("a delivery is claimed") as session:
        claimed = session.execute(
            update(Delivery)
            .where(
                col(Delivery.id) == message.delivery_id,
                col(Delivery.attempts) == tried,
                col(Delivery.due) <= moment,
            )
            .values(attempts=tried + 1, due=following)
            .returning(col(Delivery.id))
        ).all()
    return bool(claimed)


def signature(secret: str, body: bytes, seconds: int) -> str:
    """The header's value: time and HMAC-SHA256 (RFC 2104) of time and body."""
    signed = b"%d." % seconds + body
    return f"t={seconds},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


class Messenger:
    """Delivers in a thread of its own while a worker works: receivers may be slow, and a worker
    has its fellows to mind. One worker at a time does it."""

    def __init__(self, jobs: "Jobs", *, every: float = 10.0) -> None:
        self.jobs = jobs
        self.every = every
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="messenger", daemon=True)

    def __enter__(self) -> "Messenger":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join(2 * TIMEOUT)

    def _run(self) -> None:
        # Locks belong to one thread, so these are its own.
        locks = locks_of(self.jobs.url, self.jobs.settings.data / "locks")
        while not self._stop.wait(self.every):
            try:
                if locks.take("webhooks"):
                    try:
                        deliver(self.jobs.database, stop=self._stop)
                    finally:
                        locks.release("webhooks")
            except (SQLAlchemyError, psycopg.Error, OSError) as error:
                _log.warning("delivering_failed", error=type(error).__name__)
        locks.close()
