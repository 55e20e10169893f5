"""Speaker labels → roles: the tables, as data, and nothing else.

Three kinds of label: one that *declares* a role (师, Teacher, 学生甲, Ss), a *machine* label
that tells voices apart without saying who they are (说话人 2, SPEAKER_00), and everything
else, which is taken for a person's name. Names of students are never kept (see speakers.py).
"""

import re
import unicodedata

from observer.timeline import Role

_CN = "一二三四五六七八九十"
_STEM = "甲乙丙丁戊己庚辛"

_TOGETHER = r"(?:一?齐|集体|共同|合)(?:声|答|读|说|背|唱|诵|呼|喊|体|回答)*"
_SOME = r"(?:部分|许多|不少|一些|多个|多名|多位|几个|几名|几位|两个|两名|有的)"

DECLARED: tuple[tuple[Role, str], ...] = (
    # The order matters: 学生们 and 众生 are a choir before they are students.
    (
        Role.CHORAL,
        rf"(?:众|全体|全班|所有|{_SOME})(?:师生|学生|同学|人|生)?们?\s*\(?(?:{_TOGETHER})?\)?|全生|大家"
        rf"|(?:众|齐)(?:生|答|声|读|说)+|生们|众|合|师生"
        rf"|(?:学生|同学|师生|生)们?\s*\(?(?:[们众]|{_TOGETHER})\)?|{_TOGETHER}"
        r"|(?:生|学生|同学)\s*\((?:众|全体|全班|集体|一?齐.{0,3}|合)\)|(?:学生|同学)们"
        r"|s['’]?s|all(?: (?:students|pupils|the class|together))?|(?:whole )?class|everyone"
        r"|students|pupils|children|learners|choral|chorus|unison|(?:multiple|many|several|various)"
        r" (?:students|pupils|voices)",
    ),
    (
        Role.GROUP,
        rf"(?:各|每)?小?组(?:\s*[\d{_CN}a-z])?(?:讨论|合作|活动)?|第[\d{_CN}]+小?组"
        rf"|(?:[\d{_CN}]+|[a-z{_STEM}]|[两{_CN}]人)小?组"
        r"|groups?(?: ?(?:work|talk|\d+|[a-z]))?|small groups?|table ?\d+",
    ),
    (
        Role.MEDIA,
        r".{0,4}(?:视频|音频|录音|录像)|广播|课件|(?:多)?媒体|旁白|动画|微课|影片|歌曲|音乐|范读"
        r"|video|audio|media|recording|narrator|film|clip|playback|music",
    ),
    (
        Role.TEACHER,
        rf"师\s*[\d{_CN}]?|.{{0,6}}?(?:老师|教师|教授|导师|讲师)(?:\s*\(.{{1,6}}\))?"
        rf"|[老教]师\s*[\d{_CN}{_STEM}a-z]|(?:老师|教师)[ _·-]+.{{1,8}}|(?:特|高)级教师.{{1,4}}"
        rf"|(?:助|外)教\s*[\d{_CN}]?|教练"
        r"|主讲(?:人|者)?|主讲教?师?|执教(?:者|人)?|授课(?:人|者)?|任课|班主任|校长"
        r"|t\s?\d?|tr|tchr|teach(?:er)?(?:[ _-].*|\d+)?|.+ teacher|instructor.*|tutor.*|lecturer.*"
        r"|professor.*|prof\b.*|facilitator|educator|co-?teacher|ta|teaching assistant.*|coach"
        r"|(?:mr|mrs|ms|miss|mx|dr|sir|madam)\b[. ]*.*",
    ),
    (
        Role.STUDENT,
        rf"(?:某|另|个别|又|发言|回答|提问)?[一]?(?:\d+号|个|名|位)?(?:男|女)?(?:学?生|同学|学员|孩子|幼儿)"
        rf"\s*\(?[\d{_CN}{_STEM}a-z男女]{{0,3}}号?\)?"
        r"|(?:学生|同学)[ _:·-]*.+|(?:生|学生|同学)\s*\(.{1,8}\)|.{1,8}(?:同学|小朋友)"
        r"|(?:学困|优等|中等|后进|特长)生|\d+号"
        r"|小?组长|课代表|班长|(?:小组|学生)?代表|小朋友"
        r"|s\s?[\d]{0,3}|s[a-hn]|st\s?\d*|stu\s?\d*|(?:fe)?male student ?\w?"
        r"|(?:boy|girl|child|kid)\s?\w{0,2}"
        r"|(?:new |another |unknown |unidentified )?(?:student|pupil|learner)(?:[ _#-].*|\d+)?"
        r"|(?:target[ _])?child|classmate|kchi|och|chi",
    ),
)
"""Role → full-match pattern on a normalised label, tried in this order."""

OUTSIDER = (
    r"家长|.{0,4}(?:妈妈|爸爸)|嘉宾|来宾|评委|专家|观察员|研究员|研究者|记者|摄像师?|工作人员|采访者"
    r"|parents?|mother|father|mom|mum|dad|grandmother|grandfather|visitor|researcher|observer"
    r"|interviewer|investigator|camera ?(?:man|person)|technician"
)
"""Labels of adults who neither teach nor learn here: they get no role, and that is said."""

