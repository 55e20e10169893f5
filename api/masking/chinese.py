"""Names of students in Mandarin lessons, found by what they are made of and where they stand.

A string that could be a name is given points: for its characters (a surname, characters that are
at home in names of children), for what stands before it (请, 我叫, the beginning of a sentence) and
for what follows (同学, 你来说, 非常棒). Names have `ENOUGH` points. The points were set by hand on
the train split of DialogID; `benchmarks/masking.py` measures them on other sentences. A name found
once is a name wherever it is said in the lesson, also as its given part (王梓轩, 梓轩) and when the
recogniser wrote it with other characters of the same sound (梓轩, 子萱). A name that is also an
ordinary word (晨曦) is one only where it is used as a name, unless that is mostly so.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from api.masking.characters import (
    COMMON_SURNAMES,
    COMPOUND_SURNAMES,
    PERSONS,
    PROTAGONISTS,
    RARE_SURNAMES,
    WEIGHT_1,
    WEIGHT_2,
    WEIGHT_3,
)
from api.masking.english_names import FIRST_NAMES, WORD_NAMES
from api.masking.sounds import lines_of

ENOUGH: Final = 8
"""Points from which a string is taken for a name of the lesson."""
LIKELY: Final = 7
"""Points from which it is masked where it stands: a word too many is no harm, a name is."""
TWICE: Final = 6
"""Points that are enough for a name of the lesson if a string has them in two places."""
_BESIDE: Final = 5
"""Points that are enough beside another name: names are said in rows."""
_PROPER: Final = 3
"""Points of its characters that a string needs, unless it stands between two strong cues."""
_STRONG: Final = 3
_ADDRESS: Final = 4
"""What follows is 同学 or the like: a person is meant, whatever the characters."""

_WEIGHT: Final[dict[str, int]] = (
    dict.fromkeys(WEIGHT_1, 1) | dict.fromkeys(WEIGHT_2, 2) | dict.fromkeys(WEIGHT_3, 3)
)
_SURNAME: Final[dict[str, int]] = (
    dict.fromkeys(RARE_SURNAMES, 1)
    | dict.fromkeys(COMMON_SURNAMES, 2)
    | dict.fromkeys(COMPOUND_SURNAMES, 4)
)
_RUN: Final = re.compile(f"[{''.join({*_WEIGHT, *''.join(_SURNAME)})}]{{2,}}")
_PAUSE: Final = r"，。！？、,.!?：:；;…\s“”\"「」《》（）()"

_LEFT: Final = (
    (4, r"我叫|名叫|名字叫|名字是|[他她]叫"),
    (3, r"有请|请|表扬|点名|欢迎|同桌|课代表|掌声送给|掌声给"),
    (
        2,
        rf"^|[{_PAUSE}]|[我咱]们的?|咱|叫|让|找|问|听|看到?|到了|谢谢|感谢|拜拜|祝贺|恭喜|给|跟|与|和|同意"
        r"|还有|好的?|嗯|对|那么?|这么|啊|哈|诶|唉|哎|哦|呀|呃|同学|小朋友|是|来|呢|像|组长|老师|但是?"
        r"|然后|所以|首先|接下来|下面|最后|刚才|今天",
    ),
    (1, r"的|说|了|吧|[这那]个"),
)
_RIGHT: Final = (
    (-9, r"老师|先生|女士|校长|主任|教授|爷爷|奶奶|叔叔|阿姨"),
    (4, r"小?同学(?!们)|小朋友(?!们)|宝贝(?!们)|宝宝|妈妈|爸爸|家长"),
    (
        3,
        rf"[{_PAUSE}]?(?:你来|请你|请坐|请说|请讲|请回答|你说|你觉得|你认为|你能|你看|你知道|你的|你有"
        r"|你是|你再|你先|你读|你讲|你听|你还|你|坐下|起立|站起来)|来说|来回答|来讲|来读|来试|来给|来帮"
        r"|来概括|来补充|来评|上来|上台|举手|同意",
    ),
    (
        2,
        r"(?:也|都)?(?:非常|很棒|真棒|特别|很好|不错|太棒|最棒|棒棒|优秀)|[说讲读写做答画背算想学念][得的]|回答|的(?:想法|答案|方法|意见"
        r"|发言|回答|作业|作品|笔记|声音|问题|意思)|说|认为|觉得|提到|再见|你好|告诉|刚才|来|已经|也|都"
        r"|老师好|自己|继续|接着|先来?|早上好|晚上好|[上下]午好|拜拜|可以|能不能|能|你|有没有",
    ),
    (1, rf"[{_PAUSE}]|$|和|跟|与|呢|吧|啊|呀|哈"),
)
_LEFTS: Final = tuple((points, re.compile(f"(?:{p})$")) for points, p in _LEFT)
_RIGHTS: Final = tuple((points, re.compile(p)) for points, p in _RIGHT)
_CALLS: Final = re.compile(r"你来|你[说讲读]|来[说讲读试回]|小?同学|小朋友")
_VOCATIVE: Final = re.compile(r"[，,、。！？?]\s*(?:请?你来|请坐|你[说讲读]|你觉得|来[说讲读回])")
_CALLED: Final = (
    re.compile(
        rf"(?:^|[{_PAUSE}]|有?请|让|叫|[我咱]们的?|还有|看到?|听|表扬|我叫|给|跟|和|对|嗯|那|来|好|啊)"
        rf"([{COMMON_SURNAMES}][\u4e00-\u9fff]{{2}})"
        r"(?=小?同学(?!们)|小朋友(?!们)|宝贝(?!们)|(?:也|都)?(?:非常[棒好不]|很[棒好]|[真太]棒|特别[棒好]|不错)"
        r"|[说讲读写答][得的]|你?来[说讲读回]|你好)"
    ),
    re.compile(
        rf"(?:^|[{_PAUSE}]|请|[我咱]们的?|还有|看到)([{COMMON_SURNAMES}][\u4e00-\u9fff])"
        r"(?=小?同学(?!们)|小朋友(?!们)|宝贝(?!们))"
    ),
)
"""A surname and characters of any kind between two cues: 请赵彦色同学."""
_LATIN: Final = re.compile(r"(?<![A-Za-z])[A-Z][a-z]{2,}(?![A-Za-z])")
"""Lily，你来读: in lessons of English pupils have English names."""
_TAUGHT: Final = re.compile("|".join(sorted(PERSONS, key=lambda name: (-len(name), name))))
_NO_PET_NAMES: Final = frozenset("小心 小声 小时 小结 小数 小学 小于 小节".split())
NO_GIVEN: Final = frozenset("的了吗呢吧着过们个些这那哪有没在是就也都还再不很最太你我他它她什么谁")
"""Characters that are in no name."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A string that may be a name, where it stands in its sentence, and its points."""

    start: int
    end: int
    name: str
    points: int
    called: bool = False
    """Whether a form of address follows."""


