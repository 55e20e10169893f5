"""Writing whole or not at all, and what is said when it cannot be done."""

import errno
import hashlib
import os
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from observer.errors import OutputError
from observer.files import replacing, sha256_of, write_atomically


def test_the_sha256_is_that_of_the_whole_file_whatever_its_length(tmp_path: Path) -> None:
    # Longer than one block of 1 MiB and no multiple of it.
    data = bytes(range(256)) * 5000 + b"end"
    (tmp_path / "a").write_bytes(data)
    assert sha256_of(tmp_path / "a") == hashlib.sha256(data).hexdigest()


def test_a_missing_file_has_no_sha256(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        sha256_of(tmp_path / "none")


def test_text_is_written_as_utf8_and_an_older_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "课堂.csv"
    path.write_text("old")
    write_atomically(path, "问题\r\n")
    assert path.read_bytes() == "问题\r\n".encode()
    assert [item.name for item in tmp_path.iterdir()] == ["课堂.csv"]


def test_a_new_file_gets_the_usual_permissions(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "a", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640  # 0666 without 0027


def test_a_very_long_name_still_fits_with_its_temporary_name(tmp_path: Path) -> None:
    name = "课" * 83 + ".json"  # 83 × 3 + 5 = 254 bytes of the 255 that are allowed
    write_atomically(tmp_path / name, b"x")
    assert (tmp_path / name).read_bytes() == b"x"


def test_when_the_work_fails_the_old_file_stays_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    with pytest.raises(TypeError), replacing(path) as temporary, temporary.open("wb") as file:
        file.writelines([b"half of the n", "not bytes"])  # type: ignore[list-item]
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_of_the_work_that_is_not_about_writing_passes_unchanged(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "a"):
        (tmp_path / "some input").read_bytes()
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_and_one_in_the_way_are_told(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="folder does not exist") as caught:
        write_atomically(tmp_path / "no" / "a.txt", b"x")
    assert "文件夹不存在" in caught.value.zh
    (tmp_path / "taken").mkdir()
    with pytest.raises(OutputError, match="in the way"):
        write_atomically(tmp_path / "taken", b"x")
    assert [item.name for item in tmp_path.iterdir()] == ["taken"]


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    """A real refusal of the kernel: the process may write no file over 64 KiB (EFBIG)."""
    program = """
        import resource, sys
        from pathlib import Path
        from observer.errors import OutputError
        from observer.files import write_atomically
        resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
        try:
            write_atomically(Path(sys.argv[1]), b"x" * 200_000)
        except OutputError as error:
            print(error.en)
    """
    path = tmp_path / "big"
    path.write_text("old")
    done = _run(program, path)
    assert "may not grow larger" in done
    assert "nothing was left half-written" in done
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("code", "en", "zh"),
    [
        (errno.ENOSPC, "disk is full", "磁盘已满"),
        (errno.EDQUOT, "quota", "配额"),
        (errno.EROFS, "read-only", "只读"),
    ],
)
def test_what_the_system_says_while_writing_is_told_in_both_languages(
    tmp_path: Path, code: int, en: str, zh: str
) -> None:
    with pytest.raises(OutputError) as caught, replacing(tmp_path / "a"):
        raise OSError(code, os.strerror(code))
    assert en in caught.value.en
    assert zh in caught.value.zh
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_write_permission_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    program = """
        import os, sys
        from pathlib import Path
        from observer.errors import OutputError
        from observer.files import write_atomically
        os.chdir(Path(sys.argv[1]).parent)
        if os.geteuid() == 0:
            os.setuid(65534)  # root may write anywhere: be nobody
        try:
            write_atomically(Path("a"), b"x")
        except OutputError as error:
            print(error.en)
    """
    try:
        assert "no permission" in _run(program, tmp_path / "a")
    finally:
        tmp_path.chmod(0o755)
    assert list(tmp_path.iterdir()) == []


def _run(program: str, path: Path) -> str:
    """Run a program in a process of its own and give what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    return done.stdout
