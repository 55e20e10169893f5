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
        "zh": "按当前的判读，教师提出了 {count} 个真实提问",
        "en": "As the sentences were read, the teacher asked {count} real questions",
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
    "moves_teacher": {
        "zh": "听出的教师对话行为里，最多的是：{moves}。",
        "en": "Of the teacher’s talk moves these were found most: {moves}.",
    },
    "moves_student": {
        "zh": "听出的学生对话行为里，最多的是：{moves}。",
        "en": "Of the students’ talk moves these were found most: {moves}.",
    },
    "moves_one": {"zh": "{name} {count} 次", "en": "{name} ({count})"},
    "semicolon": {"zh": "；", "en": "; "},
    "moves_transferred": {
        "zh": "这些行为由英语课堂的做法推移过来，未在普通话课堂验证。",
        "en": "They are carried over from English lessons and unvalidated for Mandarin.",
    },
    "moves_play_reasons": {
        "zh": "听一听追问理由的这几处：学生接着说了什么？",
        "en": "Play those that press for reasons: what did students say next?",
    },
    "moves_play_revoice": {
        "zh": "听一听转述学生想法的这几处：学生认出那是自己的意思了吗？",
        "en": "Play those that revoice an idea: did the student hear it as their own?",
    },
    "moves_ask_why": {
        "zh": "学生答完之后，有没有一处您想听听他的理由？",
        "en": "Is there an answer whose reasons you would have liked to hear?",
    },
    "moves_ask_revoice": {
        "zh": "学生的想法里，有没有一个您想用自己的话再说一遍，请他确认？",
        "en": "Is there an idea that you would like to say again in your own words and check?",
    },
    "moves_ask_relate": {
        "zh": "有没有一处，您想听听别的同学怎么看刚才那个想法？",
        "en": "Is there a place where you would like to hear what others make of that idea?",
    },
    "feedback": {
        "zh": "学生的 {n} 次发言之后，教师只作肯定的比例{only}，就学生的话追问的比例{on}。",
        "en": "After {n} turns of students, the teacher only affirmed in {only} of them and asked "
        "on from the words in {on}.",
    },
    "feedback_play": {
        "zh": "听一听追问的这几处：学生的第二次回答走到了哪里？",
        "en": "Play those that ask on: where did the second answer get to?",
    },
    "feedback_ask": {
        "zh": "下面这些回答里，有没有一处您还想接着问下去？",
        "en": "Is there one among these answers from which you would like to ask on?",
    },
    "answers": {
        "zh": "{n} 个内容性提问（含自问自答）之后，由一名学生应答的比例{student}，"
        "全班齐声应答的比例{choral}，无人应答的比例{nobody}。",
        "en": "After {n} content questions, self-answered ones included, one student answered in "
        "{student}, the class in unison in {choral}, nobody in {nobody}.",
    },
    "answers_play": {
        "zh": "听一听没有人应答的这几处：接下来发生了什么？",
        "en": "Play those that nobody answered: what happened next?",
    },
    "instruction": {
        "zh": "听出的教学用语里，最多的是：{acts}。",
        "en": "Of the instructional acts these were found most: {acts}.",
    },
    "fias": {
        "zh": "按弗兰德斯互动分析每 3 秒一次的编码，教师言语比率{talk}。",
        "en": "Coded every 3 s after Flanders, teacher talk makes {talk} of all codes.",
    },
    "fias_pir": {
        "zh": "学生言语中，主动发起的比例{started}。",
        "en": "Of the students’ talk, what they began themselves makes {started}.",
    },
    "comma": {"zh": "、", "en": ", "},
    "pace": {
        "zh": "教师说话时每分钟 {low} 至 {high} 个字。",
        "en": "While speaking, the teacher said between {low} and {high} characters a minute.",
    },
}


def phrase(key: str, language: Language, **gaps: object) -> str:
    """The sentence `key` in `language` with its gaps filled; KeyError for an unknown key."""
    return PHRASES[key][language].format(**gaps)