@cache
def _words() -> frozenset[str]:
    return frozenset(
        word for line in lines_of("words.txt") for word in line.split() if len(word) > 1
    )


def is_word(text: str) -> bool:
    """Whether a string is an ordinary word too."""
    return text in _words()


def is_surname(text: str) -> bool:
    """Whether a string is a surname."""
    return text in _SURNAME


def given_name(name: str) -> str:
    """The given name of two characters in a full name; empty where there is none."""
    surname, given = name[:-2], name[-2:]
    return given if surname in _SURNAME else ""


@cache
def likeness(name: str) -> int:
    """Points of a string of two to four characters for what it is made of; -9: it is no name."""
    found = made_of(name)
    if name in _words():
        found -= 6 if len(name) > 2 else 3 if found >= 6 else 4
    return found


@cache
def made_of(name: str) -> int:
    """Points of a string for its characters, whether or not it is an ordinary word too."""
    return max(_as_full(name, 1), _as_full(name, 2), _as_given(name))


def _as_full(name: str, length: int) -> int:
    """As a surname of `length` characters with a given name behind it."""
    surname, given = name[:length], name[length:]
    weights = [_WEIGHT.get(c, 0) for c in given]
    if surname not in _SURNAME or len(given) not in (1, 2) or 0 in weights:
        return -9
    points = _SURNAME[surname] + sum(weights)
    if len(given) == 1:
        return points
    points += 2 if given[0] == given[1] else 1
    if given in _words() and sum(weights) < 6:
        points -= 3
    if length == 1 and name[:2] in _words() and (sum(weights) < 4 or weights[1] < 3):
        points -= 3
    return points


def _as_given(name: str) -> int:
    """As a given name of two characters, or a pet name: 小雨."""
    weights = [_WEIGHT.get(c, 0) for c in name]
    if len(name) != 2 or 0 in weights or name in _NO_PET_NAMES:
        return -9
    return sum(weights) + (min(weights) > 1) + (name[0] == name[1] or name[0] == "小")


