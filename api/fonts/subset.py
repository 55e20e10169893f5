"""Makes the two font files of this folder: `python subset.py PACKAGE FOLDER` (needs fonttools)."""

import sys
from pathlib import Path

from fontTools import subset  # type: ignore[import-not-found] # a build tool, not a dependency

RANGES = (
    (0x20, 0x7E), (0xA0, 0x24F), (0x370, 0x45F), (0x1E00, 0x1EFF), (0x2000, 0x20CF),
    (0x2100, 0x226F), (0x2460, 0x266F), (0x2713, 0x2713), (0x2717, 0x2717), (0x3000, 0x312F),
    (0xFF00, 0xFFEF),
)  # fmt: skip
EXTENSION_A = (
    "㑇㑊㕮㘎㙍㙘㙦㛃㛚㛹㟃㠇㠓㤘㥄㧐㧑㧟㫰㬊㬎㬚㭎㭕㮾㰀㳇㳘㳚㴔㴟㵐㶲㸆㸌㺄㻬㽏㿠䁖䂮䃅䃎䅟䌹䎃䎖䏝䏡䏲"
    "䐃䓖䓛䓨䓫䓬䗖䗛䗪䗴䜣䝙䢺䢼䣘䥇䥽䦃䩄䯅䰾䲟䲠䲢䴓䴔䴕䴖䴗䴘䴙䶮"
)


def characters(codec: str) -> set[int]:
    """Code points of a two-byte Chinese encoding."""
    pairs = (bytes([a, b]) for a in range(0x81, 0xFF) for b in range(0x40, 0xFF))
    decoded = (pair.decode(codec, "ignore") for pair in pairs)
    return {ord(c) for c in decoded if len(c) == 1}


def make(source: Path, target: Path, codec: str) -> None:
    """Write the subset; hinting and vertical metrics go, kerning and narrow quotes (pwid) stay."""
    options = subset.Options()
    options.layout_features = ["kern", "locl", "ccmp", "mark", "mkmk", "pwid"]
    options.hinting = options.glyph_names = options.recalc_timestamp = False
    options.notdef_outline = True
    options.name_IDs = ["*"]
    options.drop_tables += ["vhea", "vmtx", "VORG"]
    font = subset.load_font(str(source), options)
    wanted = characters(codec) | {c for low, high in RANGES for c in range(low, high + 1)}
    if codec == "gbk":
        rare = (c for c in font.getBestCmap() if c > 0xFFFF or 0x9FA6 <= c < 0xA000 or c < 0x2E80)
        wanted |= set(rare) | set(map(ord, EXTENSION_A))
    cut = subset.Subsetter(options)
    cut.populate(unicodes=wanted)
    cut.subset(font)
    subset.save_font(font, str(target), options)


if __name__ == "__main__":
    package, folder = map(Path, sys.argv[1:3])
    make(package / "400Regular/NotoSansSC_400Regular.ttf", folder / "NotoSansSC-Regular.ttf", "gbk")
    make(package / "700Bold/NotoSansSC_700Bold.ttf", folder / "NotoSansSC-Bold.ttf", "gb2312")
