"""Would the Mandarin rules be better off as spaCy Matcher patterns? docs/decisions/0006-carrier.md.

    python benchmarks/carrier.py DATA

Every pattern of models/rules/zh.toml is translated into Matcher patterns (one token a character)
as far as that is possible; what came out is compared with the regular expression on the sentences
of DATA/questions_zh/train.jsonl: how many patterns, same sentences found, time.
"""

import argparse
import json
import re
import resource
import time
from collections import Counter
from itertools import product
from multiprocessing import Pipe, Process
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import spacy
from spacy.matcher import Matcher

from models.rules import TAXONOMY_OF, Rule, load_rules

Token = dict[str, Any]
MOST = 1_000
"""Matcher patterns for one rule; beyond, the file is no longer something a person reads."""


PATIENCE = 10
"""CPU seconds after which a rule's Matcher is stopped."""


class Untranslatable(Exception):
    """Something that a token pattern cannot say; the message is the reason."""


def translated(nodes: Any) -> list[list[Token]]:
    """All token patterns for a parsed regular expression."""
    found: list[list[Token]] = [[]]
    for name, value in nodes:
        options = node(str(name), value)
        if len(found) * len(options) > MOST:
            raise Untranslatable(f"more than {MOST} patterns")
        found = [a + b for a, b in product(found, options)]
    return found


def node(name: str, value: Any) -> list[list[Token]]:
    if name == "LITERAL":
        return [[{"ORTH": chr(value)}]]
    if name in ("IN", "NOT_LITERAL", "ANY"):
        return [[{"TEXT": {"REGEX": one_of(name, value)}}]]
    if name == "BRANCH":
        return [option for branch in value[1] for option in translated(branch)]
    if name == "SUBPATTERN":
        return translated(value[-1])
    if name in ("MAX_REPEAT", "MIN_REPEAT"):
        return repeated(*value)
    reasons = {
        "AT": "start or end of the text",
        "ASSERT": "what stands before or after",
        "ASSERT_NOT": "what may not stand before or after",
        "GROUPREF": "the same character again",
    }
    raise Untranslatable(reasons.get(name, name))


def one_of(name: str, value: Any) -> str:
    if name == "ANY":
        return "."
    if name == "NOT_LITERAL":
        return f"^[^{re.escape(chr(value))}]$"
    parts = []
    for kind, item in value:
        if str(kind) == "LITERAL":
            parts.append(re.escape(chr(item)))
        elif str(kind) == "RANGE":
            parts.append(f"{re.escape(chr(item[0]))}-{re.escape(chr(item[1]))}")
        elif str(kind) == "NEGATE":
            parts.append("^")
        else:
            parts.append({"CATEGORY_DIGIT": r"\d", "CATEGORY_SPACE": r"\s"}.get(str(item), r"\w"))
    return f"^[{''.join(parts)}]$"


def repeated(least: int, most: Any, inner: Any) -> list[list[Token]]:
    options = translated(inner)
    unbounded = str(most) == "MAXREPEAT"
    if all(len(option) == 1 for option in options) and len(options) == 1:
        bound = "" if unbounded else int(most)
        return [[{**options[0][0], "OP": f"{{{least},{bound}}}"}]]
    if unbounded or most > 2:
        raise Untranslatable("repeated words")
    if len(options) ** int(most) > MOST:
        raise Untranslatable(f"more than {MOST} patterns")
    return [
        [token for part in chosen for token in part]
        for count in range(least, most + 1)
        for chosen in product(options, repeat=count)
    ]


def raced(rule: Rule, options: list[list[Token]], texts: list[str], told: Connection) -> None:
    """In a process of its own: (seconds by expression, by Matcher, same sentences)."""
    used = int(time.process_time())
    resource.setrlimit(resource.RLIMIT_CPU, (used + PATIENCE, used + PATIENCE))
    nlp = spacy.blank("zh")
    docs = [nlp.make_doc(text) for text in texts]
    matcher = Matcher(nlp.vocab)
    matcher.add(rule.name, options)
    began = time.process_time()
    found = [rule.match.search(text) is not None for text in texts]
    searched = time.process_time() - began
    again = [bool(matcher(doc)) for doc in docs]
    told.send((searched, time.process_time() - began - searched, found == again))


def main() -> None:
    """Print what came out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--sentences", type=int, default=300)
    rules = load_rules("zh")
    chosen = parser.parse_args()
    rows = (chosen.data / "questions_zh" / "train.jsonl").read_text("utf-8").splitlines()
    texts = [rules.folded(json.loads(line)["text"]) for line in rows[: chosen.sentences]]
    why, raced_well, stopped = Counter[str](), list[tuple[float, float, bool]](), 0
    every = [rule for table in TAXONOMY_OF for rule in rules.tables[table] if rule.match.pattern]
    for rule in every:
        try:
            options = translated(re._parser.parse(rule.match.pattern))
            if rule.unless is not None:
                translated(re._parser.parse(rule.unless.pattern))
        except Untranslatable as reason:
            why[str(reason)] += 1
            continue
        here, there = Pipe()
        process = Process(target=raced, args=(rule, options, texts, there))
        process.start()
        there.close()
        try:
            result = here.recv()
            raced_well.append(result)
            told = f"expression {result[0]:.4f} s, Matcher {result[1]:.3f} s, same: {result[2]}"
        except EOFError:
            stopped += 1
            told = f"Matcher stopped after {PATIENCE} CPU seconds"
        process.join()
        print(f"{rule.name}: {len(options)} patterns, {told}", flush=True)
    print(f"{len(every)} rules; {len(raced_well) + stopped} translate with their exceptions")
    print(f"the others stop at: {why.most_common()}")
    print(f"{stopped} take the Matcher more than {PATIENCE} CPU seconds on {len(texts)} sentences")
    print(f"of {len(raced_well)} others {sum(r[2] for r in raced_well)} find the same sentences;")
    print(f"expressions {sum(r[0] for r in raced_well):.4f} s, Matcher "
          f"{sum(r[1] for r in raced_well):.3f} s")  # fmt: skip


if __name__ == "__main__":
    main()
