"""Settings from the environment; the only module that reads it."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from models.whisper_weights import weights_folder
from observer.errors import UsageError

SHARED_METRICS = "PROMETHEUS_MULTIPROC_DIR"
"""Where web processes of one machine count together; its client library reads it by this name."""


def shared_metrics() -> Path | None:
    """The folder of SHARED_METRICS; None for a web process that counts alone."""
    folder = os.environ.get(SHARED_METRICS, "")
    return Path(folder) if folder else None


@dataclass(frozen=True, slots=True)
class Environment:
    """What the machine's administrator may set."""

    weights: Path | None
    """OBSERVER_MODELS: folder with the weights of large engines (air-gapped servers too)."""
    threads: int
    """OBSERVER_THREADS: threads per worker; 1 is the fastest on shared cores."""
    language: str | None
    """LC_ALL, LC_MESSAGES or LANG: "zh" or "en", the language of messages; None: unknown."""


def environment() -> Environment:
    """Read the environment. A malformed number counts as unset."""
    threads = os.environ.get("OBSERVER_THREADS", "")
    locale = next(
        (os.environ[n] for n in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(n)), ""
    )
    return Environment(
        weights=weights_folder(os.environ),
        threads=int(threads) if threads.isdigit() and int(threads) > 0 else 1,
        language={"zh": "zh", "en": "en"}.get(locale[:2].lower()),
    )


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """What runs the web service and its workers; only `data` has to be given."""

    data: Path = Path("observer-data")
    """OBSERVER_DATA: folder of the database, of stored files and of work under way."""
    database_url: str = ""
    """OBSERVER_DATABASE_URL: postgresql+psycopg://…; default: SQLite in the data folder."""
    job_database_url: str = ""
    """OBSERVER_JOB_DATABASE_URL: of the job engine; default: a second SQLite file in the data
    folder, or the PostgreSQL database of the service (in a schema of its own)."""
    storage_url: str = ""
    """OBSERVER_STORAGE: file:///… or s3://bucket/prefix; default: a folder below the data."""
    public_url: str = "http://127.0.0.1:8000"
    """OBSERVER_PUBLIC_URL: address as people type it; https makes cookies secure."""
    oidc_issuer: str = ""
    """OBSERVER_OIDC_ISSUER: sign-in provider; empty: passwords alone."""
    oidc_client_id: str = ""
    """OBSERVER_OIDC_CLIENT_ID: as registered there."""
    oidc_client_secret: str = field(default="", repr=False)
    """OBSERVER_OIDC_CLIENT_SECRET: as registered there."""
    max_upload_bytes: int = 8 * 1024**3
    """OBSERVER_MAX_UPLOAD: largest file, in bytes or as 8GiB."""
    min_free_bytes: int = 2 * 1024**3
    """OBSERVER_MIN_FREE: space that uploads leave free on the disk, in bytes or as 2GiB."""
    metrics_addresses: tuple[str, ...] = ("127.0.0.1", "::1")
    """OBSERVER_METRICS_FROM: addresses that may read /metrics, commas between."""
    session_days: int = 14
    """OBSERVER_SESSION_DAYS: a sign-in ends after so many days without use."""
    argon2_memory_kib: int = 65536
    """Memory of one password hash; argon2id, RFC 9106 §4 second choice. Tests make it small."""
    argon2_passes: int = 3
    """Passes of one password hash."""

    def __post_init__(self) -> None:
        """Derives what was left empty."""
        data = self.data.expanduser().resolve()
        database = self.database_url or f"sqlite:///{data / 'observer.sqlite'}"
        own = database.startswith("sqlite")
        jobs = self.job_database_url or (f"sqlite:///{data / 'jobs.sqlite'}" if own else database)
        derived = {
            "data": data,
            "database_url": database,
            "job_database_url": jobs,
            "storage_url": self.storage_url or (data / "files").as_uri(),
            "public_url": self.public_url.rstrip("/"),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    @property
    def secure_cookies(self) -> bool:
        """Whether cookies are sent over https alone."""
        return self.public_url.startswith("https://")


def service_settings(source: Mapping[str, str] | None = None) -> ServiceSettings:
    """The service's settings from `source`, by default the environment.

    Raises UsageError that names the variable when one cannot be understood.
    """
    source = os.environ if source is None else source
    standard = ServiceSettings()
    if bool(source.get("OBSERVER_OIDC_ISSUER")) != bool(source.get("OBSERVER_OIDC_CLIENT_ID")):
        raise UsageError(
            en="OBSERVER_OIDC_ISSUER and OBSERVER_OIDC_CLIENT_ID belong together: set both or"
            " neither.",
            zh="OBSERVER_OIDC_ISSUER 与 OBSERVER_OIDC_CLIENT_ID 须同时设置或同时不设置。",
        )
    addresses = source.get("OBSERVER_METRICS_FROM")
    return ServiceSettings(
        data=Path(source.get("OBSERVER_DATA") or "observer-data"),
        database_url=_database(source.get("OBSERVER_DATABASE_URL", "")),
        job_database_url=_database(source.get("OBSERVER_JOB_DATABASE_URL", "")),
        storage_url=source.get("OBSERVER_STORAGE", ""),
        public_url=_address(source.get("OBSERVER_PUBLIC_URL") or standard.public_url),
        oidc_issuer=source.get("OBSERVER_OIDC_ISSUER", ""),
        oidc_client_id=source.get("OBSERVER_OIDC_CLIENT_ID", ""),
        oidc_client_secret=source.get("OBSERVER_OIDC_CLIENT_SECRET", ""),
        max_upload_bytes=_size(source, "OBSERVER_MAX_UPLOAD", standard.max_upload_bytes),
        min_free_bytes=_size(source, "OBSERVER_MIN_FREE", standard.min_free_bytes),
        metrics_addresses=standard.metrics_addresses
        if addresses is None
        else tuple(a for part in addresses.split(",") if (a := part.strip())),
        session_days=_size(source, "OBSERVER_SESSION_DAYS", standard.session_days),
    )


_UNITS = {"": 1, "kib": 1024, "mib": 1024**2, "gib": 1024**3, "tib": 1024**4}


def _size(source: Mapping[str, str], name: str, otherwise: int) -> int:
    """A positive whole number, of bytes where it has a unit (KiB, MiB, GiB, TiB)."""
    text = source.get(name, "").strip()
    if not text:
        return otherwise
    found = re.fullmatch(r"(\d+)\s*([kmgt]ib)?", text, re.IGNORECASE)
    value = int(found[1]) * _UNITS[(found[2] or "").lower()] if found else 0
    if value <= 0:
        raise UsageError(
            en=f"{name} is {text!r}: give a whole number, for sizes also as 8GiB.",
            zh=f"{name} 的值为 {text!r}：请填写正整数，大小也可写作 8GiB。",
        )
    return value


def _database(url: str) -> str:
    """PostgreSQL addresses in their usual short form get the driver that is installed."""
    return re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", url)


def _address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise UsageError(
            en=f"OBSERVER_PUBLIC_URL is {url!r}: give the whole address, such as"
            " https://observer.example.edu.",
            zh=f"OBSERVER_PUBLIC_URL 的值为 {url!r}：请填写完整网址，例如"
            " https://observer.example.edu。",
        )
    return url
