"""Uploads under way: bytes arrive by the tus protocol, survive every crash, become recordings.

The table says how many bytes are safe; the file beside it is cut to that number before anything
is appended, under a lock of the file, so that a killed server, a lost connection or two clients
at once cannot tear it. A complete file is examined, stored and entered in one transaction; when
that was interrupted, the next question about the upload or the sweep does it again.
"""

import fcntl
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import func
from sqlmodel import Session, col, select
from starlette.concurrency import run_in_threadpool

from api.access import Actor, actor_of
from api.arrivals import arrival_of
from api.columns import now
from api.intake import check
from api.problems import InvalidError, LimitError, ServiceError, not_found
from api.tables import Upload, User
from api.transfers import Part, TransferError, Turns, drain, no_room
from api.upload_ends import take_in, told
from observer.errors import ObserverError

if TYPE_CHECKING:
    from api.deps import Site

KEPT = timedelta(days=7)
"""An upload that nobody goes on with is removed after this time."""
OPEN_AT_ONCE = 200
"""Unfinished uploads of one person."""
_ORPHANED = timedelta(days=1)


class Uploads:
    """The uploads of one installation; one object a process, used by its event loop."""

    def __init__(self, site: "Site") -> None:
        self._site = site
        self._folder = site.settings.data / "uploads"
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._turns = Turns(self._folder)
        self._swept = now() - KEPT

    # -- creation and looking --------------------------------------------------------------

    def create(
        self, actor: Actor, size: int, details: dict[str, str], request_id: str = ""
    ) -> Upload:
        """A new upload of `size` bytes, if it may be sent and there is room.

        Raises LimitError (413 too large, 429 too many, 507 no room) and what `intake.check` does.
        """
        if now() - self._swept > timedelta(hours=1):
            self._swept = now()
            self.sweep()
        self._refuse_size(size)
        arrival = arrival_of(details)
        with self._site.database.session(actor, request_id) as session:
            check(session, actor, arrival)
            if len(self._open(session, actor)) >= OPEN_AT_ONCE:
                raise LimitError(
                    en=f"{OPEN_AT_ONCE} uploads of yours are unfinished. Finish or cancel some.",
                    zh=f"您有 {OPEN_AT_ONCE} 个上传尚未完成。请先完成或取消一部分。",
                    status=429,
                    retry_after=60,
                )
            self._refuse_no_room(size)
            upload = Upload(user_id=actor.user_id, size=size, details=details, expires=now() + KEPT)
            session.add(upload)
            session.flush()
            os.close(
                os.open(self._turns.part(upload.id), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            )
        return upload

    def find(self, session: Session, actor: Actor, upload_id: str) -> Upload:
        """The actor's own upload. Raises NotFoundError, and TransferError (410) when expired."""
        self._turns.part(upload_id)  # what is no identifier never reaches the database
        upload = session.get(Upload, upload_id)
        if upload is None or upload.user_id != actor.user_id:
            raise not_found()
        if upload.expires < now() and not upload.outcome:
            raise _gone()
        return upload

    def mine(self, session: Session, actor: Actor) -> list[Upload]:
        """The actor's uploads, unfinished ones and those that ended in the last days."""
        return list(
            session.exec(
                select(Upload)
                .where(Upload.user_id == actor.user_id, col(Upload.expires) > now())
                .order_by(col(Upload.created), col(Upload.id))
            )
        )

    # -- transfer ----------------------------------------------------------------------------

    async def ask(self, actor: Actor, upload_id: str, request_id: str = "") -> Upload:
        """How far the upload is; one that is whole but was not taken in yet is, now.

        A transfer of the same upload that still hangs is ended. Raises RefusedError or
        DuplicateError when the file could not be taken.
        """
        ended = await run_in_threadpool(self._ended, actor, upload_id)
        if ended is not None:
            return ended
        async with self._turns.turn(upload_id) as (handle, _stop):
            upload = await run_in_threadpool(self._begin, actor, upload_id, handle)
            return await run_in_threadpool(self._take_in, actor, upload, request_id)

    async def append(
        self,
        actor: Actor,
        upload_id: str,
        offset: int,
        body: AsyncIterator[bytes],
        *,
        checksum: str = "",
        request_id: str = "",
    ) -> Upload:
        """Append a request's body at `offset`; the upload as it is then.

        `checksum` is tus's Upload-Checksum: a body that does not fit it is thrown away whole.
        Raises TransferError (409 another offset, 423 locked, 460 checksum), LimitError (413 more
        than announced, 507 no room), RefusedError and DuplicateError.
        """
        ended = await run_in_threadpool(self._ended, actor, upload_id)
        if ended is not None:
            return ended
        async with self._turns.turn(upload_id) as (handle, stop):
            upload = await run_in_threadpool(self._begin, actor, upload_id, handle)
            if upload.offset != offset:
                raise TransferError(
                    409,
                    en=f"The upload is at byte {upload.offset}, not {offset}. Ask for its offset "
                    "and go on from there.",
                    zh=f"上传已进行到第 {upload.offset} 字节，而不是 {offset}。"
                    "请先查询偏移量，再从该处继续。",
                )
            save = partial(self._save, actor, upload_id)
            part = Part(handle, offset, upload.size, save, checksum)
            try:
                await drain(body, part, stop)
                await run_in_threadpool(part.end)
            except ServiceError:
                await run_in_threadpool(part.undo)
                raise
            upload.offset = part.safe
            return await run_in_threadpool(self._take_in, actor, upload, request_id)

    async def remove(self, actor: Actor, upload_id: str) -> None:
        """Cancel an upload: its bytes and its row go. A lesson made of it stays."""
        if not self._turns.part(upload_id).exists():  # it has ended: only its row is left
            await run_in_threadpool(self._remove, actor, upload_id)
            return
        async with self._turns.turn(upload_id):
            await run_in_threadpool(self._remove, actor, upload_id)

    def _ended(self, actor: Actor, upload_id: str) -> Upload | None:
        """The upload if it has ended well; None: it is under way. Raises what `told` does."""
        with self._site.database.session(actor) as session:
            upload = self.find(session, actor, upload_id)
            if upload.outcome:
                return told(upload)
            if not self._turns.part(upload_id).exists():
                raise _gone()
            return None

    def _begin(self, actor: Actor, upload_id: str, handle: int) -> Upload:
        """The upload as it stands, its file cut to the bytes that are safe."""
        with self._site.database.session(actor) as session:
            upload = self.find(session, actor, upload_id)
            if upload.outcome:
                return told(upload)
            there = os.fstat(handle).st_size
            if there < upload.offset:  # a restored database, say, without the files under way
                upload.offset = there
                session.add(upload)
            elif there > upload.offset:
                os.ftruncate(handle, upload.offset)
        return upload

    def _save(self, actor: Actor, upload_id: str, offset: int) -> None:
        """Write down that `offset` bytes are safe; the upload lives on from now."""
        with self._site.database.session(actor) as session:
            upload = self.find(session, actor, upload_id)
            upload.offset = offset
            upload.expires = now() + KEPT
            session.add(upload)

    def _remove(self, actor: Actor, upload_id: str) -> None:
        with self._site.database.session(actor) as session:
            session.delete(self.find(session, actor, upload_id))
        self._turns.part(upload_id).unlink(missing_ok=True)

    def _take_in(self, actor: Actor, upload: Upload, request_id: str = "") -> Upload:
        return take_in(self._site, actor, upload, self._turns.part(upload.id), request_id)

    # -- limits and order --------------------------------------------------------------------

    def _open(self, session: Session, actor: Actor) -> list[Upload]:
        return [u for u in self.mine(session, actor) if not u.outcome]

    def _refuse_size(self, size: int) -> None:
        most = self._site.settings.max_upload_bytes
        if size > most:
            raise LimitError(
                en=f"The file has {_size(size)}; the largest that is taken here has "
                f"{_size(most)}. Save the recording with a lower resolution (720p is plenty).",
                zh=f"文件大小为 {_size(size)}，此处上限为 {_size(most)}。"
                "请降低录像分辨率后再上传（720p 即可）。",
            )
        if size < 1:
            raise InvalidError(
                en="The file is empty (0 bytes). Copy it again from the camera.",
                zh="文件为空（0 字节）。请从录像设备重新复制。",
            )

    def _refuse_no_room(self, size: int) -> None:
        """Room for this file beside what others have begun, on the disk and in the store."""
        with self._site.database.system("uploads: room that is spoken for") as session:
            promised = session.exec(
                select(func.coalesce(func.sum(Upload.size - Upload.offset), 0)).where(
                    col(Upload.expires) > now(), Upload.offset < Upload.size
                )
            ).one()
        stored = self._site.storage.free_bytes()
        free = min(shutil.disk_usage(self._folder).free, stored if stored is not None else 1 << 62)
        if free - int(promised) - size < self._site.settings.min_free_bytes:
            raise no_room()

    def sweep(self) -> int:
        """Remove what expired and finish what was interrupted; the number of uploads touched."""
        with self._site.database.system("uploads: expired and interrupted ones") as session:
            rows = session.exec(select(Upload).order_by(col(Upload.created))).all()
            expired = [u for u in rows if u.expires < now() and (u.outcome or u.offset < u.size)]
            for upload in expired:
                session.delete(upload)
            whole = [u for u in rows if not u.outcome and u.offset == u.size]
            actors = {
                u.id: actor_of(session, person)
                for u in whole
                if (person := session.get(User, u.user_id)) is not None
            }
            kept = {u.id for u in rows if u not in expired and not u.outcome}
        self._remove_parts(kept, at_once={u.id for u in expired})
        for upload in whole:
            if upload.id in actors:
                self._finish_later(actors[upload.id], upload)
        return len(expired) + len(whole)

    def _finish_later(self, actor: Actor, upload: Upload) -> None:
        try:
            handle = os.open(self._turns.part(upload.id), os.O_RDWR)
        except FileNotFoundError:
            return
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Raised to nobody: the outcome is in the row, other failures are tried again.
            with suppress(ObserverError, BlockingIOError):
                self._take_in(actor, upload)
        except BlockingIOError:
            return
        finally:
            os.close(handle)

    def _remove_parts(self, kept: set[str], at_once: set[str]) -> None:
        """Files without an upload; young ones may belong to a row that is not committed yet."""
        before = (now() - _ORPHANED).timestamp()
        for part in self._folder.iterdir():
            name = part.name.removesuffix(".part")
            if name in at_once or (name not in kept and part.stat().st_mtime < before):
                part.unlink(missing_ok=True)


def _gone() -> TransferError:
    return TransferError(
        410,
        en=f"This upload was left for more than {KEPT.days} days and is gone. Start it again.",
        zh=f"此上传中断超过 {KEPT.days} 天，已被清除。请重新上传。",
    )


def _size(size: int) -> str:
    return f"{size / 1024**3:.1f} GiB" if size >= 1024**3 else f"{size / 1024**2:.1f} MiB"
