"""Labels, roles and names: what a label declares, what is guessed, what is never kept."""

import pytest

from observer import formats
from observer.formats.labels import declared_role, is_machine, is_neutral_student, title
from observer.timeline import Role

LABELS = {
    Role.TEACHER: "老师 师 教师 T Teacher 韩老师 主讲 Ms_Gray **韩老师** 师2 T1 Prof._Low 教师A",
    Role.STUDENT: "学生 生 学生甲 S S1 Student 同学 生1 生甲 生（1） 女生2 student_B 一名学生 SN",
    Role.CHORAL: "众生 全体 齐 生齐 生（齐） Ss All Class 全体学生 学生们 生齐答 everyone 师生",
    Role.GROUP: "小组 Group 小组1 第三组 group_2",
    Role.MEDIA: "视频 录音 video",
    None: "Speaker_1 说话人_2 SPEAKER_00 A 张三 Tom Sam Terry Class-ic 师傅说 问题 生活",
}


@pytest.mark.parametrize(
    ("label", "role"),
    [(x.replace("_", " "), role) for role, row in LABELS.items() for x in row.split()],
)
def test_declared_roles(label: str, role: Role | None) -> None:
    assert declared_role(label) is role


def test_kinds_of_labels() -> None:
    assert all(map(is_machine, ["Speaker 1", "说话人2", "SPEAKER_00", "发言人 3", "0", "B"]))
    assert not any(map(is_machine, ["T", "S", "Tom", "老师"]))
    assert all(map(is_neutral_student, ["生3", "学生甲", "S1", "Student B", "同学"]))
    assert not any(map(is_neutral_student, ["李四同学", "学生李四", "Student Ann", "Ann"]))


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("role", [r for r in Role if r is not Role.SILENCE])
def test_titles_read_back_as_their_role(role: Role, language: str) -> None:
    assert declared_role(title(role, language)) is role


NAMES = "韩老师：谁来说？\n张三：我来说。\n韩老师：请坐。\n李四同学：我也会。\n生齐：老师好！\n"


def test_names_of_students_are_not_kept() -> None:
    found = formats.read_text(NAMES)
    labels = [u.speaker for u in found.transcript]
    assert labels == ["韩老师", "学生", "韩老师", "学生", "生齐"]
    assert "张三" not in repr(found)
    assert "names_removed" in {n.code for n in found.notes}
    beside = found.transcript.utterances[1]
    assert (beside.role, beside.role_probability) == (Role.STUDENT, 0.95)
    declared = found.transcript.utterances[3]
    assert (declared.role, declared.role_probability) == (Role.STUDENT, None)


def test_names_can_be_kept_on_demand() -> None:
    labels = [u.speaker for u in formats.read_text(NAMES, keep_names=True).transcript]
    assert labels[1] == "张三"


def test_roles_can_be_stated() -> None:
    found = formats.read_text(NAMES, roles={"张三": Role.TEACHER})
    guest = found.transcript.utterances[1]
    assert (guest.role, guest.role_probability) == (Role.TEACHER, None)
    assert "张三" not in repr(found), "stated or not, a name that the label does not vouch for goes"


SEMINAR = """[00:01] 说话人 1：大家好，今天我们来讨论什么？
[00:05] 说话人 2：我觉得可以讨论上次留下的那篇文章，里面有很多地方我没有读懂，想听听别人的看法。
[00:20] 说话人 1：很好，谁来说说为什么？
[00:24] 说话人 3：因为作者写的时候想的是另外一件事，所以后半部分和前半部分对不上，读起来很别扭。
[00:40] 说话人 1：说得不错，还有吗？
"""


def test_the_teacher_is_found_by_questions_even_where_students_talk_more() -> None:
    """Voice 1 has the least talk but all questions and all phrases that run a lesson."""
    found = formats.read_text(SEMINAR)
    roles = {u.speaker: u.role for u in found.transcript}
    assert roles == {
        "说话人 1": Role.TEACHER,
        "说话人 2": Role.STUDENT,
        "说话人 3": Role.STUDENT,
    }
    assert all(0.5 < (u.role_probability or 0) < 1 for u in found.transcript)
    assert "roles_by_talk" in {n.code for n in found.notes}
    assert {s.basis for s in found.speakers} == {"talk"}


def test_one_voice_gets_no_role() -> None:
    found = formats.read_text("[00:01] Speaker 1: Good morning.\n[00:03] Speaker 1: Why?\n")
    assert {u.role for u in found.transcript} == {None}
    assert "one_voice" in {n.code for n in found.notes}


def test_a_guessed_teacher_with_a_name_is_not_named() -> None:
    text = "Ann: Who can tell me why? Very good.\nBob: Cold.\nAnn: Good. Anyone else?\nBob: No.\n"
    found = formats.read_text(text)
    assert [u.speaker for u in found.transcript] == ["Teacher", "Student", "Teacher", "Student"]


@pytest.mark.parametrize(
    "text",
    ["他说：这样不行。", "注意：明天考试。", "http://example.org", "答案：三", "12:30 开始"],
)
def test_a_colon_is_not_always_a_speaker(text: str) -> None:
    srt = "".join(
        f"{i}\n00:00:{i:02d},000 --> 00:00:{i:02d},900\n{t}\n\n"
        for i, t in enumerate(["今天讲冰。", text, "请看图。", "好的。", "明白了。"], 1)
    )
    found = formats.read_text(srt)
    assert [u.speaker for u in found.transcript] == [None] * 5
    assert found.transcript.utterances[1].text == text


def test_one_cue_of_two_voices_becomes_two() -> None:
    """7 s for 2 + 4 characters and their line ends: 3/8 of it for the first voice."""
    srt = (
        "1\n00:00:00,000 --> 00:00:08,000\n- 师：几度\n- 生：零度以下\n\n"
        "2\n00:00:09,000 --> 00:00:10,000\n- 师：对\n"
    )
    one, two, three = formats.read_text(srt).transcript.utterances
    assert (one.text, one.end, one.role) == ("几度", 3.0, Role.TEACHER)
    assert (two.text, two.start, two.role) == ("零度以下", 3.0, Role.STUDENT)
    assert one.approximate
    assert not three.approximate


def test_labels_only_at_changes_continue_with_less_certainty() -> None:
    srt = "".join(
        f"{i}\n00:00:{i:02d},000 --> 00:00:{i:02d},900\n{t}\n\n"
        for i, t in enumerate(["师：看图。", "图上有什么？", "生：有冰。", "师：对。"], 1)
    )
    found = formats.read_text(srt)
    second = found.transcript.utterances[1]
    assert (second.role, second.role_probability) == (Role.TEACHER, 0.8)
    assert "continued_speakers" in {n.code for n in found.notes}
