"""What happens in a simulated lesson: its kind, its voices, and who speaks when."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from models.simulate.clips import Clip, Voice, Wave, pitch, spoken
from observer.timeline import Role, Seconds, Span

TEACHER = "T"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a lesson is like; loudness in dB against the teacher, times in seconds."""

    name: str
    note: str
    reverberation: tuple[float, float] = (0.3, 0.7)
    """RT60; (0, 0) is dry."""
    noise: tuple[float, float] | None = (12.0, 25.0)
    """The teacher over the noise, dB; None is no noise."""
    quieter: tuple[float, float] = (1.0, 8.0)
    raised: tuple[float, float] = (1.0, 1.0)
    """Factor of the students' pitch."""
    overlap: float = 0.15
    """Share of turns that begin before the last one ended."""
    activities: str = "ire:6 lecture:2 choral:1 seat:1"
    """Weights of the activities that are drawn."""
    answers: tuple[int, int] = (1, 2)
    """Students who answer one question."""
    answer: tuple[float, float] = (1.0, 12.0)
    voices: tuple[int, int] = (6, 16)
    companion: str = ""
    """"near": the students' pitch is the teacher's; "adult": one other voice talks at length."""
    before: bool = False
    """The recording begins before the lesson."""


_GROUP = "ire:4 group:3 lecture:1 choral:2 seat:1"
KINDS = (
    Kind("clean", "dry", (0, 0), None, (0, 6), overlap=0.0, activities="ire:5 lecture:3"),
    Kind("room", "reverb and noise"),
    Kind("kids", "child-like far students", (0.4, 0.8), (12, 20), (4, 12), (1.15, 1.35), 0.25),
    Kind(
        "groupwork", "group work and choral answers", (0.4, 0.8), (12, 20), (2, 10), (1.1, 1.3),
        0.3, _GROUP,
    ),
    Kind("choral", "choral answers of 1-8 s and longer ones", activities="ire:3 echo:6 choral:1"),
    Kind("lecture", "no student speech", activities="lecture:3 seat:1"),
    Kind(
        "seminar", "students talk most", quieter=(0, 4), activities="ire:1", answers=(2, 4),
        answer=(5, 16), voices=(4, 8),
    ),
    Kind(
        "tutorial", "two voices of one pitch", quieter=(0, 4), voices=(1, 1), companion="near",
        activities="ire:6 lecture:2 seat:1",
    ),
    Kind("near", "students of the teacher's pitch", quieter=(0, 4), companion="near"),
    Kind("before", "the recording begins before the lesson", before=True),
    Kind("adult", "a second adult talks at length", companion="adult"),
)  # fmt: skip
"""Every kind of lesson; simulated lessons take them in turn."""


@dataclass(frozen=True, slots=True)
class Sounding:
    """One clip on the lesson's clock."""

    start: Seconds
    speaker: str
    role: Role
    kind: str
    """speech, choral or groupwork."""
    level: float
    """dB against the teacher."""
    clip: Clip
    wave: Wave
    audible: tuple[Span, ...]
    """Relative to `start`."""
    phrases: tuple[Span, ...]

    @property
    def end(self) -> Seconds:
        """When the clip is over."""
        return self.start + self.audible[-1].end


@dataclass
class Plan:
    """A lesson while it is being drawn."""

    kind: Kind
    teacher: Voice
    students: list[Voice]
    levels: list[float]
    rng: np.random.Generator
    clock: Seconds = 1.0
    soundings: list[Sounding] = field(default_factory=list)
    activities: list[tuple[str, Seconds, Seconds]] = field(default_factory=list)
    waits: list[Seconds] = field(default_factory=list)

    def teach(self, gap: Seconds, longest: Seconds = 12.0) -> None:
        """The teacher says one clip, `gap` seconds from now."""
        self._say(self.teacher, TEACHER, Role.TEACHER, "speech", self.clock + gap, 0.0, longest)
        self.clock = self.soundings[-1].end

    def student(self, who: int, start: Seconds, kind: str, longest: Seconds, below: float) -> None:
        """One student speaks; the clock stays."""
        level = self.levels[who] - below
        speaker = f"S{who + 1:02d}"
        self._say(self.students[who], speaker, Role.STUDENT, kind, start, level, longest)

    def _say(
        self, voice: Voice, speaker: str, role: Role, kind: str, start: Seconds, level: float,
        longest: Seconds,
    ) -> None:  # fmt: skip
        clip = voice.clips[int(self.rng.integers(len(voice.clips)))]
        wave, heard, parts = spoken(clip, voice.factor, longest)
        level += self.rng.normal(0.0, 1.0)
        item = Sounding(
            start, speaker, role, kind, level, clip, wave, tuple(heard), tuple(parts)
        )  # fmt: skip
        self.soundings.append(item)


def draw_lesson(
    clips: dict[str, tuple[Clip, ...]], kind: Kind, seconds: Seconds, rng: np.random.Generator
) -> Plan:
    """A lesson of about `seconds`; speakers with most clips are teachers."""
    plan = _cast(clips, kind, rng)
    if kind.before:
        _group(plan, min(seconds / 3, float(rng.uniform(20, 45))), "before")
        plan.clock += float(rng.uniform(0.5, 3.0))
    names, weights = zip(*(part.split(":") for part in kind.activities.split()), strict=True)
    chance = np.array(weights, float) / np.sum(np.array(weights, float))
    ready = sorted({"choral", "echo", "group", "ire"}.intersection(names))
    while plan.clock < seconds - 2.0:
        name = ready.pop() if ready else str(rng.choice(names, p=chance))
        begin = plan.clock
        _ACTIVITIES[name](plan)
        plan.activities.append(("choral" if name == "echo" else name, begin, plan.clock))
    return plan


