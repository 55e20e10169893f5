"""Whole Observations made from a seed: a 40-minute Mandarin lesson and a short English one.

For tests that need a realistic Observation without running any engine. Times, roles, labels,
exchanges and waits belong together (a wait lies between its question and the answer); the
figures are measured from them by observer.indicators.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from observer.discourse import Discourse, Exchange, Label, Wait
from observer.indicators import Material, measure
from observer.media import Recording
from observer.observation import EngineUsed, Observation, Provenance
from observer.quality import Finding, Quality
from observer.timeline import Role, RoleSpan, complement, total
from observer.timeline import Span as TimeSpan
from observer.transcript import Transcript, Utterance

TELL_ZH = (
    "今天我们来研究三角形的内角和。",
    "请把课本翻到第三十二页，看例题一。",
    "刚才有同学用量角器量，也有同学把三个角撕下来拼在一起。",
    "拼成平角，说明三个角合起来正好是一百八十度。",
    "注意，量出来的结果会有误差，所以我们还需要推理。",
    "过顶点画一条和底边平行的线，看看有哪些角相等。",
    "把你的想法写在练习本上，写清楚每一步的理由。",
    "下面我们看第二组的拼图，他们剪的是一个钝角三角形。",
    "不管三角形是大是小，它的内角和都不会变。",
    "这就是我们这节课要记住的结论。",
)
ASK_ZH = (
    ("什么叫三角形的内角？", "recall", "what", "closed", "real"),
    ("这个角是多少度？", "recall", "what", "closed", "real"),
    ("三个角加起来等于多少？", "recall", "what", "closed", "real"),
    ("为什么撕下来拼一拼就能说明问题？", "reason", "why", "open", "real"),
    ("你是怎么想到画这条平行线的？", "reason", "how", "open", "real"),
    ("如果是四边形，内角和会是多少呢？", "create", "whatif", "open", "real"),
    ("你还能想出别的办法吗？", "create", "how", "open", "real"),
    ("你同意他的说法吗？说说理由。", "judge", "why", "open", "real"),
    ("谁愿意到前面来画一画？", "manage", "what", "closed", "real"),
    ("这样就拼成了一个平角，是不是？", "recall", "what", "closed", "tag"),
    ("两个锐角加起来是多少呢？正好是九十度。", "recall", "what", "closed", "self"),
)
ANSWER_ZH = (
    "六十度。",
    "一百八十度。",
    "就是三角形里面的三个角。",
    "因为拼起来是一条直线，直线上的角就是一百八十度。",
    "我先画了一条线，然后发现这两个角是内错角，所以相等。",
    "可以分成两个三角形，一个一百八十度，两个就是三百六十度。",
    "我觉得不对，因为量的时候有误差。",
    "平角。",
)
PRAISE_ZH = ("嗯，说得很完整。", "很好，请坐。", "对，六十度。", "你用到了平行线，想得很清楚。")
PROBE_ZH = ("你能再说说理由吗？", "那换一个三角形还成立吗？")
CHORAL_ZH = "三角形的内角和等于一百八十度。"

TELL_EN = (
    "Today we are looking at how seeds travel away from the plant they grew on.",
    "Have a look at the tray in front of you; there are five kinds of seed in it.",
    "Write down what you notice before you decide what it means.",
    "The sycamore seed has one wing, and that makes it spin as it falls.",
)
ASK_EN = (
    ("What is a seed made of?", "recall", "what", "closed", "real"),
    ("Why would a plant send its seeds so far away?", "reason", "why", "open", "real"),
    ("How did you decide which one flies best?", "reason", "how", "open", "real"),
    ("What might happen if there were no wind at all?", "create", "whatif", "open", "real"),
    ("Who has the tray with the maple seeds?", "manage", "what", "closed", "real"),
    ("So it floats, doesn't it?", "recall", "what", "closed", "tag"),
)
ANSWER_EN = (
    "A shell and some food.",
    "So that they don't all grow in the same place and take each other's light.",
    "We dropped them from the same height and counted.",
    "Then maybe animals would have to carry them.",
)
PRAISE_EN = ("Thank you, that is clear.", "Right, a shell and some food.")
PROBE_EN = ("Can you say more about the light?", "What makes you think so?")
CHORAL_EN = "Seeds travel by wind, by water and by animals."


@dataclass
class _Lesson:
    """A lesson being spoken; `now` is the clock."""

    rng: random.Random
    zh: bool
    now: float = 4.0
    utterances: list[Utterance] = field(default_factory=list)
    spans: list[RoleSpan] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)

    def say(self, text: str, role: Role, pause: float = 0.25) -> str:
        """Speak `text`: an utterance and its stretch of time; the id comes back."""
        length = 0.8 + (len(text) * 0.24 if self.zh else len(text.split()) * 0.36)
        name = f"u{len(self.utterances)}"
        start, end = round(self.now, 2), round(self.now + length, 2)
        p = round(self.rng.uniform(0.93, 0.995), 3)
        self.utterances.append(
            Utterance(name, text, start, end, f"voice {role}", role, role_probability=p)
        )
        self.spans.append(RoleSpan(start, end, role, p))
        self.now = end + pause
        return name

    def other(self, role: Role, seconds: float) -> None:
        """A stretch in which no words were recognised."""
        end = round(self.now + seconds, 2)
        if role is not Role.SILENCE:
            self.spans.append(RoleSpan(round(self.now, 2), end, role, 0.9))
        self.now = end

    def wait(self, kind: int, seconds: float, after: str, excluded: str | None) -> None:
        """Silence after `after`; the next utterance ends it."""
        start = self.utterances[-1].end or 0.0
        self.now = start + seconds
        self.waits.append(
            Wait(
                f"w{len(self.waits)}",
                kind,
                start,
                round(self.now, 2),
                after,
                f"u{len(self.utterances)}",
                "student" if kind == 1 else "teacher",
                excluded,
            )
        )

    def label(self, name: str, **codes: str) -> None:
        """Labels on the utterance `name`."""
        for taxonomy, code in sorted(codes.items()):
            p = round(self.rng.uniform(0.55, 0.97), 3)
            self.labels.append(Label(name, taxonomy, code, p, "rules 1"))

    def exchange(self) -> None:
        """Question, wait, answer, wait, feedback and sometimes a follow-up."""
        text, demand, sihe, openness, form = self.rng.choice(ASK_ZH if self.zh else ASK_EN)
        asked = self.say(text, Role.TEACHER)
        self.label(asked, question_form=form, question_demand=demand, sihe=sihe, openness=openness)
        if form != "real":
            if form == "tag":
                self.wait(1, 0.3, asked, "tag")
            return
        chain = [asked]
        excluded = "manage" if demand == "manage" else None
        rounds = 1 + (self.rng.random() < 0.3)
        for turn in range(rounds):
            self.wait(1, round(self.rng.lognormvariate(0.25, 0.75), 2), chain[-1], excluded)
            chain.append(
                self.say(self.rng.choice(ANSWER_ZH if self.zh else ANSWER_EN), Role.STUDENT)
            )
            self.wait(2, round(self.rng.lognormvariate(-0.5, 0.5), 2), chain[-1], None)
            last = turn == rounds - 1
            pool = (PRAISE_ZH if self.zh else PRAISE_EN) if last else self.probes
            chain.append(self.say(self.rng.choice(pool), Role.TEACHER))
            self.label(chain[-1], feedback="praise" if last else "probe")
        kind = "IRE" if rounds == 1 else "IRIRE"
        self.exchanges.append(Exchange(f"x{len(self.exchanges)}", kind, tuple(chain), rounds))

    @property
    def probes(self) -> tuple[str, ...]:
        """The follow-up questions of this language."""
        return PROBE_ZH if self.zh else PROBE_EN


def mandarin_lesson(seed: int = 7, minutes: float = 40.0) -> Observation:
    """A Mandarin mathematics lesson of about `minutes` minutes, with every kind of event."""
    lesson = _Lesson(random.Random(seed), zh=True)
    return _finish(_speak(lesson, minutes * 60.0), "三角形的内角和.mp4", "zh")


def english_lesson(seed: int = 3, minutes: float = 4.0) -> Observation:
    """A short English science lesson."""
    lesson = _Lesson(random.Random(seed), zh=False)
    return _finish(_speak(lesson, minutes * 60.0), "seeds.wav", "en")


def without_recording(observation: Observation) -> Observation:
    """The same lesson as a transcript alone, without any times."""
    bare = [replace(u, start=None, end=None) for u in observation.transcript]
    words = observation.transcript.with_utterances(bare)
    measured = measure(
        Material(None, (), Discourse(words, observation.labels), observation.exchanges, ())
    )
    return replace(
        observation,
        recording=None,
        quality=None,
        timeline=(),
        waits=(),
        transcript=words,
        indicators=measured,
    )


def _speak(lesson: _Lesson, seconds: float) -> _Lesson:
    tell = TELL_ZH if lesson.zh else TELL_EN
    grouped = False
    while lesson.now < seconds - 20:
        for _ in range(lesson.rng.randint(1, 4)):
            lesson.say(lesson.rng.choice(tell), Role.TEACHER, lesson.rng.uniform(0.2, 0.9))
        for _ in range(lesson.rng.randint(1, 3)):
            lesson.exchange()
        if lesson.rng.random() < 0.12:
            lesson.say(CHORAL_ZH if lesson.zh else CHORAL_EN, Role.CHORAL, 1.0)
        if lesson.rng.random() < 0.1:
            lesson.other(Role.SILENCE, min(60.0, seconds * 0.03))
        if not grouped and lesson.now > seconds * 0.45:
            lesson.other(Role.GROUP, seconds * 0.09)
            grouped = True
    lesson.other(Role.SILENCE, 6.0)
    return lesson


def _read_moves(lesson: _Lesson) -> None:
    """Talk moves as trained models would read them; a few are unclear."""
    rng = random.Random(11)
    before: Role | None = None
    for utterance in lesson.utterances:
        teacher, p = utterance.role is Role.TEACHER, round(rng.uniform(0.35, 0.99), 3)
        found: list[tuple[str, str, str]] = []
        answers = before is Role.STUDENT
        if teacher and lesson.zh:
            acts = ("none", "none", "guidance", "reviewing", "summarization", "note_taking")
            found.append(("instruction", rng.choice(acts), "zh-1"))
            move = rng.choice(("restate", "revoice", "none")) if answers else "none"
            if utterance.text.startswith(("为什么", "你是怎么")):
                move = "press_reasoning"
            found.append(("teacher_move", move, "zh-1-transferred"))
        elif teacher:
            move = rng.choice(("keep_together", "none", "press_accuracy"))
            found.append(("teacher_move", "revoice" if answers else move, "en-1"))
            if answers:
                found.append(("uptake", rng.choice(("low", "mid", "high")), "en-1"))
                found.append(("focusing", rng.choice(("none", "focusing", "funneling")), "en-1"))
        elif utterance.role is Role.STUDENT and not lesson.zh:
            found.append(("student_move", rng.choice(("claim", "evidence", "none")), "en-1"))
        for taxonomy, code, source in found:
            lesson.labels.append(Label(utterance.id, taxonomy, code, p, source, unclear=p < 0.42))
        before = utterance.role


def _finish(lesson: _Lesson, name: str, language: str) -> Observation:
    _read_moves(lesson)
    duration = round(lesson.now, 2)
    silence = [
        RoleSpan(s.start, s.end, Role.SILENCE, 0.97)
        for s in complement((x.span for x in lesson.spans), TimeSpan(0.0, duration))
    ]
    timeline = tuple(sorted(lesson.spans + silence, key=lambda s: (s.start, s.role)))
    video = name.endswith("mp4")
    transcript = Transcript(language, tuple(lesson.utterances), "whisper")
    return Observation(
        recording=Recording(
            name,
            "ab" * 32,
            31_457_280,
            duration,
            "mov,mp4" if video else "wav",
            "aac" if video else "pcm_s16le",
            video,
            0,
            1,
        ),
        provenance=Provenance(
            observer="0.1.0",
            engines=(
                EngineUsed("vad", "silero", "6.2"),
                EngineUsed("transcriber", "whisper", "20250625 small 9ecf77", "best with weights"),
                EngineUsed("labeller", "rules", "2"),
            ),
            settings={"st_interval_seconds": 15.0, "language": language},
            inputs={"recording": "ab" * 32},
            seed=0,
        ),
        quality=_quality(duration, lesson.spans),
        transcript=transcript,
        timeline=timeline,
        labels=tuple(lesson.labels),
        exchanges=tuple(lesson.exchanges),
        waits=tuple(lesson.waits),
        indicators=measure(
            Material(
                duration,
                timeline,
                Discourse(transcript, tuple(lesson.labels)),
                tuple(lesson.exchanges),
                tuple(lesson.waits),
            )
        ),
        language=language,
    )


def _quality(duration: float, spans: Sequence[RoleSpan]) -> Quality:
    speech = total(s.span for s in spans) / duration
    echo = Finding(
        "far_field",
        "The sound is reverberant, as from a microphone far from the speakers; "
        "intervals are widened.",
        "声音有混响，麦克风可能离说话人较远；区间已相应放宽。",
    )
    return Quality(
        duration, round(speech, 3), 17.4, -27.2, 0.0004, 7600.0, True, "usable", 1.3, (echo,)
    )
