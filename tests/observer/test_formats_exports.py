"""What services and programs export: iFlytek, Tencent, Volcengine, Zoom, Teams, DingTalk, tiers."""

import json

import pytest

from observer import formats
from observer.errors import TranscriptError
from observer.timeline import Role

Row = tuple[float | None, float | None, str | None, str]


def rows(found: formats.ImportedTranscript) -> list[Row]:
    return [(u.start, u.end, u.speaker, u.text) for u in found.transcript]


def iflytek_sentence(bg: int, ed: int, voice: str, *words: tuple[str, str, int, int]) -> str:
    ws = [{"cw": [{"w": w, "wp": p, "wc": "0.0"}], "wb": b, "we": e} for w, p, b, e in words]
    st = {"bg": str(bg), "ed": str(ed), "rl": voice, "sc": "0.00", "pa": "0", "rt": [{"ws": ws}]}
    return json.dumps({"st": st}, ensure_ascii=False)


FIRST = iflytek_sentence(
    480, 2440, "1", ("同学们", "n", 1, 60), ("好", "n", 61, 100), ("。", "p", 100, 100)
)
SECOND = iflytek_sentence(3000, 4000, "2", ("老师", "n", 1, 30), ("好", "n", 31, 60))
LATTICE = {"lattice": [{"json_1best": FIRST}, {"json_1best": SECOND}]}


@pytest.mark.parametrize(
    "value",
    [
        {"code": "000000", "content": {"orderInfo": {}, "orderResult": json.dumps(LATTICE)}},
        {"content": {"orderResult": LATTICE}},
        {"orderResult": json.dumps(LATTICE)},
        LATTICE,
        {"lattice2": [{"json_1best": json.loads(x), "spk": "段落-0"} for x in (FIRST, SECOND)]},
    ],
)
def test_the_lattice_of_iflytek_in_all_its_wrappings(value: object) -> None:
    """Words count frames of 10 ms from their sentence: .48 + 1 frame = .49 … .48 + 60 = 1.08."""
    found = formats.read_text(json.dumps(value))
    assert found.layout == "iflytek_json"
    assert rows(found) == [(0.48, 2.44, "1", "同学们好。"), (3.0, 4.0, "2", "老师好")]
    words = found.transcript.utterances[0].words
    assert [(w.text, w.start, w.end) for w in words] == [
        ("同学们", 0.49, 1.08),
        ("好。", 1.09, 1.48),
    ]


def test_iflytek_without_voices_has_no_speakers() -> None:
    lattice = {"lattice": [{"json_1best": FIRST.replace('"rl": "1"', '"rl": "0"')}]}
    found = formats.read_text(json.dumps(lattice))
    assert (found.transcript.utterances[0].speaker, len(found.speakers)) == (None, 0)


def test_iflytek_flat_results_inside_a_string() -> None:
    flat = [{"bg": "0", "ed": "4950", "onebest": "你好。", "speaker": "1"}]
    found = formats.read_text(json.dumps({"ok": 0, "data": json.dumps(flat)}))
    assert rows(found) == [(0.0, 4.95, "1", "你好。")]


TENCENT_LINES = "[0:0.020,0:2.380,0]  同学们好。\n\n[1:3.320,1:19.712,1]  老师好！\n"


@pytest.mark.parametrize(
    "text",
    [
        TENCENT_LINES,
        json.dumps({"Response": {"Data": {"ResultDetail": None, "Result": TENCENT_LINES}}}),
    ],
)
def test_tencent_results_without_details(text: str) -> None:
    assert rows(formats.read_text(text)) == [
        (0.02, 2.38, "0", "同学们好。"),
        (63.32, 79.712, "1", "老师好！"),
    ]


