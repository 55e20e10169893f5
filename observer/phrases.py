"""The sentences of the report as data: key → Chinese and English, with named gaps.

They state what was measured and, where the figures leave room, ask a question. They hold no
praise, no blame, no target and no person.
"""

from typing import Final

from observer.errors import Language

PHRASES: Final[dict[str, dict[Language, str]]] = {
    "range_share": {"zh": "在 {low} 至 {high} 之间", "en": "between {low} and {high}"},
    "range_about": {"zh": "约为 {value}", "en": "about {value}"},
    "range_seconds": {"zh": "在 {low} 至 {high} 秒之间", "en": "between {low} and {high} s"},
    "range_minutes": {
        "zh": "在 {low} 至 {high} 分钟之间",
        "en": "between {low} and {high} minutes",
    },
    "about_seconds": {"zh": "约为 {value} 秒", "en": "about {value} s"},
    "about_minutes": {"zh": "约为 {value} 分钟", "en": "about {value} minutes"},
    "to_seconds": {"zh": "不超过 {high} 秒", "en": "up to {high} s"},
    "to_minutes": {"zh": "不超过 {high} 分钟", "en": "up to {high} minutes"},
    "pair": {"zh": "{low} 与 {high}", "en": "{low} and {high}"},
    "range_count": {"zh": "{low} 至 {high}", "en": "between {low} and {high}"},
    "talk": {
        "zh": "在听到的师生发言中，教师的声音所占比例{range}。",
        "en": "Of the teacher and student speech that was heard, the teacher’s voice took {range}.",
    },
    "talk_ask": {
        "zh": "这和您为这节课设想的分配一样吗？",
        "en": "Is that the balance you had in mind for this lesson?",
    },
    "student": {
        "zh": "学生的声音（单个、齐声和小组）在全课中所占比例{range}；下面是单个声音最长的几段。",
        "en": "Students’ voices, single, in unison and in groups, took {range} of the lesson; "
        "the longest stretches of single voices are these.",
    },
    "questions": {
        "zh": "按当前的规则判读，教师提出了 {count} 个真实提问",
        "en": "Read by the present rules, the teacher asked {count} real questions",
    },
    "questions_kinds": {"zh": "，其中{kinds}。", "en": ": {kinds}."},
    "questions_plain": {"zh": "。", "en": "."},
    "questions_ask_few": {
        "zh": "记忆性的提问里，有没有一两个您想再追一个“为什么”？",
        "en": "Is there a recall question here that you would like to follow with a “why”?",
    },
    "questions_ask_many": {
        "zh": "听一听这几个要求思考的提问：学生是怎样接住的？",
        "en": "Play these questions that ask for thinking: how did the students take them up?",
    },
    "kind": {"zh": "{name} {count} 个", "en": "{count} {name}"},
    "wait_1": {
        "zh": "教师提问之后的等待有 {n} 次可以计量，中位数{range}；{reached}。",
        "en": "{n} waits after the teacher’s questions could be measured; the median is {range}, "
        "and {reached}.",
    },
    "wait_2": {
        "zh": "学生说完到教师接话，有 {n} 次停顿可以计量，中位数{range}；{reached}。",
        "en": "{n} pauses between a student’s words and the teacher’s could be measured; "
        "the median is {range}, and {reached}.",
    },
    "wait_some": {"zh": "其中 {long} 次达到 3 秒", "en": "{long} of them reached 3 s"},
    "wait_none": {"zh": "没有一次达到 3 秒", "en": "none of them reached 3 s"},
    "wait_ask_short": {
        "zh": "这些地方，有哪一处您愿意多留几秒安静？",
        "en": "At which of these places might a few more quiet seconds have been welcome?",
    },
    "wait_ask_long": {
        "zh": "听一听最长的几次：安静里发生了什么？",
        "en": "Play the longest ones: what happened in the silence?",
    },
    "exchanges": {
        "zh": "听到 {n} 段问答，其中 {chained} 段不止一轮："
        "学生回答之后，又追问、请人补充或请他重想。",
        "en": "{n} question-and-answer exchanges were found; {chained} of them went on for more "
        "than one round: after an answer the teacher asked on, called on another or sent back to "
        "think.",
    },
    "exchanges_plain": {
        "zh": "听到 {n} 段问答，都只有一轮。",
        "en": "{n} question-and-answer exchanges were found, each of a single round.",
    },
    "exchanges_ask": {
        "zh": "听一听这几段：后一次的回答有什么不同？",
        "en": "Play those: how does the later answer differ from the first?",
    },
    "choral": {
        "zh": "齐声作答或齐读的时间{range}。",
        "en": "Choral answers or reading in unison took {range}.",
    },
    "group": {
        "zh": "多人同时各自说话（小组活动的声音）的时间{range}。",
        "en": "Many voices at once, as in group work, were heard for {range}.",
    },
    "silence": {
        "zh": "没有人说话的时间所占比例{range}；下面是最长的几段。",
        "en": "Silence took {range} of the lesson; the longest silences are these.",
    },
    "silence_ask": {
        "zh": "那时大家在做什么，声音里听不出来，您一定记得。",
        "en": "What was being done then cannot be heard; you will remember.",
    },
    "st": {
        "zh": "每 {interval} 秒取样一次，教师行为占有率 Rt 在 {rt} 之间，师生行为转换率 Ch 在 {ch} "
        "之间。",
        "en": "Sampled every {interval} s, teacher behaviour Rt lies between {rt}, "
        "and the rate of change Ch between {ch}.",
    },
    "st_type": {
        "zh": "计入听错角色的可能，各类型的概率为：{types}。",
        "en": "The types, with the chance of mistaken roles counted in: {types}.",
    },
    "st_type_one": {"zh": "{name} {share}", "en": "{name} {share}"},
    "st_practice": {"zh": "练习型", "en": "practice"},
    "st_lecture": {"zh": "讲授型", "en": "lecture"},
    "st_dialogue": {"zh": "对话型", "en": "dialogue"},
    "st_mixed": {"zh": "混合型", "en": "mixed"},
    "comma": {"zh": "、", "en": ", "},
    "pace": {
        "zh": "教师说话时每分钟 {low} 至 {high} 个字。",
        "en": "While speaking, the teacher said between {low} and {high} characters a minute.",
    },
}


def phrase(key: str, language: Language, **gaps: object) -> str:
    """The sentence `key` in `language` with its gaps filled; KeyError for an unknown key."""
    return PHRASES[key][language].format(**gaps)
