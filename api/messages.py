"""How a command speaks: in which language, and that it failed or was stopped."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from api.settings import environment
from observer.errors import EngineError, Language, ObserverError


def language_asked(asked: str | None = None) -> Language:
    """What `--report-language` says, else the machine's language, else Chinese.

    Raises typer.BadParameter for another language.
    """
    chosen = asked or environment().language or "zh"
    if chosen == "zh":
        return "zh"
    if chosen == "en":
        return "en"
    raise typer.BadParameter(f"{chosen!r} is neither zh nor en", param_hint="--report-language")


@contextmanager
def told_in(language: Language) -> Iterator[None]:
    """Errors become one message and an exit code; a polite kill is treated as Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except ObserverError as error:
        typer.echo(error.text(language), err=True)
        raise typer.Exit(error.exit_code) from error
    except _away() as error:
        reason = str(getattr(error, "orig", error)).strip().splitlines()[0]
        typer.echo(_AWAY[language].format(reason=reason), err=True)
        raise typer.Exit(EngineError.exit_code) from error
    except KeyboardInterrupt:
        typer.echo(
            {
                "en": "Stopped. Run the same command again: finished stages are not done again.",
                "zh": "已停止。再次运行同一命令即可继续，已完成的阶段不会重做。",
            }[language],
            err=True,
        )
        raise typer.Exit(130) from None


def _away() -> tuple[type[Exception], ...]:
    """What a database raises that does not answer; its library is loaded if it was asked."""
    library = sys.modules.get("sqlalchemy.exc")
    return () if library is None else (library.OperationalError,)


_AWAY: dict[Language, str] = {
    "en": "The database does not answer: {reason}\nSee that it runs and that OBSERVER_DATABASE_URL"
    " names it; then run the same command again, nothing is lost.",
    "zh": "数据库没有响应：{reason}\n请确认数据库正在运行、OBSERVER_DATABASE_URL 填写正确，"
    "然后再次运行同一命令；数据不会丢失。",
}