@pytest.mark.parametrize(
    ("value", "layout"),
    [
        ({"flash_result": [{"channel_id": 0, "sentence_list": [
            {"text": "你好", "start_time": 500, "end_time": 1500, "speaker_id": 3}]}]},
         "tencent_json"),
        ({"audio_info": {"duration": 9}, "result": {"utterances": [
            {"text": "你好", "start_time": 500, "end_time": 1500, "additions": {"speaker": "3"}}]}},
         "volcengine_json"),
        ({"resp": {"code": 1000, "utterances": [
            {"text": "你好", "start_time": 500, "end_time": 1500, "additions": {"speaker": "3"}}]}},
         "volcengine_json"),
        ({"transcripts": [{"channel_id": 0, "sentences": [
            {"text": "你好", "begin_time": 500, "end_time": 1500, "speaker_id": 3}]}]},
         "dashscope_json"),
        ({"Result": {"Sentences": [
            {"Text": "你好", "BeginTime": 500, "EndTime": 1500, "SpeakerId": "3"}]}},
         "aliyun_json"),
        ({"results": {"utterances": [
            {"transcript": "你好", "start": 0.5, "end": 1.5, "speaker": 3}]}}, "deepgram_json"),
        ({"utterances": [{"text": "你好", "start": 500, "end": 1500, "speaker": "3"}]},
         "segments_json"),
        ({"utterances": [{"text": "你好", "start": 0.5, "end": 1.5, "speaker": "3"}]},
         "segments_json"),
    ],
)  # fmt: skip
def test_services_in_seconds_and_milliseconds(value: object, layout: str) -> None:
    found = formats.read_text(json.dumps(value))
    assert (found.layout, rows(found)) == (layout, [(0.5, 1.5, "3", "你好")])


TEAMS_OLD = """0:0:3.120 --> 0:0:5.870
Ann Low
Who can tell me why?

0:0:6.10 --> 0:0:8.0
Bob Ray
Because it is cold.

0:0:9.0 --> 0:0:10.5
Ann Low
Good.
"""
TEAMS_NEW = """Maths-20260615_140233-Meeting Recording
June 15, 2026, 2:02PM
42m 10s

Ann Low started transcription

Ann Low   0:03
Who can tell me why?

Bob Ray   0:06
Because it is cold.

Ann Low   0:09
Good.
"""
ZOOM_TXT = """[Ann Low] 14:02:33
Who can tell me why?

[Bob Ray] 14:02:36
Because it is cold.

[Ann Low] 14:02:39
Good.
"""
MEET = """Maths
00:00:00

Ann Low: Who can tell me why?
Bob Ray: Because it is cold.
00:05:00

Ann Low: Good.
Bob Ray: Yes.
Ann Low: Next.
"""


@pytest.mark.parametrize(
    ("text", "starts"),
    [
        (TEAMS_OLD, [3.12, 6.1, 9.0]),
        (TEAMS_NEW, [3.0, 6.0, 9.0]),
        (ZOOM_TXT, [0.0, 3.0, 6.0]),
        (MEET, [None, None, None]),
    ],
)
def test_meetings_with_names(text: str, starts: list[float | None]) -> None:
    found = formats.read_text(text)
    said = [(u.start, u.role, u.text) for u in found.transcript][:3]
    roles = [Role.TEACHER, Role.STUDENT, Role.TEACHER]
    texts = ["Who can tell me why?", "Because it is cold.", "Good."]
    assert said == list(zip(starts, roles, texts, strict=True))
    assert "Ray" not in repr(found)


def test_dingtalk_minutes() -> None:
    text = "发言人1  00:00\n今天学什么？\n\n发言人2  00:05\n三角形。\n\n发言人1  00:08\n很好。\n"
    found = formats.read_text(text)
    assert [(u.start, u.speaker, u.text) for u in found.transcript] == [
        (0.0, "发言人1", "今天学什么？"),
        (5.0, "发言人2", "三角形。"),
        (8.0, "发言人1", "很好。"),
    ]


def test_times_on_lines_of_their_own() -> None:
    found = formats.read_text("0:03\nGood morning\n0:06\ntoday we talk\nabout ice\n1:02:09\nBye\n")
    assert [(u.start, u.text) for u in found.transcript] == [
        (3.0, "Good morning"),
        (6.0, "today we talk about ice"),
        (3729.0, "Bye"),
    ]


def grid(*tiers: tuple[str, list[tuple[float, float, str]]]) -> str:
    """A short TextGrid."""
    body = "".join(
        f'"IntervalTier"\n"{name}"\n0\n9\n{len(spans)}\n'
        + "".join(f'{s}\n{e}\n"{t}"\n' for s, e, t in spans)
        for name, spans in tiers
    )
    head = 'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n9\n<exists>\n'
    return f"{head}{len(tiers)}\n{body}"


