"""How many mentions of students' names are masked, and how much that is no name.

    python benchmarks/masking.py english talkmoves/train.jsonl.gz
    python benchmarks/masking.py read sentences.tsv
    python benchmarks/masking.py lessons dialogid_dev.csv.gz names.txt

`english`: lessons whose speakers are named. The truth is what the transcriber called the students;
mentions are these names in what was said; the labels are not given to the rules. What is masked
besides is printed: a student who never speaks, a person in a sum, or a mistake.

`read`: a line a sentence, a tab, the names in it with 、 between, as somebody who read them found
them. Each sentence stands alone, so nothing is known from the rest of its lesson.

`lessons`: lessons made of sentences (300 drawn from the first column of a CSV) and names (a full
name a line; 12 to a lesson), in the forms of `CALLED` and `PASSING`: the former are those in which
names stood in the train split of DialogID, the latter speak of a student without a cue. Each is
masked thrice: as heard; with the class list; and misheard (three mentions in ten written with
other characters of the same syllables) with the class list. What is masked besides the inserted
names is counted per 1,000 characters; DialogID's own names are in it.

Measured on 2026-11-22 (2 busy cores; CPU time):

- english: train, lessons looked at (even) 4,204 mentions, 99.2 % masked; not looked at (odd) 5,444,
  99.4 %; dev 846, 99.6 %. Besides, 5 to 7 of 1,000 words: of 200 of them that were read 85 % are
  students who do not speak and persons in sums, so about 1 of 1,000 words is masked wrongly.
- read: 81 % of 78 names in 5,500 sentences (how they were read, and what two other readings gave:
  docs/decisions/0010-taking-away.md); besides .13 in 1,000 characters.
- lessons, dev split: 94.1 % as heard, 99.4 % with the class list, 92.2 % misheard with it, names of
  children of mock data; 94.7, 99.0 and 90.1 % with names of Faker's zh_CN. 20 to 30 ms a lesson.
"""

import argparse
import csv
import gzip
import json
import random
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from api.masking.chinese import given_name
from api.masking.english import EnglishNames
from api.masking.lesson import MandarinNames
from api.masking.sounds import sound_table
from observer.timeline import Role
from observer.transcript import Utterance

LABEL = re.compile(r"[A-Z][a-z]{2,}")
NEUTRAL = {"Machine", "Video", "Student", "Teacher", "Students", "Class", "Group", "All"}
CALLED = """
{}，你来说。 请{}同学来回答。 {}同学说得很好。 好，{}。 {}，你觉得呢？ {}非常棒！ 我们请{}来说一说。
来，{}，你读一下。 {}也很不错啊。 我看到{}举手了。 {}答得非常好。 {}小朋友，你好。 表扬{}。
谢谢{}。 那{}你来告诉老师。 还有我们的{}宝贝。 {}和{}，你们上来。 嗯，{}你说。 {}再见。 {}，坐下。
让{}试试看。 {}先来说一下。 对，{}说得很完整。 同学{}早上好。
""".split()
PASSING = """
把{}的本子拿过来。 刚才{}是用另一种办法算的。 这个跟{}的不一样。 我想起{}上次的做法了。
{}那一组已经做完了。 坐在{}后面的那个位置。 这道题只有{}做出来了。 等一下{}。
""".split()
STUDENTS, SENTENCES, LESSONS = 12, 300, 40


@dataclass
class Score:
    """Mentions and how many of them were masked, by kind; what was masked besides."""

    mentions: Counter[str] = field(default_factory=Counter)
    hit: Counter[str] = field(default_factory=Counter)
    besides: Counter[str] = field(default_factory=Counter)
    size: int = 0
    """Characters (Mandarin) or words (English) that were said."""

    def told(self, title: str, unit: str) -> str:
        """One line of a table."""
        kinds = ", ".join(
            f"{k} {self.hit[k]}/{n} ({self.hit[k] / n:.1%})" for k, n in self.mentions.items()
        )
        total, masked = self.mentions.total(), self.hit.total()
        other = 1000 * self.besides.total() / max(1, self.size)
        return (
            f"{title}: {masked}/{total} ({masked / max(1, total):.1%}); {kinds}; besides "
            f"{self.besides.total()}, {other:.2f} in 1,000 {unit}"
        )


