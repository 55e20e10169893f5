"""Names of students taken out of an observation before it leaves the school.

Speaker labels that are names become neutral ones. Names that are spoken are found by the forms
in which a lesson uses them: 张伟同学, 请李思来说, "Thank you, Emma.", "Emma's idea". A name found
once is replaced wherever it is said in the lesson. These are rules without a roster and they miss
some: a given name alone in Chinese (思琪，你来说), a name said only in passing, a name that the
recogniser wrote with other characters. `names` adds those that the school knows. Measured
figures stand in benchmarks/masking.py.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from observer.formats.labels import (
    declared_role,
    is_machine,
    is_neutral_student,
    is_outsider,
    title,
)
from observer.observation import Observation
from observer.timeline import Role
from observer.transcript import Transcript, Utterance

MASK: Final = {"zh": "某同学", "en": "[name]"}
"""What stands for a name, by the language of the transcript."""

_SURNAME: Final = (
    "(?:欧阳|上官|司马|诸葛|司徒|东方|皇甫|尉迟|令狐|慕容"
    "|[赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜戚谢邹喻柏窦章苏潘葛奚范彭郎鲁"
    "韦昌马苗凤方俞任袁柳鲍史唐费廉岑薛雷贺倪汤滕殷罗毕郝邬安常乐于傅皮卞齐康伍余顾孟黄穆萧尹姚邵汪毛"
    "禹狄米贝臧计成戴谈宋庞熊纪舒屈项祝董梁杜阮蓝闵席季贾路娄江童颜郭梅盛林刁钟徐邱骆高夏蔡田樊胡凌霍"
    "虞万柯管卢莫房裘缪解应宗丁宣邓郁杭洪包左石崔吉龚程邢裴陆荣翁荀羊惠曲封储靳段焦侯秋仲伊宫宁仇"
    "甘厉祖武刘景龙叶司黎薄印白蒲赖卓蔺屠池乔阴胥闻党翟谭姬申冉桑桂牛边燕尚农温庄柴瞿阎连艾容向古易"
    "廖步耿文寇广阙东欧沃利蔚越巩聂晁冷辛阚饶曾沙丰关查游岳佘肖涂])"
)
_GIVEN: Final = (
    "[^\\W\\d_a-zA-Z的了位个些这那哪们里有没在是来去说和还都谁其他么全各每男女老"
    "得着过把被给部下预就也很最不你我他她它请同学生]"
)
_NAME: Final = f"({_SURNAME}{_GIVEN}{{1,2}}?)"
_ASKED: Final = "(?:你?来|你?回答|你?说|你?读|站起|起来|上来|发言|到前面|继续|补充|帮|给大家|试)"
_CHINESE: Final = (
    re.compile(rf"{_NAME}(?:小?同学|小朋友)"),
    re.compile(rf"(?:请|叫|让|找|有请){_NAME}{_ASKED}"),
    re.compile(
        rf"(?:^|[，。！？,.!?\s]){_NAME}[，,、]?(?:你来|请你|你说|你觉得|你认为|来说|来回答|请坐)"
    ),
    re.compile(
        rf"(?:^|[，。！？,.!?\s]){_NAME}(?:的(?:想法|答案|方法|意思|发言|回答)|(?:说|回答|讲)得)"
    ),
)
_ADDRESSED: Final = re.compile(rf"(?:{_SURNAME}|小{_GIVEN})(?={'同学'})")
"""王同学, 小明同学: only together with the form of address."""
_WORDS: Final = frozenset(
    "高兴 高声 安静 安全 方法 方程 方向 方面 金属 温度 于是 平行 周长 周期 周围 "
    "常常 常见 成立 成功 成员 万一 毛病 白天 白色 黄色 马上 牛顿 江河 石头 余数 "
    "余下 应用 应该 连接 连续 全部 全班 全体 班长 班级 左边 左右 古诗 古代 华人 "
    "文章 文字 计算 计划 解释 解决 解答 解法 关键 关系 关于 广泛 向上 向前 边长 "
    "边上 温习 章节 路程 路线 管理 管道 东边 东西 容易 容量 利用 农民 师傅 师生 "
    "景色 景物 封闭 段落 丰富 游戏 查找 包括 包含 何时 何处 单位 许多 曲线 任务 "
    "任何 路上 田地 花园 夏天 秋天 童话 童年 龙舟 冷静 党员 司机 叶子 印象 习题 "
    "祖先 武汉 武器 越来 祝贺 盛开 江南 方案 谈谈 游客 时间 古人 文中 石子 施工 "
    "项目 康复 易错 容器 应当 利润 向量 向右 向左 成为 成果 解题 解方 解得 计时 "
    "乐于 乐观 关注 关心 关上".split()
)
"""Words that begin like a surname and stand where a name could."""

_NAME_EN: Final = r"([A-Z][a-z]{2,}(?:-[A-Z][a-z]+)?)"
_ENGLISH: Final = (
    re.compile(rf",\s+{_NAME_EN}(?=[.?!,])"),
    re.compile(rf"^{_NAME_EN}(?=[,?!.]?$|,)"),
    re.compile(
        r"(?i:thank you|thanks|good job|nice job|great job|go ahead|yes|yeah|okay|ok|hey|hi|hello"
        rf"|right|well done|all right|alright|so|and|let's hear from|like|what|how) {_NAME_EN}"
        r"(?=[.?!,]|$|'s\b)"
    ),
    re.compile(
        rf"\b{_NAME_EN}(?:'s (?:idea|answer|way|method|group|turn|paper|solution|strategy|question"
        r"|point|thinking|hand)| (?:said|says|thinks|thought|asked|wants|shared|told|noticed"
        r"|explained|raised|brought up|pointed out|did|got|came up)\b)"
    ),
    re.compile(
        r"\b(?:agree with|disagree with|work with|with|call on|hear from|ask|let|let's let|did|does"
        rf"|can|could|would|has|is|was|what|when|until|for|hold on|wait) {_NAME_EN}\b(?! [A-Z])"
    ),
)
_TITLED: Final = re.compile(r"\b(?:Mr|Mrs|Ms|Miss|Dr|Prof)\.?\s+([A-Z][a-z]+)")
_NO_NAMES: Final = frozenset(
    """about absolutely actually all alright also and another any anybody anyone anything are
    awesome basically because boy boys but bye can class come cool correct could did does done
    don eight eleven english even every everybody everyone exactly excellent fantastic fifteen
    fifty five for four friday friends from gentlemen girls give good goodness got great guys
    had half have hello here hey him hmm hold how huh hundred just kay kids ladies lastly let
    like listen look maybe mhm monday more most mom dad much name negative never next nice nine
    nobody none nope not nothing now numerator okay once one only our out perfect perhaps please
    positive question raise ready really remember right saturday say second see seven she shh
    show six some somebody someone something sorry south north east west stop sunday super sure
    table ten thank thanks that the their them then there these they thing think third thirty
    this those thousand three thursday times today together tomorrow tuesday twelve twenty two
    uhm umm under very wait was watch wednesday well were what when where which while who whoa
    whole why will with wonderful work would wow yay yeah yep yes yesterday you your zero
    chinese american mathematics math maths science history january february march april june
    july august september october november december fractions student students teacher sir
    mrs microphone however fourteen sixteen thirteen seventeen seventy ninety eighteen nineteen
    forty eighty sixty hundredths thirds fourths fifths sixths tenths halves oops hum ahh ahhh ohh
    ooh mmm hmph haha beautiful easy quick louder distance circle square space plus stand
    understand anyway approximately mostly obviously originally honestly otherwise infinitely
    eventually indeed similarly finally altogether conversely alternatively straight parallel
    slope multiplication division addition subtraction vocabulary decreasing increasing errors
    finished since man guess careful interesting brilliant lovely amazing correctly usually
    because true false half exactly reward assistance first second last next
    miss okey hooray god lord gosh jeez america china europe africa asia earth moon sun""".split()
)


def masked(observation: Observation, names: Sequence[str] = ()) -> Observation:
    """The observation without names of students; times, labels and figures are untouched.

    `names` are taken out wherever they are said, besides those that the rules find. Word times
    of a sentence that changed are dropped, since they spell the name.
    """
    transcript = observation.transcript
    found = names_in(transcript, names)
    mask = MASK["zh" if transcript.language == "zh" else "en"]

    def clean(text: str) -> str:
        return _replaced(text, found, mask)

    utterances = [_masked(u, clean(u.text), transcript.language) for u in transcript]
    recording, made = observation.recording, observation.provenance
    return replace(
        observation,
        transcript=transcript.with_utterances(utterances),
        claims=tuple(replace(c, text=clean(c.text)) for c in observation.claims),
        recording=recording and replace(recording, name=clean(recording.name)),
        provenance=replace(made, notes=tuple(clean(n) for n in made.notes)),
    )


def names_in(transcript: Transcript, names: Sequence[str] = ()) -> tuple[str, ...]:
    """Names of students in the transcript, the longest first."""
    labels = {u.speaker for u in transcript if u.speaker and _is_name(u)}
    found = {n.strip() for n in (*names, *labels) if len(n.strip()) > 1}
    texts = [u.text for u in transcript]
    found |= _chinese(texts) if transcript.language == "zh" else _english(texts)
    return tuple(sorted(found, key=lambda n: (-len(n), n)))


def _is_name(utterance: Utterance) -> bool:
    """Whether the speaker's label may be the name of a student."""
    label = utterance.speaker or ""
    if utterance.role not in (Role.STUDENT, None) or is_machine(label) or is_outsider(label):
        return False
    if label.startswith("voice ") or is_neutral_student(label):
        return False
    return utterance.role is Role.STUDENT or declared_role(label) is None