SAID = [(0.0, 2.0, "几度？"), (2.0, 3.0, ""), (3.0, 4.0, "三")]


def test_tiers_that_hold_no_speech_are_left_out_and_named() -> None:
    text = grid(
        ("老师", SAID),
        ("老师备注", [(0, 2, "提问")]),
        ("IRF", [(0, 2, "I")]),
        ("phones", [(0, 1, "j")]),
    )
    found = formats.read_text(text)
    assert [u.text for u in found.transcript] == ["几度？", "三"]
    (note,) = [n for n in found.notes if n.code == "left_out_tiers"]
    assert "老师备注, IRF, phones" in note.en


def test_a_tier_of_speakers_tells_who_speaks_in_the_others() -> None:
    found = formats.read_text(grid(("说话人", [(0, 2.5, "T"), (2.5, 9, "S1")]), ("转写", SAID)))
    assert [(u.speaker, u.role) for u in found.transcript] == [
        ("T", Role.TEACHER),
        ("S1", Role.STUDENT),
    ]


def test_marks_without_words_are_no_words() -> None:
    ones = [(0.0, 1.0, "1"), (2.0, 3.0, "1"), (4.0, 5.0, "1")]
    found = formats.read_text(grid(("老师", ones), ("学生", [(1.0, 2.0, "1")])))
    assert {u.text for u in found.transcript} == {""}
    assert "no_words" in {n.code for n in found.notes}


def test_short_answers_in_numbers_are_words() -> None:
    found = formats.read_text(grid(("老师", SAID), ("学生", [(2.0, 2.5, "3"), (5.0, 6.0, "7")])))
    assert [u.text for u in found.transcript if u.role is Role.STUDENT] == ["3", "7"]


def test_two_tiers_of_one_name_are_both_read() -> None:
    found = formats.read_text(grid(("学生", [(0.0, 1.0, "好")]), ("学生", [(2.0, 3.0, "行")])))
    assert [u.text for u in found.transcript] == ["好", "行"]


EAF = """<ANNOTATION_DOCUMENT><HEADER TIME_UNITS="milliseconds"/><TIME_ORDER>
<TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="1000"/><TIME_SLOT TIME_SLOT_ID="ts2"/>
<TIME_SLOT TIME_SLOT_ID="ts3" TIME_VALUE="3000"/></TIME_ORDER>
<TIER TIER_ID="ref@T" PARTICIPANT="老师" LINGUISTIC_TYPE_REF="d">
<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts2">
<ANNOTATION_VALUE>L01.001</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a2" TIME_SLOT_REF1="ts2" TIME_SLOT_REF2="ts3">
<ANNOTATION_VALUE>L01.002</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION></TIER>
<TIER TIER_ID="tx@T" PARENT_REF="ref@T" LINGUISTIC_TYPE_REF="s">
<ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a3" ANNOTATION_REF="a1">
<ANNOTATION_VALUE>请坐。</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>
<ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a4" ANNOTATION_REF="a2">
<ANNOTATION_VALUE>看黑板。</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION></TIER>
<LINGUISTIC_TYPE LINGUISTIC_TYPE_ID="d" TIME_ALIGNABLE="true"/>
<LINGUISTIC_TYPE LINGUISTIC_TYPE_ID="s" TIME_ALIGNABLE="false"
 CONSTRAINTS="Symbolic_Association"/></ANNOTATION_DOCUMENT>
"""


def test_elan_reference_tiers_with_their_text_below_and_slots_without_a_time() -> None:
    """ts2 has no time: it lies half way between 1 s and 3 s, as ELAN shows it."""
    found = formats.read_text(EAF)
    assert [(u.start, u.end, u.role, u.text) for u in found.transcript] == [
        (1.0, 2.0, Role.TEACHER, "请坐。"),
        (2.0, 3.0, Role.TEACHER, "看黑板。"),
    ]


def test_elan_annotations_that_lead_nowhere() -> None:
    with pytest.raises(TranscriptError, match="line 5: annotation a1 refers"):
        formats.read_text(EAF.replace('REF1="ts1"', 'REF1="ts9"'))
