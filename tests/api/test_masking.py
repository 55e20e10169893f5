"""Names of students that are said: found by how they are used, masked wherever they stand.

All names are made up. What share is found in real lessons is measured by benchmarks/masking.py.
"""

import time
from dataclasses import replace
from functools import cache

import pytest

from api.masking import masked, names_in
from api.masking.chinese import ENOUGH, chosen, likeness, spots
from api.masking.sounds import sound
from observer.observation import EngineUsed, Observation
from observer.report import Claim
from observer.timeline import Role
from observer.transcript import Transcript, Utterance, Word
from tests.observation_factory import english_lesson, mandarin_lesson


def spoken(language: str, *lines: str) -> Transcript:
    """Sentences of the teacher; those behind S are a student's, behind S(王) with a label."""
    utterances = []
    for i, line in enumerate(lines):
        who, _, text = line.partition(" ") if line.startswith("S") else ("T", "", line)
        utterances.append(
            Utterance(
                f"u{i}",
                text,
                float(i),
                i + 0.9,
                who[2:-1] or None,
                Role.STUDENT if who[0] == "S" else Role.TEACHER,
                (Word(text, float(i), i + 0.9),),
            )
        )
    return Transcript(language, tuple(utterances))


@cache
def lesson_of(language: str) -> Observation:
    """An observation to put sentences into."""
    return mandarin_lesson(minutes=2) if language == "zh" else english_lesson()


def said(talk: Transcript, *names: str) -> list[str]:
    """The sentences of a lesson after masking."""
    lesson = replace(lesson_of(talk.language), transcript=talk)
    return [u.text for u in masked(lesson, names).transcript]


# -- Mandarin ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sentence", "clean"),
    [
        ("子涵，你来说。", "某同学，你来说。"),
        ("请浩然同学。", "请某同学。"),
        ("王梓轩。", "某同学。"),
        ("欣怡和子墨，你们两个上来。", "某同学和某同学，你们两个上来。"),
        ("请欧阳若曦来读。", "请某同学来读。"),
        ("我们的婷婷非常棒！", "我们的某同学非常棒！"),
        ("S 老师，我叫陈一诺。", "老师，我叫某同学。"),
        ("雨桐妈妈已经发给我了。", "某同学妈妈已经发给我了。"),
        ("把掌声送给思远！思远的想法很特别。", "把掌声送给某同学！某同学的想法很特别。"),
        ("周以宁郑明澈何欣妍很棒。", "某同学某同学某同学很棒。"),
        ("请赵彦色同学补充。", "请某同学补充。"),  # 色 is in no name that anybody would list
        ("王同学，请坐。", "某同学，请坐。"),
        ("小明同学，你先说。", "某同学，你先说。"),
        ("好，Lily，你来读。", "好，某同学，你来读。"),
    ],
)
def test_a_pupil_is_found_by_the_name_and_by_how_it_is_used(sentence: str, clean: str) -> None:
    assert said(spoken("zh", sentence)) == [clean]


@pytest.mark.parametrize(
    "sentence",
    [
        "小明有五个苹果，小红有三个，小明比小红多几个？",  # a sum's people are nobody
        "李白和杜甫都是唐代诗人，王安石是宋代的。",
        "牛顿第一定律，你来说说。",
        "明白了吗？请大家安静，请高声回答。",
        "其他同学有没有不同的方法？各位同学，请坐。",
        "方程怎么列？高兴的时候，平行四边形的周长。",
        "对于气体来说，可以现在就算。",
        "那你来说一下，然后你再看看。",
        "非常好，很棒，不错，你回答得很好。",
        "文明是一种美德，海洋、阳光、天空都很美。",
        "跟老师读：Lily has two cats and Tom has one.",
    ],
)
def test_ordinary_words_and_people_who_are_taught_stay(sentence: str) -> None:
    assert said(spoken("zh", sentence)) == [sentence]


def test_a_name_found_once_goes_wherever_it_is_said() -> None:
    """In passing, without its surname, by a student, and as the recogniser wrote it elsewhere:
    紫轩 sounds like 梓轩; 子宣 would too, but 宣 and 子 are ordinary enough to need a cue."""
    talk = spoken(
        "zh",
        "请王梓轩同学来说一说。",
        "S 一百八十度。",
        "刚才紫轩用了量角器，和梓轩那一组不一样。",
        "S 我同意梓轩的。",
    )
    assert said(talk) == [
        "请某同学来说一说。",
        "一百八十度。",
        "刚才某同学用了量角器，和某同学那一组不一样。",
        "我同意某同学的。",
    ]


