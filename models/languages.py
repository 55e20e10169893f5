"""Language tags as recognisers name languages."""


def primary_language(tag: str | None) -> str | None:
    """The code for a language tag: "zh-CN", "cmn" → "zh"; None, "auto", "und" → None."""
    if not tag or tag.lower() in ("auto", "und"):
        return None
    code = tag.lower().replace("_", "-").split("-")[0]
    return "zh" if code == "cmn" else code
