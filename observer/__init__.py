"""Lesson observation from recordings: the domain, without engines, web or database.

`observer` declares small Protocols (:mod:`observer.engines`), the values that flow between
them, and what is measured. Engines live in `models`, programs in `api`; the arrow
``api -> models -> observer`` is enforced by ``tests/test_architecture.py``.
"""

__version__ = "0.1.0"
