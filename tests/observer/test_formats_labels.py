"""Labels of real transcripts, Chinese and English, and the role that each states."""

import pytest

from observer import formats
from observer.formats.labels import (
    declared_role,
    is_machine,
    is_neutral_student,
    is_outsider,
)
from observer.timeline import Role

TABLE: dict[Role | None, str] = {
    Role.TEACHER: """
        老师 师 T 教师 王老师 欧阳老师 主讲 主讲人 主讲教师 授课教师 授课人 执教者 任课教师
        数学老师 班主任 导师 张教授 王老师（数学） 韩老师（主讲） 老师1 师1 T1 教师A 教师甲
        男老师 实习老师 特级教师王 助教 助教1 外教 教练 教師 老師 李老師 【老师】 Teacher TEACHER
        teacher: Teacher_1 Co-teacher Tchr TA Teaching_Assistant Mr._Smith Ms_Gray Mrs_Jones
        Miss_Li Dr._Wu Sir Instructor Tutor Lecturer Prof Prof._Low Coach
    """,
    Role.STUDENT: """
        学生 生 S 学生甲 学生乙 生1 生2 生11 生甲 生A 学生A 学生1号 1号学生 3号 生3： 男生 女生
        男生1 女生甲 同学 同学1 王同学 小明同学 某生 一生 另一生 生（男） 生（小明） 学生（李明）
        个别学生 个别生 发言学生 学困生 组长 小组长 小组代表 学生代表 课代表 班长 小朋友 孩子
        幼儿 幼儿1 學生 同學 S1 S12 SN Student Student: Student_1 student_b Student_A:
        Male_student Female_Student_2 Unknown_student new_student St1 Stu1 Pupil Child CHI Boy
        Girl_1 Kid Learner_3
    """,
    Role.CHORAL: """
        全体 众 全体学生 众生 众学生 全班 全生 齐 生齐 生（齐） 生（齐答） 生（众） 生（集体）
        生合 生众 众（齐） 全体同学 全班同学 学生们 同学们 生们 师生 集体 大家 齐读 全班齐读
        学生齐答 学生（齐） 学生集体 生齐声 部分学生 许多学生 多名学生 几个学生 Ss SS S's All
        Class Everyone Students Whole_Class Choral Chorus multiple_students Several_students
    """,
    Role.GROUP: """
        小组 组1 第一组 第1组 一组 1组 A组 甲组 小组1 第三小组 四人小组 各小组 小组讨论 小组合作
        Group Group_A Group_1 group_2 Small_group Table_3
    """,
    Role.MEDIA: """
        视频 录音 音频 课件 动画 旁白 多媒体 微课 范读 范读录音 媒体 录像 影片 歌曲 Video Audio
        Recording music
    """,
    None: """
        说话人 说话人1 说话人_2 发言人 发言人1 讲话人2 未知 未知说话人 未识别 参会者2 访客 嘉宾
        家长 主持人 张敏 小明 王小明 师傅 校长好 男 女 Unknown unknown_speaker Speaker Speaker_2
        SPEAKER_00 Spk1 User_1 Participant_3 Guest A 1 Tom Ann_Lee Sam Terry iPhone Zoom_user
        问题 生活 Class-ic
    """,
}
"""Role → labels as they stand in transcripts; _ stands for a space."""


def labels(role: Role | None) -> list[str]:
    return [label.replace("_", " ") for label in TABLE[role].split()]


@pytest.mark.parametrize("role", TABLE)
def test_every_label_states_its_role(role: Role | None) -> None:
    stated = {label: declared_role(label) for label in labels(role)}
    assert {label: found for label, found in stated.items() if found is not role} == {}


def test_machine_labels_and_outsiders_among_those_without_a_role() -> None:
    machine = [label for label in labels(None) if is_machine(label)]
    others = (
        "嘉宾 家长 主持人 张敏 小明 王小明 师傅 校长好 男 女 Tom Ann_Lee Sam Terry iPhone Zoom_user"
    )
    others += " 问题 生活 Class-ic"
    assert set(labels(None)) - set(machine) == {x.replace("_", " ") for x in others.split()}
    assert [label for label in labels(None) if is_outsider(label)] == ["嘉宾", "家长"]


def test_no_name_passes_for_a_neutral_label() -> None:
    named = [
        "王同学",
        "小明同学",
        "生（小明）",
        "学生（李明）",
        "学生李四",
        "Student Ann",
        "张敏",
        "Tom",
    ]
    assert [label for label in named if is_neutral_student(label)] == []
    neutral = ["生3", "学生甲", "1号学生", "生（男）", "幼儿1", "Student B", "3号", "小组代表"]
    assert all(map(is_neutral_student, neutral))


def test_visitors_get_no_role_and_that_is_said() -> None:
    text = "老师：请坐。\n家长：谢谢老师。\n李明：老师好。\n老师：好。\n"
    found = formats.read_text(text)
    assert [u.role for u in found.transcript] == [Role.TEACHER, None, Role.STUDENT, Role.TEACHER]
    assert {"other_adults", "names_as_students"} <= {n.code for n in found.notes}
    assert "李明" not in repr(found)