def test_a_name_that_is_a_word_goes_where_it_calls() -> None:
    """文明 is called once and said three times as a word; 晨曦 is mostly a pupil here."""
    talk = spoken(
        "zh",
        "讲文明，懂礼貌。文明是美德，我们都是文明的人。",
        "文明，你来说说。",
        "请晨曦来读。晨曦读得真好，那晨曦的同桌呢？",
    )
    assert said(talk) == [
        "讲文明，懂礼貌。文明是美德，我们都是文明的人。",
        "某同学，你来说说。",
        "请某同学来读。某同学读得真好，那某同学的同桌呢？",
    ]


def test_what_a_student_answers_was_a_call() -> None:
    """雨文: 2 + 1 for its characters, 2 for the pause before, 1 for the stop behind are 6 points,
    too few; with 2 more as a student speaks next they are enough."""
    call = "再来一个，雨文。"
    assert [s.points for s in spots(call) if s.name == "雨文"] == [ENOUGH - 2]
    assert [s.name for s in chosen(spots(call, following=2))] == ["雨文"]
    assert said(spoken("zh", call, "S 二十四。"))[0] == "再来一个，某同学。"
    assert said(spoken("zh", call, "好的。"))[0] == call


def test_teachers_keep_their_names() -> None:
    talk = spoken("zh", "大家好，我叫李秋峰，请坐。", "琪琪老师来跟大家打个招呼。")
    assert said(talk) == [u.text for u in talk]


def test_a_class_list_finds_what_rules_do_not() -> None:
    """方知远 is listed: said in passing, without surname, and written with other characters."""
    talk = spoken("zh", "上次方知远和知远那组，本子在放之元那里。", "知道远近吗？")
    assert said(talk) == [u.text for u in talk]
    assert said(talk, "方知远") == ["上次某同学和某同学那组，本子在某同学那里。", "知道远近吗？"]
    assert said(spoken("zh", "是小明说的。"), "史晓明") == ["是小明说的。"]
    heard = spoken("zh", "上次梁紫轩没有交。")
    assert said(heard, "梁梓萱") == ["上次某同学没有交。"]


def test_labels_are_a_class_list_too() -> None:
    talk = spoken("zh", "上次是赵悠然收的，悠然收得快。", "S(赵悠然) 我收好了。")
    lesson = masked(replace(lesson_of("zh"), transcript=talk)).transcript
    assert [u.text for u in lesson] == ["上次是某同学收的，某同学收得快。", "我收好了。"]
    assert lesson.utterances[1].speaker == "学生"


def test_likeness_and_sound() -> None:
    """王 2 + 梓 3 + 轩 3 + 1 for two characters behind a surname = 9; 高兴 is 2 + 2, a word: −4."""
    assert likeness("王梓轩") == 9
    assert likeness("高兴") == 0
    assert likeness("的人") < 0
    assert sound("梓轩") == sound("子萱") == ("zi", "xuan")
    assert sound("星") == sound("欣")  # recognisers mix them up


# -- English -----------------------------------------------------------------------------


def test_english_names_are_found_in_vocatives() -> None:
    talk = spoken(
        "en",
        "Thank you, Priya.",
        "What did Priya do on Monday? Right, Mrs. Cole?",
        "Okay, fractions. Fractions are parts.",
        "S(Tomasz) I agree with Tomasz.",
    )
    clean = masked(replace(lesson_of("en"), transcript=talk)).transcript
    assert [u.text for u in clean] == [
        "Thank you, [name].",
        "What did [name] do on Monday? Right, Mrs. Cole?",
        "Okay, fractions. Fractions are parts.",
        "I agree with [name].",
    ]
    assert clean.utterances[-1].speaker == "Student"


@pytest.mark.parametrize(
    ("sentence", "clean"),
    [
        ("Zofka would you read it?", "[name] would you read it?"),
        ("What do you think Zofka?", "What do you think [name]?"),
        (
            "I heard that from Zofka and Ilse and Wim.",
            "I heard that from [name] and [name] and [name].",
        ),
        ("Look at Zofka's table.", "Look at [name]'s table."),
        ("That was Emily.", "That was [name]."),  # a first name that many have
        ("Will, will you start? I will.", "[name], will you start? I will."),
        ("[Zofka writes] Good.", "[[name] writes] Good."),
    ],
)
def test_english_names_by_their_place(sentence: str, clean: str) -> None:
    assert said(spoken("en", sentence)) == [clean]