def _masked(utterance: Utterance, text: str, language: str) -> Utterance:
    speaker = title(utterance.role, language) if _is_name(utterance) else utterance.speaker
    if text == utterance.text:
        return replace(utterance, speaker=speaker)
    return replace(utterance, text=text, words=(), speaker=speaker)


def _chinese(texts: Iterable[str]) -> set[str]:
    found = {m for text in texts for rule in _CHINESE for m in rule.findall(text)}
    return {n for n in found if n not in _WORDS and n[:2] not in _WORDS}


def _english(texts: Sequence[str]) -> set[str]:
    found = {m for text in texts for rule in _ENGLISH for m in rule.findall(text)}
    lower = {w for text in texts for w in re.findall(r"\b[a-z]{3,}\b", text)}
    titled = {m for text in texts for m in _TITLED.findall(text)}
    return {n for n in found if n not in titled and n.lower() not in lower | _NO_NAMES}


def _replaced(text: str, names: Sequence[str], mask: str) -> str:
    for name in names:
        if name.isascii():
            text = re.sub(rf"\b{re.escape(name)}\b", lambda _: mask, text)
        else:
            text = re.sub(rf"{re.escape(name)}(?:小?同学|小朋友)?", lambda _: mask, text)
    return _ADDRESSED.sub("某", text) if mask == MASK["zh"] else text
