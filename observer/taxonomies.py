"""The label sets as data: code, Chinese and English name, definition, example, source.

A change of meaning raises `VERSION`; labels in old observations keep the version they had.
"""

from dataclasses import dataclass

VERSION = "1"


@dataclass(frozen=True, slots=True)
class Code:
    """One label of a taxonomy."""

    code: str
    zh: str
    en: str
    definition_zh: str
    definition_en: str
    example: str


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """A set of labels of which an utterance gets exactly one."""

    name: str
    zh: str
    en: str
    source: str
    codes: tuple[Code, ...]

    def __getitem__(self, code: str) -> Code:
        for item in self.codes:
            if item.code == code:
                return item
        raise KeyError(f"{self.name} has no code {code!r}; known: {[c.code for c in self.codes]}")


_CODEBOOK = "question codebook v1 after Wang Lu's evidence-based observation set and 四何"

QUESTION_FORM = Taxonomy(
    "question_form",
    "提问形式",
    "form of question",
    _CODEBOOK,
    (
        Code(
            "none",
            "非提问",
            "no question",
            "陈述、指令、表扬、朗读；不要求学生作答。",
            "Telling, directing, praising, reading out: no answer is expected.",
            "翻到第三页。",
        ),
        Code(
            "real",
            "真实提问",
            "real question",
            "期待学生以内容作答，包括没有疑问词的口头邀请。",
            "A student is expected to answer with content, prompts without a question word too.",
            "三角形的内角和是多少？",
        ),
        Code(
            "tag",
            "附加问",
            "tag question",
            "只求认同或确认：对不对、是不是、明白吗。",
            "Only agreement or compliance is sought.",
            "这样就对了，是不是？",
        ),
        Code(
            "self",
            "自问自答",
            "self-answered question",
            "说话人随即自己作答，或为反问。",
            "The speaker answers it at once, or it is rhetorical.",
            "等于什么呢？等于五。",
        ),
    ),
)

QUESTION_DEMAND = Taxonomy(
    "question_demand",
    "提问类型",
    "cognitive demand",
    _CODEBOOK,
    (
        Code(
            "manage",
            "常规管理性",
            "managing",
            "组织课堂、程序或技术性的问题。",
            "Procedural, organisational, technical or personal.",
            "谁来回答？",
        ),
        Code(
            "recall",
            "记忆性",
            "recall",
            "回忆或读出事实、名称、公式或简单一步的结果。",
            "Recall or read off a fact, name, formula or one simple step.",
            "这个角是多少度？",
        ),
        Code(
            "reason",
            "推理性",
            "reasoning",
            "解释、比较、推断、说明方法或多步求解。",
            "Explain, compare, infer, justify, describe a method.",
            "为什么相等？",
        ),
        Code(
            "create",
            "创造性",
            "creating",
            "设计、想象、假设、举新例或另寻方法。",
            "Design, imagine, hypothesise, find a new example or another way.",
            "你还能想出别的办法吗？",
        ),
        Code(
            "judge",
            "批判性",
            "judging",
            "评价、质疑、有理由地选择。",
            "Evaluate, criticise, choose with reasons.",
            "你同意他的说法吗？为什么？",
        ),
    ),
)

SIHE = Taxonomy(
    "sihe",
    "四何",
    "four kinds (what, why, how, what if)",
    _CODEBOOK,
    (
        Code(
            "what",
            "是何",
            "what",
            "事实、定义、事物、人、时、地、数量。",
            "Fact, definition, thing, who, where, when, which, how many.",
            "什么叫三角形？",
        ),
        Code(
            "why",
            "为何",
            "why",
            "原因、目的、原理、依据。",
            "Cause, reason, purpose, principle, evidence.",
            "为什么要先通分？",
        ),
        Code(
            "how",
            "如何",
            "how",
            "方法、步骤、过程。",
            "Method, procedure, process.",
            "这道题怎么做？",
        ),
        Code(
            "whatif",
            "若何",
            "what if",
            "条件改变或假设、预测、迁移到新情境。",
            "A changed or assumed condition, prediction, transfer.",
            "如果没有摩擦力会怎样？",
        ),
    ),
)

OPENNESS = Taxonomy(
    "openness",
    "开放程度",
    "openness",
    _CODEBOOK,
    (
        Code(
            "open",
            "开放",
            "open",
            "可接受的答案不止一个，且不止一两个词。",
            "More than one acceptable answer and more than a word or two.",
            "你有什么发现？",
        ),
        Code(
            "closed",
            "封闭",
            "closed",
            "答案唯一或只需一两个词。",
            "One acceptable answer, or a word or two.",
            "三加四等于几？",
        ),
    ),
)

FEEDBACK = Taxonomy(
    "feedback",
    "教师反馈",
    "teacher's feedback",
    "Sinclair and Coulthard's third move (evaluation / follow-up), lexical reading v1",
    (
        Code(
            "none",
            "无反馈",
            "none",
            "不是对学生回答的反馈。",
            "Not a response to a student's answer.",
            "我们看下一题。",
        ),
        Code(
            "praise",
            "肯定",
            "affirming",
            "肯定或表扬学生的回答。",
            "Affirms or praises a student's answer.",
            "很好，说得完整。",
        ),
        Code(
            "negate",
            "否定",
            "correcting",
            "指出回答不正确。",
            "Says that an answer is not right.",
            "不对，再想一想。",
        ),
        Code(
            "repeat",
            "重复",
            "repeating",
            "重复学生的原话。",
            "Repeats the student's words.",
            "哦，六十度。",
        ),
        Code(
            "probe",
            "追问",
            "probing",
            "就学生的回答继续追问。",
            "Asks on from the student's answer.",
            "你是怎么想到的？",
        ),
    ),
)

TAXONOMIES = {t.name: t for t in (QUESTION_FORM, QUESTION_DEMAND, SIHE, OPENNESS, FEEDBACK)}