@pytest.mark.parametrize(
    "sentence",
    [
        "Multiply. Exactly. Fractions?",
        "We start on Monday, in English, in March.",
        "All right. Excellent. Anybody else?",
        "Will you start? Mark the point.",
        "Mr. Archer said so. Ask Mr. Archer.",  # only ever with a title: a teacher
    ],
)
def test_english_words_stay(sentence: str) -> None:
    assert said(spoken("en", sentence)) == [sentence]


# -- the observation ---------------------------------------------------------------------


def test_masking_leaves_figures_and_neutral_labels() -> None:
    lesson = mandarin_lesson(minutes=6)
    clean = masked(lesson)
    assert clean.indicators == lesson.indicators
    assert clean.labels == lesson.labels
    assert [u.speaker for u in clean.transcript] == [u.speaker for u in lesson.transcript]


def test_nothing_else_keeps_the_name() -> None:
    """In a claim, a note, the file's name, and the hot words in a recogniser's version."""
    lesson = lesson_of("zh")
    talk = spoken("zh", "请王梓轩同学来说。")
    engine = EngineUsed("transcriber", "funasr", "1.3, hot words 王梓轩/内角和, rules 1")
    assert lesson.recording is not None
    named = replace(
        lesson,
        transcript=talk,
        claims=(Claim("c1", "“请王梓轩同学来说”之后等了两秒。", ("u0",), "wait_time_1_median"),),
        recording=replace(lesson.recording, name="王梓轩的课.mp4"),
        provenance=replace(lesson.provenance, notes=("梓轩的话筒没有声音",), engines=(engine,)),
    )
    clean = masked(named).to_json()
    assert "梓轩" not in clean
    assert "内角和" not in clean
    assert Observation.from_json(clean).claims[0].text == "“请某同学来说”之后等了两秒。"


def words(*texts: str) -> tuple[Word, ...]:
    """A word every half second."""
    return tuple(Word(t, i / 2, i / 2 + 0.4, 0.9 - i / 10) for i, t in enumerate(texts))


def test_word_times_stay_and_a_name_is_one_word() -> None:
    """请|王|梓轩|同学|来说: the three words in the middle become one, from 0.5 to 1.9 s, as sure as
    the least sure of them; in 请王|梓轩来 the words that touch the name are joined with it."""
    lesson = lesson_of("zh")

    def after(text: str, *parts: str) -> list[tuple[str, float, float]]:
        talk = Transcript("zh", (Utterance("u0", text, 0.0, 3.0, words=words(*parts)),))
        clean = masked(replace(lesson, transcript=talk)).transcript.utterances[0]
        return [(w.text, w.start, w.end) for w in clean.words]

    assert after("请王梓轩同学来说。", "请", "王", "梓轩", "同学", "来说") == [
        ("请", 0.0, 0.4),
        ("某同学", 0.5, 1.9),
        ("来说", 2.0, 2.4),
    ]
    assert after("请王梓轩来说。", "请王", "梓轩来", "说") == [
        ("请某同学来", 0.0, 0.9),
        ("说", 1.0, 1.4),
    ]
    assert after("梓轩，婷婷，你们来说。", "梓轩", "婷婷", "你们", "来说")[0] == (
        "某同学",
        0.0,
        0.4,
    )
    assert after("请王梓轩来说。", "请", "黄子轩", "来说") == []  # corrected: not the same words


def test_masking_is_fast_and_the_same_twice() -> None:
    """700 sentences of a lesson of 45 minutes, 20 characters each; the bound is loose, for the
    machine may be busy: benchmarks/masking.py measures."""
    lines = [
        "三角形的内角和是多少度，我们用量角器量一量。",
        "请王梓轩同学来说，子涵的方法也不错。",
    ] * 350
    lesson = replace(lesson_of("zh"), transcript=spoken("zh", *lines))
    names_in(spoken("zh", "热身。"))
    start = time.process_time()
    once = masked(lesson)
    assert time.process_time() - start < 1.0
    assert once == masked(lesson)
