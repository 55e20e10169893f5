"""Clock times as transcripts write them, and back: 1:02:05, 00:03.2, 12,5, 1小时2分9秒."""

import re
import unicodedata

from observer.timeline import Seconds

CLOCK = r"(?:\d{1,3}[:：])?\d{1,3}[:：]\d{2}(?:[.,]\d{1,3})?"
"""Regular expression of a clock time with at least minutes and seconds."""

_CLOCK = re.compile(r"(?:(\d{1,3}):)?(\d{1,3}):(\d{1,2})(?:[.,](\d{1,6}))?")
_SPOKEN = re.compile(
    r"(?:(\d+)\s*(?:小时|h))?\s*(?:(\d+)\s*(?:分钟?|min|m))?\s*(?:(\d+(?:\.\d+)?)\s*(?:秒|s))?"
)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)?")


def parse_clock(text: str) -> Seconds | None:
    """Seconds of a clock time or a plain number of seconds; None when it is neither.

    Minutes and seconds must be below 60 where a larger unit stands before them, so that
    "00:75:10" is refused and "75:10" (minutes and seconds) is read.
    """
    if len(text) > LONGEST_CLOCK:
        return None
    text = unicodedata.normalize("NFKC", text).strip().strip("[]()").strip()
    if match := _CLOCK.fullmatch(text):
        return _clock_seconds(*match.groups())
    if _NUMBER.fullmatch(text):
        return float(text.replace(",", "."))
    match = _SPOKEN.fullmatch(text)
    if match is None or not any(match.groups()):
        return None
    hours, minutes, seconds = match.groups()
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds or 0)


LONGEST_CLOCK = 40
"""Characters; longer texts are no times and are not looked at."""


def _clock_seconds(
    hours: str | None, minutes: str, seconds: str, fraction: str | None
) -> Seconds | None:
    if len(seconds) == 1 and hours is None and fraction is None:
        return None  # 3:4 is a ratio; Teams writes 0:0:3.12
    if int(seconds) > 59 or (hours is not None and int(minutes) > 59):
        return None
    whole = int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)
    return round(whole + float(f"0.{fraction or 0}"), 6)


def format_clock(seconds: Seconds, point: str = ".") -> str:
    """HH:MM:SS.mmm, rounded to the millisecond."""
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d}{point}{rest % 1000:03d}"
