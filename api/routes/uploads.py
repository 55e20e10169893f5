"""Resumable uploads: tus 1.0 (core, creation, checksum, termination, expiration).

Any tus client will do. `Upload-Metadata` says what the file is: `filename`, `sha256` (of the whole
file: it is checked at the end, and a file that is there already is refused before it is sent),
`kind` (recording, transcript, voice; else found inside), then either `lesson` (the identifier of
one that is there) or the fields of a new one (title, subject, grade, topic, lesson_type, held_on,
round, teacher, school, consent, consent_reference, consent_until, language, students); `more` when
further files of the lesson follow, so that it is not observed yet; `again` to take a file a second
time. The answers name what came of it in Observer-Lesson, Observer-Recording and Observer-Run.
"""

import base64
import binascii
from collections.abc import Callable, Coroutine
from email.utils import format_datetime
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.routing import APIRoute

from api.answers import answer
from api.arrivals import DuplicateError
from api.deps import Db, Me, TheSite, Writer
from api.problems import InvalidError, ServiceError
from api.tables import Upload
from api.transfers import CHECKSUMS, TransferError
from api.uploads import Uploads
from observer.errors import ObserverError

VERSION = "1.0.0"
EXTENSIONS = "creation,checksum,termination,expiration"
TYPE = "application/offset+octet-stream"
_LARGEST = (1 << 62) - 1
_METADATA_LIMIT = 16 * 1024


class _TusRoute(APIRoute):
    """Every answer says which version of the protocol it speaks, errors too."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, its errors answered here."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                response = await handler(request)
            except ObserverError as error:
                if not isinstance(error, ServiceError):
                    raise
                response = answer(request, error)
                if isinstance(error, DuplicateError):
                    response.headers["Observer-Lesson"] = error.lesson_id
                if isinstance(error, TransferError) and error.status == 412:
                    response.headers["Tus-Version"] = VERSION
            response.headers["Tus-Resumable"] = VERSION
            return response

        return handle


router = APIRouter(prefix="/api/v1/uploads", tags=["uploads"], route_class=_TusRoute)


def _speaks(tus_resumable: Annotated[str, Header()] = "") -> None:
    """The client must speak version 1.0.0. Raises TransferError (412)."""
    if tus_resumable != VERSION:
        raise TransferError(
            412,
            en=f"Send the header Tus-Resumable: {VERSION}.",
            zh=f"请发送请求头 Tus-Resumable: {VERSION}。",
        )


def _uploads(site: TheSite, request: Request) -> Uploads:
    """The one object of this process."""
    state = request.app.state
    if not hasattr(state, "uploads"):
        state.uploads = Uploads(site)
    return cast("Uploads", state.uploads)


TheUploads = Annotated[Uploads, Depends(_uploads)]
SPEAKS = [Depends(_speaks)]
_PROBLEM: dict[str, Any] = {
    "content": {"application/problem+json": {"schema": {"type": "object"}}},
}


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    told = {
        401: "Nobody is signed in", 403: "Not allowed", 404: "No such upload of yours",
        409: "Another offset, or a file that is there already", 410: "Expired",
        412: "Another version of tus", 413: "Too large", 415: "Another media type",
        422: "The file or what is said of it cannot be taken", 423: "Another request is busy",
        429: "Too many unfinished uploads", 460: "Checksum mismatch", 507: "No room left",
    }  # fmt: skip
    return {status: {"description": told[status], **_PROBLEM} for status in statuses}


@router.options("", status_code=204)
def capabilities(site: TheSite) -> Response:
    """What this server can do."""
    return Response(
        status_code=204,
        headers={
            "Tus-Version": VERSION,
            "Tus-Extension": EXTENSIONS,
            "Tus-Checksum-Algorithm": ",".join(CHECKSUMS),
            "Tus-Max-Size": str(site.settings.max_upload_bytes),
        },
    )


@router.post(
    "",
    status_code=201,
    dependencies=SPEAKS,
    response_class=Response,
    responses=_problems(401, 403, 404, 409, 412, 413, 422, 429, 507),
)
def create(
    request: Request,
    me: Writer,
    uploads: TheUploads,
    upload_length: Annotated[int, Header(ge=0, le=_LARGEST)],
    upload_metadata: Annotated[str, Header(max_length=_METADATA_LIMIT)] = "",
) -> Response:
    """Begin an upload; its address is in Location."""
    upload = uploads.create(me, upload_length, read_metadata(upload_metadata), _name(request))
    return Response(
        status_code=201, headers={"Location": f"{router.prefix}/{upload.id}", **_headers(upload)}
    )


@router.get("", responses=_problems(401))
def mine(me: Me, db: Db, uploads: TheUploads) -> list[dict[str, Any]]:
    """One's uploads of the last days, so that another page or machine can go on with them."""
    return [_shown(upload) for upload in uploads.mine(db, me)]