def count(score: Score, text: str, spans: Iterable[tuple[int, int]], names: dict[str, str]) -> None:
    """Add one sentence; `names` → kind. A mention counts when all of it is masked."""
    spans, used = list(spans), set[tuple[int, int]]()
    either = "|".join(re.escape(n) for n in sorted(names, key=len, reverse=True))
    for match in re.finditer(either, text) if names else ():
        over = {s for s in spans if s[0] < match.end() and s[1] > match.start()}
        covered = {at for start, end in over for at in range(start, end)}
        score.mentions[names[match[0]]] += 1
        score.hit[names[match[0]]] += set(range(*match.span())) <= covered
        used |= over
    score.besides.update(text[a:b] for a, b in spans if (a, b) not in used)


def english(source: Path) -> dict[str, Score]:
    """Score of the even and of the odd lessons."""
    scores = {"even lessons": Score(), "odd lessons": Score()}
    with gzip.open(source, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            rows = json.loads(line)["utterances"]
            texts = [str(row["sentence"]) for row in rows]
            labels = {str(row.get("speaker")) for row in rows} - NEUTRAL
            found = EnglishNames(texts)
            score = scores["odd lessons" if number % 2 else "even lessons"]
            for text in texts:
                spans = found.spans(text)
                score.size += len(text.split())
                inside = {n: "names" for n in labels if LABEL.fullmatch(n)}
                inside = {n: k for n, k in inside.items() if re.search(rf"\b{n}\b", text)}
                count(score, text, spans, inside)
    return scores


def read(source: Path) -> Score:
    """Score of sentences that somebody has read."""
    found, score = MandarinNames(()), Score()
    for line in source.read_text(encoding="utf-8").splitlines():
        text, _, names = line.partition("\t")
        score.size += len(text)
        count(score, text, found.spans(text), {n: "names" for n in names.split("、") if n})
    return score


def lessons(sentences: Path, names: Path, seed: int = 1) -> Iterator[tuple[str, Score, float]]:
    """(what was tried, score, milliseconds a lesson) of lessons made up of both."""
    with gzip.open(sentences, "rt", encoding="utf-8") as file:
        said = [row[0] for row in csv.reader(file)][1:]
    listed = [n for n in names.read_text(encoding="utf-8").split() if 2 <= len(n) <= 4]
    for title, given, misheard in (
        ("as heard", False, 0.0), ("class list", True, 0.0), ("misheard, class list", True, 0.3),
    ):  # fmt: skip
        rng, score, spent = random.Random(seed), Score(), 0.0
        for _ in range(LESSONS):
            students = rng.sample(listed, STUDENTS)
            lines = [(text, dict[str, str]()) for text in rng.sample(said, SENTENCES)]
            lines += [
                _mention(rng, s, misheard) for s in students for _ in range(rng.randint(1, 6))
            ]
            rng.shuffle(lines)
            heard = [Utterance(f"u{i}", t, role=Role.TEACHER) for i, (t, _) in enumerate(lines)]
            start = time.process_time()
            found = MandarinNames(heard, students if given else ())
            spans = [found.spans(text) for text, _ in lines]
            spent += time.process_time() - start
            for (text, inside), masked in zip(lines, spans, strict=True):
                score.size += len(text)
                count(score, text, masked, inside)
        yield title, score, 1000 * spent / LESSONS


def _mention(rng: random.Random, name: str, misheard: float) -> tuple[str, dict[str, str]]:
    """A sentence with a name in it, and the kind of mention."""
    called = rng.random() < 0.75
    form = rng.choice(CALLED if called else PASSING)
    given = given_name(name)
    short = bool(given) and rng.random() < 0.6
    written = given if short else name
    if rng.random() < misheard:
        written = "".join(rng.choice(_same_sound(c)) for c in written)
    kind = ("given name" if short else "full name") + (", called" if called else ", in passing")
    return form.replace("{}", written), {written: kind}


def _same_sound(character: str) -> str:
    table = sound_table()
    at = table.get(character)
    return "".join(c for c, s in table.items() if s == at) or character


def main() -> None:
    """See the top of the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("english", "read", "lessons"))
    parser.add_argument("source", type=Path)
    parser.add_argument("names", type=Path, nargs="?")
    parser.add_argument("--besides", type=int, default=0, help="print so many of the others")
    asked = parser.parse_args()
    scores: list[tuple[str, Score, str]] = []
    if asked.what == "english":
        scores = [(t, s, "words") for t, s in english(asked.source).items()]
    elif asked.what == "read":
        scores = [("sentences", read(asked.source), "characters")]
    else:
        for title, score, spent in lessons(asked.source, asked.names):
            scores.append((f"{title} ({spent:.0f} ms a lesson)", score, "characters"))
    for title, score, unit in scores:
        print(score.told(title, unit))
        if asked.besides:
            print("  " + ", ".join(f"{w} {n}" for w, n in score.besides.most_common(asked.besides)))


if __name__ == "__main__":
    main()