NEUTRAL_STUDENT = (
    rf"(?:某|另|个别|又|发言|回答|提问)?[一]?(?:\d+号|个|名|位)?(?:男|女)?"
    rf"(?:学?生|同学|学员|孩子|幼儿)\s*\(?(?:[\d{_CN}]{{0,3}}号?|[{_STEM}a-z男女])\)?"
    r"|(?:学困|优等|中等|后进|特长)生|\d+号"
    r"|小?组长|课代表|班长|(?:小组|学生)?代表|小朋友|(?:target[ _])?child|classmate|kchi|och|chi"
    r"|s\s?\d{0,3}|s[a-hn]|st\s?\d*|stu\s?\d*|(?:boy|girl|kid|child)\s?(?:\d*|[a-z])"
    r"|(?:new |another |unknown |unidentified )?(?:(?:fe)?male )?(?:student|pupil|learner)"
    r"[ _#-]?(?:\d*|[a-z])"
)
"""Labels of students that hold no name and may be kept: 生3, 学生甲, S1, Student B."""

MACHINE = (
    r"(?:(?:unknown |unidentified )?(?:speaker|voice)|spkr?"
    r"|(?:未知|未识别)?(?:说话人|发言人|讲话人)|讲者|参会[人者]|参与者|用户|访客|角色|声音|语音"
    r"|participant|guest|user|channel|unknown|unidentified|未知|未识别)[ _:#-]*(?:\d{0,4}|[a-z])"
    r"|\d{1,4}|[a-z]"
)
"""Labels that a recogniser gives to voices it tells apart."""

NOT_SPEAKERS = frozenset(
    "注意 注 例如 比如 例 问题 问 答 答案 板书 结论 提示 小结 总结 时间 地点 主题 课题 题目 标题 "
    "关键词 教学目标 教学过程 教学重点 教学难点 教学内容 教材 年级 学科 学校 姓名 日期 会议主题 "
    "会议时间 参会人员 解 解析 证明 分析 说明 备注 评析 点评 反思 设计意图 意图 来源 作者 要求 "
    "步骤 活动 环节 note example question answer topic date time title subject http https warning "
    "summary agenda keywords location duration".split()
)
"""Words before a colon that are headings or parts of a sentence, never speakers."""

MAX_LABEL = 60
"""Characters of a label that are looked at; the patterns backtrack, and names are shorter."""

_SIMPLIFIED = str.maketrans(
    "師學眾體組錄視頻齊說話發員長個課導講練數號媽爸專語聲參會與請訪識別",
    "师学众体组录视频齐说话发员长个课导讲练数号妈爸专语声参会与请访识别",
)
"""Traditional forms of the characters that labels are made of."""

_OUTSIDER = re.compile(OUTSIDER)
_DECLARED = tuple((role, re.compile(pattern)) for role, pattern in DECLARED)
_NEUTRAL_STUDENT = re.compile(NEUTRAL_STUDENT)
_MACHINE = re.compile(MACHINE)


def normalised(label: str) -> str:
    """A label as the tables expect it: NFKC, lower case, no brackets, colons or emphasis."""
    text = unicodedata.normalize("NFKC", label[:MAX_LABEL]).casefold()
    text = text.translate(_SIMPLIFIED)
    text = re.sub(r"\s+", " ", text).strip(" \t*_-–—•:;,，。.[]【】<>《》\"'“”")
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1]
    return text.strip()


def declared_role(label: str) -> Role | None:
    """The role that a label states; None for machine labels and names."""
    text = normalised(label)
    if not text or text in NOT_SPEAKERS:
        return None
    return next((role for role, pattern in _DECLARED if pattern.fullmatch(text)), None)


def is_outsider(label: str) -> bool:
    """Whether the label is that of an adult who neither teaches nor learns (家长, parent …)."""
    return declared_role(label) is None and _OUTSIDER.fullmatch(normalised(label)) is not None


def is_machine(label: str) -> bool:
    """Whether the label only tells voices apart (Speaker 1, 说话人 2, A)."""
    text = normalised(label)
    return declared_role(label) is None and _MACHINE.fullmatch(text) is not None


def is_neutral_student(label: str) -> bool:
    """Whether a student's label holds no name and may be kept."""
    return _NEUTRAL_STUDENT.fullmatch(normalised(label)) is not None


_TITLES: dict[tuple[Role | None, str], str] = {
    (Role.TEACHER, "zh"): "老师",
    (Role.STUDENT, "zh"): "学生",
    (Role.CHORAL, "zh"): "全体学生",
    (Role.GROUP, "zh"): "小组",
    (Role.MEDIA, "zh"): "视频",
    (Role.SILENCE, "zh"): "静音",
    (None, "zh"): "说话人",
    (Role.TEACHER, "en"): "Teacher",
    (Role.STUDENT, "en"): "Student",
    (Role.CHORAL, "en"): "Class",
    (Role.GROUP, "en"): "Group",
    (Role.MEDIA, "en"): "Media",
    (Role.SILENCE, "en"): "Silence",
    (None, "en"): "Speaker",
}


def title(role: Role | None, language: str) -> str:
    """The neutral label of a role; it reads back as the same role."""
    return _TITLES[role, "zh" if language == "zh" else "en"]