@router.get("/{upload_id}", responses=_problems(401, 404, 410))
def show(upload_id: str, me: Me, db: Db, uploads: TheUploads) -> dict[str, Any]:
    """An upload, and what came of it."""
    return _shown(uploads.find(db, me, upload_id))


@router.head(
    "/{upload_id}",
    dependencies=SPEAKS,
    response_class=Response,
    responses=_problems(401, 403, 404, 409, 410, 412, 422, 423, 507),
)
async def ask(upload_id: str, request: Request, me: Writer, uploads: TheUploads) -> Response:
    """How many bytes are safe."""
    upload = await uploads.ask(me, upload_id, _name(request))
    return Response(
        headers={
            **_headers(upload),
            "Upload-Length": str(upload.size),
            "Upload-Metadata": write_metadata(upload.details),
            "Cache-Control": "no-store",
        }
    )


@router.patch(
    "/{upload_id}",
    status_code=204,
    dependencies=SPEAKS,
    response_class=Response,
    responses=_problems(401, 403, 404, 409, 410, 412, 413, 415, 422, 423, 460, 507),
    openapi_extra={
        "requestBody": {"content": {TYPE: {"schema": {"type": "string", "format": "binary"}}}}
    },
)
async def append(
    upload_id: str,
    request: Request,
    me: Writer,
    uploads: TheUploads,
    upload_offset: Annotated[int, Header(ge=0, le=_LARGEST)],
    upload_checksum: Annotated[str, Header(max_length=200)] = "",
) -> Response:
    """Append bytes at an offset; the last ones make the file a recording of its lesson."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != TYPE:
        raise TransferError(
            415,
            en=f"The body must be of the type {TYPE}.",
            zh=f"请求正文的类型必须为 {TYPE}。",
        )
    upload = await uploads.append(
        me,
        upload_id,
        upload_offset,
        request.stream(),
        checksum=upload_checksum,
        request_id=_name(request),
    )
    return Response(status_code=204, headers=_headers(upload))


@router.delete(
    "/{upload_id}",
    status_code=204,
    dependencies=SPEAKS,
    response_class=Response,
    responses=_problems(401, 403, 404, 410, 412, 423),
)
async def cancel(upload_id: str, me: Writer, uploads: TheUploads) -> Response:
    """Cancel an upload; its bytes are removed. A lesson that was made of it stays."""
    await uploads.remove(me, upload_id)
    return Response(status_code=204)


def _shown(upload: Upload) -> dict[str, Any]:
    """Where an upload is, and what came of it."""
    return {
        "id": upload.id,
        "url": f"{router.prefix}/{upload.id}",
        "name": upload.details.get("filename", ""),
        "size": upload.size,
        "offset": upload.offset,
        "sha256": upload.details.get("sha256", ""),
        "kind": upload.details.get("kind", ""),
        "lesson": upload.details.get("lesson", ""),
        "created": upload.created.isoformat(),
        "expires": upload.expires.isoformat(),
        "outcome": upload.outcome,
    }


def _headers(upload: Upload) -> dict[str, str]:
    outcome = {
        f"Observer-{name.capitalize()}": upload.outcome[name]
        for name in ("lesson", "recording", "run")
        if upload.outcome.get(name)
    }
    return {
        "Upload-Offset": str(upload.offset),
        "Upload-Expires": format_datetime(upload.expires, usegmt=True),
        **outcome,
    }


def read_metadata(header: str) -> dict[str, str]:
    """Upload-Metadata: pairs with commas between, a key and its value in Base64.

    Characters that are no text (controls) become blanks. Raises InvalidError.
    """
    said: dict[str, str] = {}
    for pair in header.split(","):
        key, _, value = pair.strip().partition(" ")
        if not key:
            continue
        try:
            text = base64.b64decode(value.strip(), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise InvalidError(
                en=f"Upload-Metadata: the value of {key[:40]!r} is not UTF-8 text in Base64.",
                zh=f"Upload-Metadata：{key[:40]} 的值不是 Base64 编码的 UTF-8 文字。",
            ) from error
        said[key] = "".join(c if c.isprintable() else " " for c in text)
    return said


def write_metadata(said: dict[str, str]) -> str:
    """The same, the other way."""
    return ",".join(f"{key} {base64.b64encode(v.encode()).decode()}" for key, v in said.items())


def _name(request: Request) -> str:
    return str(getattr(request.state, "request_id", ""))
