"""How recognisers name things in their JSON: one row a program, as data.

A row says where the list of entries is, what its fields are called, and in which unit its times
are. Several rows may have one name: programs wrap the same list differently.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one program names things; a field is tried by each of its names in turn."""

    name: str
    path: tuple[str, ...]
    """Keys from the top to the list of entries; "*" enters every element of a list."""
    needs: frozenset[str]
    """Keys that the first entry must have for the layout to be this one."""
    start: tuple[str, ...]
    end: tuple[str, ...]
    text: tuple[str, ...]
    speaker: tuple[str, ...] = ()
    words: str | None = None
    word: tuple[str, ...] = ()
    word_start: tuple[str, ...] = ()
    word_end: tuple[str, ...] = ()
    confidence: tuple[str, ...] = ()
    scale: float = 1.0
    """Seconds per unit of time in the file."""
    words_from_entry: bool = False
    """Whether word times count from the start of their entry."""
    guess_unit: bool = False
    """Whether times may also be whole milliseconds (see json_layouts)."""


DIALECTS: tuple[Dialect, ...] = (
    Dialect("whisperx_json", ("segments",), frozenset({"start", "text", "speaker"}), ("start",),
            ("end",), ("text",), ("speaker",), "words", ("word", "text"), ("start",), ("end",),
            ("score", "probability")),
    Dialect("whisper_json", ("segments",), frozenset({"start", "text"}), ("start",),
            ("end",), ("text",), ("speaker",), "words", ("word", "text"), ("start",), ("end",),
            ("probability", "score")),
    Dialect("whisper_cpp_json", ("transcription",), frozenset({"offsets", "text"}),
            ("from",), ("to",), ("text",), ("speaker",), scale=0.001),
    Dialect("funasr_json", ("*", "sentence_info"), frozenset({"start", "end"}),
            ("start",), ("end",), ("text", "sentence"), ("spk", "speaker"), scale=0.001),
    Dialect("funasr_json", ("sentence_info",), frozenset({"start", "end"}),
            ("start",), ("end",), ("text", "sentence"), ("spk", "speaker"), scale=0.001),
    Dialect("tencent_json", ("Response", "Data", "ResultDetail"), frozenset({"FinalSentence"}),
            ("StartMs",), ("EndMs",), ("FinalSentence",), ("SpeakerId",), "Words", ("Word",),
            ("OffsetStartMs",), ("OffsetEndMs",), scale=0.001, words_from_entry=True),
    Dialect("tencent_json", ("Data", "ResultDetail"), frozenset({"FinalSentence"}),
            ("StartMs",), ("EndMs",), ("FinalSentence",), ("SpeakerId",), "Words", ("Word",),
            ("OffsetStartMs",), ("OffsetEndMs",), scale=0.001, words_from_entry=True),
    Dialect("tencent_json", ("ResultDetail",), frozenset({"FinalSentence"}),
            ("StartMs",), ("EndMs",), ("FinalSentence",), ("SpeakerId",), "Words", ("Word",),
            ("OffsetStartMs",), ("OffsetEndMs",), scale=0.001, words_from_entry=True),
    Dialect("tencent_json", ("flash_result", "*", "sentence_list"), frozenset({"start_time"}),
            ("start_time",), ("end_time",), ("text",), ("speaker_id",), "word_list", ("word",),
            ("start_time",), ("end_time",), scale=0.001),
    Dialect("dashscope_json", ("transcripts", "*", "sentences"), frozenset({"begin_time"}),
            ("begin_time",), ("end_time",), ("text",), ("speaker_id",), "words", ("text",),
            ("begin_time",), ("end_time",), scale=0.001),
    Dialect("aliyun_json", ("Result", "Sentences"), frozenset({"BeginTime", "Text"}),
            ("BeginTime",), ("EndTime",), ("Text",), ("SpeakerId", "ChannelId"), scale=0.001),
    Dialect("aliyun_json", ("Sentences",), frozenset({"BeginTime", "Text"}),
            ("BeginTime",), ("EndTime",), ("Text",), ("SpeakerId", "ChannelId"), scale=0.001),
    Dialect("volcengine_json", ("result", "*", "utterances"), frozenset({"start_time", "text"}),
            ("start_time",), ("end_time",), ("text",), ("speaker", "speaker_id"), "words",
            ("text",), ("start_time",), ("end_time",), scale=0.001),
    Dialect("volcengine_json", ("result", "utterances"), frozenset({"start_time", "text"}),
            ("start_time",), ("end_time",), ("text",), ("speaker", "speaker_id"), "words",
            ("text",), ("start_time",), ("end_time",), scale=0.001),
    Dialect("volcengine_json", ("resp", "utterances"), frozenset({"start_time", "text"}),
            ("start_time",), ("end_time",), ("text",), ("speaker", "speaker_id"), "words",
            ("text",), ("start_time",), ("end_time",), scale=0.001),
    Dialect("iflytek_json", (), frozenset({"bg", "ed", "onebest"}),
            ("bg",), ("ed",), ("onebest",), ("speaker",), scale=0.001),
    Dialect("seglst_json", (), frozenset({"start_time", "words", "session_id"}),
            ("start_time",), ("end_time",), ("words",), ("speaker",)),
    Dialect("deepgram_json", ("results", "utterances"), frozenset({"start", "transcript"}),
            ("start",), ("end",), ("transcript",), ("speaker",), "words",
            ("punctuated_word", "word"), ("start",), ("end",), ("confidence",)),
    Dialect("segments_json", (), frozenset({"start", "text"}), ("start",), ("end",),
            ("text", "sentence"), ("speaker", "spk", "role"), confidence=(), words="words",
            word=("word", "text"), word_start=("start",), word_end=("end",), guess_unit=True),
    Dialect("segments_json", ("utterances",), frozenset({"start", "text"}), ("start",), ("end",),
            ("text", "sentence"), ("speaker", "spk", "role"), confidence=(), words="words",
            word=("word", "text"), word_start=("start",), word_end=("end",), guess_unit=True),
)  # fmt: skip
"""Tried in this order. Names as documented by each program (docs/formats.md cites them)."""
