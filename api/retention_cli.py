"""`observer retention`: what `observer serve` does once a day, now."""

import typer

from api.messages import language_asked, told_in
from api.settings import service_settings
from observer.errors import Language


def retention() -> None:
    """Delete lessons whose time is over, and files that belong to none. 删除到期的课及其文件。

    `observer serve` does this by itself once a day; run it by a timer where no web process runs.
    """
    language = language_asked()
    with told_in(language):
        from api.app import opened_site
        from api.retention import sweep

        with opened_site(service_settings()) as site:
            site.database.ready()
            swept = sweep(site)
        typer.echo(_DONE[language].format(swept=swept))


_DONE: dict[Language, str] = {
    "en": "{swept.lessons} lessons, {swept.files} of their files and {swept.orphans} files without"
    " a lesson were deleted.",
    "zh": "已删除 {swept.lessons} 节课、其 {swept.files} 个文件，以及 {swept.orphans} 个"
    "不属于任何课的文件。",
}
