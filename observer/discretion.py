"""What a report never says: it names no student, gives no score and no rank (FIELD.md §7, §9)."""

import re
from collections.abc import Sequence
from typing import Final

_SURNAMES: Final = (
    "赵钱孙李周吴郑王冯陈杨朱秦许何吕张孔曹严华金魏陶姜谢邹窦章苏潘葛范彭鲁韦马方袁柳史唐"
    "薛贺罗毕郝安常傅齐康伍余顾孟黄萧尹姚邵汪毛戴宋熊纪舒屈项祝董梁杜阮蓝季贾路江童颜郭梅"
    "林钟徐邱骆高夏蔡田胡凌霍万柯卢莫丁邓洪包左石崔龚程邢裴陆荣翁段侯武刘叶黎白蒲赖卓池乔"
    "温庄曾沙"
)
"""Frequent Chinese surnames that seldom begin another word before 同学."""

_PERSONS: Final = (
    re.compile(rf"[{_SURNAMES}][\u4e00-\u9fff]{{0,2}}同学"),
    re.compile(r"小[\u4e00-\u9fff]同学"),
    re.compile(r"(学生|同学|生)\s?[A-Z0-9甲乙丙丁]+(?![A-Za-z])"),
    re.compile(r"\b([Ss]tudent|[Pp]upil)\s+([A-Z0-9]\w*|no\.\s*\d+)"),
    re.compile(r"\b(boy|girl|child|student|pupil)\s+(named|called)\s"),
)
_VERDICTS: Final = re.compile(
    r"得分|评分|打分|总分|排名|名次|第[一二三]名|\d+\s?分(?![钟之])"
    r"|\b(scored?|scores|rank(ed|ing|s)?|out of (10|100))\b|/100\b",
    re.IGNORECASE,
)
_COMMON: Final = frozenset(
    {"student", "students", "pupil", "teacher", "class", "学生", "生", "同学", "教师", "师", "全班"}
)
"""Speaker labels that name a part, not a person."""


def names_person(text: str, speakers: Sequence[str] = ()) -> bool:
    """Whether `text` points at one student: by form of address, by number, or by a label.

    `speakers` are the labels that student voices carry in the transcript; they may be names.
    """
    return any(p.search(text) for p in _PERSONS) or any(_mentions(text, s) for s in speakers)


def gives_verdict(text: str) -> bool:
    """Whether `text` scores or ranks."""
    return _VERDICTS.search(text) is not None


def _mentions(text: str, speaker: str) -> bool:
    """Whether `speaker` stands in `text` as a word of its own (Chinese has no word bounds)."""
    name = speaker.strip()
    if len(name) < 2 or name.lower() in _COMMON:
        return False
    bound = r"\b" if name.isascii() else ""
    return re.search(f"{bound}{re.escape(name)}{bound}", text) is not None
