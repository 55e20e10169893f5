"""Sending files to a server by tus, from a program: resumed, retried, each once.

Nothing is remembered on this side: files are known by their sha256, and the server tells which of
them it has and how far the others are, so that a sender may be killed and started anywhere.
"""

import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from observer.errors import Language, ObserverError, UsageError
from observer.files import sha256_of

if TYPE_CHECKING:
    import httpx2

    from api.manifest import ManifestRow

BLOCK = 8 << 20
"""Bytes a request: what is sent again when one fails."""
ATTEMPTS = 8
"""Failures in a row, without a byte of progress, after which a file is given up."""
LONGEST_PAUSE = 30.0
"""Seconds between two attempts at most; the first pause is one second."""
Started = Mapping[tuple[str, str, str], str]
"""(sha256, kind, lesson) → address of an upload that can be gone on with."""
_API = "/api/v1/uploads"
_AGAIN = frozenset({409, 423, 429, 500, 502, 503, 504})
OnBytes = Callable[[int], None]


class PushError(ObserverError):
    """The server refused, or could not be reached."""


class StoppedError(PushError):
    """Nothing more can be sent: the token is not accepted."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a lesson of the manifest."""

    lesson_id: str
    known: bool
    """The server had it already."""
    run_id: str


class Server:
    """The upload address of one server, with one person's token; used by several threads."""

    def __init__(
        self,
        address: str,
        token: str,
        *,
        language: Language = "zh",
        client: "httpx2.Client | None" = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        import httpx2

        if not address.startswith(("http://", "https://")):
            raise UsageError(
                en=f"{address!r} is no address. Give one such as https://observer.example.edu.",
                zh=f"“{address}”不是网址。请填写例如 https://observer.example.edu 的地址。",
            )
        self._address = address.rstrip("/")
        self._client = client or httpx2.Client(timeout=httpx2.Timeout(120.0, connect=15.0))
        self._headers = {"Authorization": f"Bearer {token}", "Tus-Resumable": "1.0.0"}
        self._headers["Accept-Language"] = language
        self._failed = httpx2.TransportError
        self._pause = pause

    def unfinished(self) -> dict[tuple[str, str, str], str]:
        """(sha256, kind, lesson) → address of every upload that can be gone on with."""
        answer = self._ask("GET", _API)
        return {
            (u["sha256"], u["kind"], u.get("lesson", "")): u["url"]
            for u in answer.json()
            if not u["outcome"] and u["sha256"]
        }

    def send(
        self,
        file: Path,
        said: Mapping[str, str],
        started: Started,
        on_bytes: OnBytes,
    ) -> Sent:
        """Send a file, or the rest of it. Raises PushError."""
        sha, size = sha256_of(file), file.stat().st_size
        said = {**said, "filename": file.name, "sha256": sha}
        url = started.get((sha, said.get("kind", ""), said.get("lesson", "")), "")
        if not url:
            made = self._ask(
                "POST", _API, {"Upload-Length": str(size), "Upload-Metadata": metadata(said)}
            )
            if made.status_code == 409:
                on_bytes(size)
                return Sent(made.headers["observer-lesson"], known=True, run_id="")
            url = made.headers["location"]
        return self._transfer(file, size, url, on_bytes)

    def _transfer(self, file: Path, size: int, url: str, on_bytes: OnBytes) -> Sent:
        answer = self._ask("HEAD", url)
        offset, told = int(answer.headers.get("upload-offset", size)), 0
        failures = 0
        with file.open("rb") as opened:
            while answer.status_code != 409 and "observer-lesson" not in answer.headers:
                on_bytes(offset - told)
                told = offset
                opened.seek(offset)
                answer = self._try(url, offset, opened.read(BLOCK))
                reached = int(answer.headers.get("upload-offset", offset))
                failures = 0 if reached > offset else failures + 1
                if failures >= ATTEMPTS:
                    raise _unreachable(self._address)
                offset = reached
        on_bytes(size - told)
        headers = answer.headers
        return Sent(
            headers.get("observer-lesson", ""),
            answer.status_code == 409,
            headers.get("observer-run", ""),
        )

    def _try(self, url: str, offset: int, block: bytes) -> "httpx2.Response":
        """Send a block; where that fails in a way that may pass, the answer to "how far?"."""
        headers = {
            "Upload-Offset": str(offset),
            "Content-Type": "application/offset+octet-stream",
        }
        try:
            answer = self._client.patch(
                urljoin(self._address, url), headers=self._headers | headers, content=block
            )
        except self._failed:
            return self._ask("HEAD", url)
        duplicate = answer.status_code == 409 and "observer-lesson" in answer.headers
        if answer.is_success or duplicate:
            return answer
        if answer.status_code in _AGAIN:
            self._pause(_seconds(answer, 1.0))
            return self._ask("HEAD", url)
        raise _refused(answer)

    def _ask(
        self, method: str, url: str, headers: Mapping[str, str] | None = None
    ) -> "httpx2.Response":
        """An answer that settles the matter; what may pass is tried again, ever more slowly."""
        for attempt in range(ATTEMPTS):
            pause = min(LONGEST_PAUSE, 2.0**attempt)
            try:
                answer = self._client.request(
                    method,
                    urljoin(self._address, url),
                    headers=self._headers | dict(headers or {}),
                )
            except self._failed:
                self._pause(pause)
                continue
            duplicate = answer.status_code == 409 and "observer-lesson" in answer.headers
            if answer.is_success or duplicate:
                return answer
            if answer.status_code not in _AGAIN or answer.status_code == 409:
                raise self._why(method, url, answer)
            self._pause(_seconds(answer, pause))
        raise _unreachable(self._address)

    def _why(self, method: str, url: str, answer: "httpx2.Response") -> PushError:
        """The refusal in words; the answer to HEAD has none, so they are asked for."""
        if method != "HEAD" or answer.status_code not in {409, 422}:
            return _refused(answer)
        said = self._ask("GET", url).json().get("outcome", {}).get("error", {})
        return PushError(en=said.get("en", "refused"), zh=said.get("zh", "服务器拒绝"))


def metadata(said: Mapping[str, str]) -> str:
    """Upload-Metadata of tus: values in Base64."""
    return ",".join(f"{key} {b64encode(v.encode()).decode()}" for key, v in said.items() if v)


def _seconds(answer: "httpx2.Response", otherwise: float) -> float:
    stated = answer.headers.get("retry-after", "")
    return min(float(stated), 2 * LONGEST_PAUSE) if stated.isdigit() else otherwise


def _refused(answer: "httpx2.Response") -> PushError:
    """What the server says, which is in the language of the token's owner."""
    kind = answer.headers.get("content-type", "")
    detail = answer.json().get("detail", "") if "json" in kind and answer.content else ""
    detail = detail or f"HTTP {answer.status_code}"
    failure = StoppedError if answer.status_code in {401, 403, 412} else PushError
    return failure(en=detail, zh=detail)


def _unreachable(address: str) -> PushError:
    return PushError(
        en=f"{address} does not answer, though it was tried {ATTEMPTS} times. Run the same command "
        "again later: what has arrived is kept.",
        zh=f"{address} 没有响应（已尝试 {ATTEMPTS} 次）。请稍后运行同一命令：已上传的部分会保留。",
    )


def push_row(
    server: Server,
    row: "ManifestRow",
    started: Started,
    on_bytes: OnBytes,
) -> Sent:
    """Send all files of a lesson; it is observed once the last one is there. Raises PushError."""
    data = row.data.model_dump(mode="json", exclude_defaults=True)
    said = {name: str(value) for name, value in data.items()}
    lesson_id, known, run_id = "", True, ""
    for number, (kind, file) in enumerate(row.files, 1):
        about = {"lesson": lesson_id} if lesson_id else said
        more = {"more": "yes"} if number < len(row.files) else {}
        sent = server.send(file, {**about, **more, "kind": kind}, started, on_bytes)
        lesson_id = lesson_id or sent.lesson_id
        known, run_id = known and sent.known, sent.run_id
    return Sent(lesson_id, known, run_id)