def spots(text: str, following: int = 0) -> list[Spot]:
    """Strings of a sentence that may be names, the likeliest first; they may overlap.

    `following`: points for a name at the very end (a student answers next).
    """
    found = []
    for run in _RUN.finditer(text):
        for start in range(run.start(), run.end() - 1):
            for end in range(start + 2, min(run.end(), start + 4) + 1):
                spot = _spot(text, start, end, following)
                if spot is not None:
                    found.append(spot)
    for cue in _CALLED:
        for match in cue.finditer(text):
            name = match[1]
            if text[max(0, match.start(1) - 1) : match.start(1) + 1] in _words():
                continue  # 对于|企业来说
            if not (NO_GIVEN & set(name) or {name, name[:2], name[1:]} & _words()):
                found.append(Spot(match.start(1), match.end(1), name, ENOUGH))
    for match in _LATIN.finditer(text):
        if match[0].lower() in FIRST_NAMES - WORD_NAMES:
            points = _PROPER + cues(text, *match.span())
            found.append(Spot(match.start(), match.end(), match[0], points))
    taught = [m.span() for m in _TAUGHT.finditer(text)]
    if taught:
        found = [s for s in found if s.called or not any(_overlap(s, *span) for span in taught)]
    return sorted(found, key=lambda s: (-s.points, s.start - s.end, s.start))


def _overlap(spot: Spot, start: int, end: int) -> bool:
    return spot.start < end and spot.end > start


def _spot(text: str, start: int, end: int, following: int) -> Spot | None:
    name = text[start:end]
    like = likeness(name)
    bare = made_of(name)
    if max(like, bare) < 2:
        return None
    before, after = _points(_LEFTS, text, start), _points(_RIGHTS, text, end)
    if like < bare and _is_called(text, end, bare, before, after):
        like = bare
    if like < 2 or (like < _PROPER and min(before, after) < _STRONG):
        return None
    if name in PROTAGONISTS:
        if after < _STRONG or before < 2:
            return None
        like += 2
    points = like + before + after - _torn(text, start, end)
    if following and not text[end:].strip("，。！？、,.!?…啊呀呢吧 "):
        points += following
    return Spot(start, end, name, points, after >= _ADDRESS)


def cues(text: str, start: int, end: int) -> int:
    """Points of what stands around a stretch, whatever it is made of."""
    return _points(_LEFTS, text, start) + _points(_RIGHTS, text, end)


def _is_called(text: str, end: int, made: int, before: int, after: int) -> bool:
    """Whether an ordinary word is used as a name: 请晨曦来读, 浩然同学, 明明，你说."""
    if before >= _STRONG and after >= _STRONG and made >= _PROPER:
        return _CALLS.match(text, end) is not None
    if after >= _ADDRESS and made >= _PROPER and (before >= 2 or made > _PROPER):
        return True
    return before >= 2 and made >= _PROPER and _VOCATIVE.match(text, end) is not None


def _points(cues: Iterable[tuple[int, re.Pattern[str]]], text: str, at: int) -> int:
    if cues is _RIGHTS:
        return next((points for points, cue in cues if cue.match(text, at)), 0)
    before = text[max(0, at - 4) : at]
    return next((points for points, cue in cues if cue.search(before)), 0) if at else 2


def _torn(text: str, start: int, end: int) -> int:
    """What it costs that a common word would be cut in two at an edge (陈晓可|以), that a longer
    one stands around (景|德镇), or that a syllable was only stammered (越来越|越越来越)."""
    words, cost = _words(), 0
    name, before, behind = text[start:end], text[max(0, start - 1) : start], text[end : end + 1]
    if _WEIGHT.get(name[-1], 0) < 3 and name[-1] + behind in words:
        cost = 4 if _WEIGHT.get(name[-1], 0) < 2 else 2
    if before and before + name[0] in words and made_of(name) < ENOUGH:
        cost += 4 if _WEIGHT.get(name[0], 0) < 2 else 1
    longer = (before and before + name, behind and name + behind)
    if len(name) == 2 and any(part in words for part in longer):
        cost += 4
    if name[0] == name[1] and name[0] in (before, behind):
        cost += 4
    return cost


def chosen(found: Sequence[Spot], least: int = LIKELY) -> list[Spot]:
    """Of spots, the likeliest first, those with `least` points that do not overlap."""
    taken: list[Spot] = []
    for spot in found:
        if spot.points < least:
            break
        if _is_free(spot, taken):
            taken.append(spot)
    beside = [s for s in found if _BESIDE <= s.points < least]
    for spot in beside:  # 周以宁郑明澈何欣妍很棒
        touches = any(spot.end == other.start or spot.start == other.end for other in taken)
        if touches and _is_free(spot, taken):
            taken.append(replace(spot, points=least))
    return taken


def _is_free(spot: Spot, taken: Iterable[Spot]) -> bool:
    return not any(_overlap(spot, other.start, other.end) for other in taken)
