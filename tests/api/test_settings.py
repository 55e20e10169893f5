"""What an administrator may set, and what is told when it cannot be understood."""

from pathlib import Path

import pytest

from api.settings import ServiceSettings, service_settings
from observer.errors import UsageError


def test_nothing_set_is_sqlite_and_local_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = service_settings({})
    data = tmp_path / "observer-data"
    assert made.data == data
    assert made.database_url == f"sqlite:///{data}/observer.sqlite"
    assert made.job_database_url == f"sqlite:///{data}/jobs.sqlite"
    assert made.storage_url == f"file://{data}/files"
    assert made.max_upload_bytes == 8 * 1024**3
    assert not made.secure_cookies
    assert not data.exists(), "reading settings makes nothing"


def test_postgresql_holds_the_jobs_too(tmp_path: Path) -> None:
    """`postgres://` and `postgresql://` are how hosts write it; psycopg 3 is what is installed."""
    for url in ("postgres://u:p@h/d", "postgresql://u:p@h/d", "postgresql+psycopg://u:p@h/d"):
        made = service_settings({"OBSERVER_DATA": str(tmp_path), "OBSERVER_DATABASE_URL": url})
        assert made.database_url == "postgresql+psycopg://u:p@h/d"
        assert made.job_database_url == made.database_url


@pytest.mark.parametrize(
    ("text", "size"),
    [("1", 1), ("500MiB", 500 * 1024**2), ("8 GiB", 8 * 1024**3), ("2tib", 2 * 1024**4)],
)
def test_sizes(text: str, size: int) -> None:
    assert service_settings({"OBSERVER_MAX_UPLOAD": text}).max_upload_bytes == size


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OBSERVER_MAX_UPLOAD", "8 GB"),  # decimal or binary? better asked than guessed
        ("OBSERVER_MAX_UPLOAD", "-1"),
        ("OBSERVER_MIN_FREE", "lots"),
        ("OBSERVER_SESSION_DAYS", "0"),
        ("OBSERVER_PUBLIC_URL", "observer.example.edu"),
        ("OBSERVER_PUBLIC_URL", "ftp://observer.example.edu"),
    ],
)
def test_what_cannot_be_understood_is_named(name: str, value: str) -> None:
    with pytest.raises(UsageError) as told:
        service_settings({name: value})
    assert name in told.value.en
    assert name in told.value.zh
    assert value in told.value.en


def test_https_makes_cookies_secure_and_metrics_have_addresses() -> None:
    made = service_settings(
        {
            "OBSERVER_PUBLIC_URL": "https://observer.example.edu/",
            "OBSERVER_METRICS_FROM": "10.0.0.5, 10.0.0.6,",
        }
    )
    assert made.secure_cookies
    assert made.public_url == "https://observer.example.edu"
    assert made.metrics_addresses == ("10.0.0.5", "10.0.0.6")
    assert service_settings({"OBSERVER_METRICS_FROM": ""}).metrics_addresses == ()


def test_half_a_provider_is_none() -> None:
    with pytest.raises(UsageError) as told:
        service_settings({"OBSERVER_OIDC_ISSUER": "https://idp.example"})
    assert "OBSERVER_OIDC_CLIENT_ID" in told.value.en


def test_the_clients_secret_is_not_shown() -> None:
    assert "hidden" not in repr(ServiceSettings(oidc_client_secret="hidden"))