def _cast(clips: dict[str, tuple[Clip, ...]], kind: Kind, rng: np.random.Generator) -> Plan:
    often = sorted(clips, key=lambda s: (-len(clips[s]), s))
    rich = [s for s in often if len(clips[s]) >= 5] or often[:1]
    lead = str(rng.choice(rich))
    teacher = Voice(lead, clips[lead], float(rng.choice([0.94, 1.0, 1.06])))
    others = [s for s in clips if s != lead and (len(clips[s]) < 5 or len(rich) == len(clips))]
    count = min(len(others), int(rng.integers(kind.voices[0], kind.voices[1] + 1)))
    chosen = [str(s) for s in rng.choice(others, count, replace=False)]
    students = [Voice(s, clips[s], float(rng.uniform(*kind.raised))) for s in chosen]
    levels = [-float(rng.uniform(*kind.quieter)) for _ in students]
    if kind.companion == "near":
        students = [_near(teacher, voice) for voice in students]
    elif kind.companion == "adult" and len(rich) > 1:
        second = str(rng.choice([s for s in rich if s != lead]))
        students.append(Voice(second, clips[second]))
        levels.append(-float(rng.uniform(0, 3)))
    return Plan(kind, teacher, students, levels, rng)


def _near(teacher: Voice, student: Voice) -> Voice:
    """The student's voice moved to the teacher's pitch, by a fifth at most."""
    own, aim = pitch(student), pitch(teacher)
    factor = float(np.clip(aim / own, 1 / 1.5, 1.5)) if own and aim else 1.0
    return replace(student, factor=factor)


def _lecture(plan: Plan) -> None:
    for _ in range(int(plan.rng.integers(2, 5))):
        plan.teach(float(plan.rng.uniform(0.1, 1.0)), 20.0)


def _ire(plan: Plan) -> None:
    """The teacher asks, waits, one or more students answer, the teacher goes on."""
    rng, kind = plan.rng, plan.kind
    for _ in range(int(rng.integers(1, 3))):
        plan.teach(float(rng.uniform(0.1, 0.8)), float(rng.uniform(2.0, 9.0)))
    wait = float(min(5.5, rng.lognormal(0.2, 0.7)))
    if rng.random() < kind.overlap:
        wait = -float(rng.uniform(0.1, 0.6))
    if wait > 0.4:
        plan.waits.append(wait)
    for _ in range(int(rng.integers(kind.answers[0], kind.answers[1] + 1))):
        who = int(rng.integers(len(plan.students)))
        if kind.companion == "adult" and rng.random() < 0.5:
            who = len(plan.students) - 1
        plan.student(who, plan.clock + wait, "speech", float(rng.uniform(*kind.answer)), 0.0)
        plan.clock = max(plan.clock, plan.soundings[-1].end)
        wait = float(rng.uniform(0.1, 0.8))
    if rng.random() < 0.8:
        gap = -float(rng.uniform(0.1, 0.6)) if rng.random() < kind.overlap else 0.3
        plan.teach(gap, float(rng.uniform(1.0, 5.0)))


def _chorus(plan: Plan, longest: Seconds) -> None:
    rng = plan.rng
    plan.teach(float(rng.uniform(0.1, 0.8)), 5.0)
    start = plan.clock + float(rng.uniform(0.1, 0.8))
    for who in rng.permutation(len(plan.students))[:12]:
        begin = start + float(abs(rng.normal(0, 0.05)))
        plan.student(int(who), begin, "choral", longest, 4.0)
        plan.clock = max(plan.clock, plan.soundings[-1].end)


def _choral(plan: Plan) -> None:
    _chorus(plan, float(plan.rng.uniform(9.0, 16.0)))


def _echo(plan: Plan) -> None:
    """A short answer of the whole class."""
    _chorus(plan, float(plan.rng.uniform(1.0, 8.0)))


def _group_work(plan: Plan) -> None:
    _group(plan, float(plan.rng.uniform(25, 45)), "group")


def _group(plan: Plan, seconds: Seconds, name: str) -> None:
    """Everybody speaks, each with pauses; the teacher walks about and says something."""
    rng, begin = plan.rng, plan.clock
    last = begin
    for who in range(len(plan.students)):
        at = begin + float(rng.uniform(0.0, 3.0))
        while at < begin + seconds - 2.0:
            plan.student(who, at, "groupwork", float(rng.uniform(3, 15)), 7.0)
            at = plan.soundings[-1].end + float(rng.exponential(1.0))
            last = max(last, plan.soundings[-1].end)
    if name == "group":
        for _ in range(int(rng.integers(1, 4))):
            plan.clock = begin + float(rng.uniform(3.0, max(4.0, seconds - 8.0)))
            plan.teach(0.0, 5.0)
            last = max(last, plan.clock)
    else:
        plan.activities.append((name, begin, last))
    plan.clock = last


def _seat(plan: Plan) -> None:
    """Silent work."""
    plan.clock += float(plan.rng.uniform(6.0, 20.0))


_ACTIVITIES: dict[str, Callable[[Plan], None]] = {
    "lecture": _lecture, "ire": _ire, "choral": _choral, "echo": _echo, "group": _group_work,
    "seat": _seat,
}  # fmt: skip
