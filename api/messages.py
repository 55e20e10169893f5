"""How a command tells that it failed or was stopped: one message and an exit code."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from observer.errors import Language, ObserverError


@contextmanager
def told_in(language: Language) -> Iterator[None]:
    """Errors become one message and an exit code; a polite kill is treated as Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except ObserverError as error:
        typer.echo(error.text(language), err=True)
        raise typer.Exit(error.exit_code) from error
    except KeyboardInterrupt:
        typer.echo(
            {
                "en": "Stopped. Run the same command again: finished stages are not done again.",
                "zh": "已停止。再次运行同一命令即可继续，已完成的阶段不会重做。",
            }[language],
            err=True,
        )
        raise typer.Exit(130) from None
