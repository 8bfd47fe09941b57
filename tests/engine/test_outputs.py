from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_edge.engine.errors import OutputNotWritable
from fer_edge.engine.outputs import (
    LONGEST_NAME,
    PendingFile,
    check_writable,
    only_run_in,
    write_file,
)


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def abandoned(final: Path, text: str) -> Path:
    """What a process that was killed while it wrote `final` leaves."""
    script = (
        "import os, sys; from pathlib import Path\n"
        "from fer_edge.engine.outputs import PendingFile\n"
        "pending = PendingFile(Path(sys.argv[1])); pending.path.write_text(sys.argv[2])\n"
        "print(pending.path); sys.stdout.flush(); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(final), text],
        check=False,
        capture_output=True,
        text=True,
    )
    return Path(done.stdout.strip())


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    final = tmp_path / "out.csv"
    pending = PendingFile(final)
    pending.path.write_text("all")
    assert not final.exists()
    assert pending.path.suffix == ".csv"
    pending.commit()
    assert final.read_text() == "all"
    assert names_in(tmp_path) == {"out.csv"}


def test_what_a_crash_left_is_kept_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    final = tmp_path / "out.csv"
    left = [abandoned(final, "first"), abandoned(final, "second")]
    write_file(final, "third")
    assert [path.read_text() for path in left] == ["first", "second"]
    (said,) = caplog.messages
    assert str(left[1]) in said
    assert "1 more" in said


def test_what_a_crash_left_empty_is_not_worth_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    abandoned(tmp_path / "out.csv", "")
    write_file(tmp_path / "out.csv", "now")
    assert caplog.messages == []


def test_two_runs_do_not_write_one_file(tmp_path: Path) -> None:
    first = PendingFile(tmp_path / "out.csv")
    (tmp_path / "link").symlink_to("out.csv")
    for name in ("out.csv", "link"):
        with pytest.raises(OutputNotWritable, match="another run"):
            PendingFile(tmp_path / name)
    with PendingFile(tmp_path / "other.csv"), PendingFile(tmp_path / "out.jsonl"):
        pass
    first.commit()
    write_file(tmp_path / "out.csv", "later")
    assert (tmp_path / "out.csv").read_text() == "later"


def test_of_many_that_start_at_once_one_writes(tmp_path: Path) -> None:
    won: list[PendingFile] = []
    refused: list[OutputNotWritable] = []
    together = threading.Barrier(8)

    def start() -> None:
        together.wait()
        try:
            won.append(PendingFile(tmp_path / "out.csv"))
        except OutputNotWritable as error:
            refused.append(error)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert len(refused) == 7


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "there.csv").write_text("earlier")
    for name, target in (("link.csv", "far/there.csv"), ("new.csv", "far/new.csv")):
        link = tmp_path / name
        link.symlink_to(target)
        write_file(link, "now")
        assert link.is_symlink()
        assert (tmp_path / target).read_text() == "now"
    assert names_in(tmp_path / "far") == {"there.csv", "new.csv"}


def test_links_in_a_circle_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OutputNotWritable, match="a: cannot be written"):
        PendingFile(tmp_path / "a")


def test_a_fifo_is_written_when_it_is_read(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(fifo.read_text()))
    reader.start()
    write_file(fifo, "through")
    reader.join(timeout=30)
    assert read == ["through"]
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    assert names_in(tmp_path) == {"fifo"}


def test_a_device_is_written_as_it_is(tmp_path: Path) -> None:
    write_file(Path(os.devnull), "nothing")
    assert Path(os.devnull).is_char_device()
    (tmp_path / "link").symlink_to("/dev/full")
    with pytest.raises(OutputNotWritable, match=r"link.*space"):
        write_file(tmp_path / "link", "too much")
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("linked", [False, True])
def test_an_open_file_is_written_where_it_stands(linked: bool, tmp_path: Path) -> None:
    with (tmp_path / "log").open("w+") as file:
        file.write("before ")
        file.flush()
        name = Path(f"/dev/fd/{file.fileno()}")
        if linked:
            (tmp_path / "link").symlink_to(name)
            name = tmp_path / "link"
        write_file(name, "after")
        file.seek(0)
        assert file.read() == "before after"


def test_a_minus_is_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    write_file(Path("-"), "one")
    write_file(Path("/dev/stdout"), "two")
    assert capfd.readouterr().out == "onetwo"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("/", "folder"),
        ("", "folder"),
        ("..", "folder"),
        ("x" * 256, "too long"),
        ("missing/out.csv", "No such"),
        ("file/out.csv", "cannot be written"),
    ],
)
def test_names_that_cannot_be_are_one_line(name: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputNotWritable, match=words):
        PendingFile(tmp_path / name)
    assert names_in(tmp_path) == {"file"}


@settings(max_examples=20)
@given(stem=st.text("aé.%: ☺-", min_size=1), suffix=st.sampled_from([".csv", "", ".x" + "y" * 99]))
def test_every_name_that_can_be_is_taken(stem: str, suffix: str) -> None:
    while len(os.fsencode(stem)) < LONGEST_NAME:
        stem += stem
    length = LONGEST_NAME - len(suffix)
    name = os.fsencode(stem)[:length].decode("utf-8", "ignore") + suffix
    with TemporaryDirectory() as folder:
        write_file(Path(folder, name), "content")
        assert Path(folder, name).read_text() == "content"
        assert names_in(Path(folder)) == {name}


def test_names_that_are_no_text_are_taken(tmp_path: Path) -> None:
    for length in (4, 251):
        name = os.fsdecode(b"\xe9" * length + b".csv")
        write_file(tmp_path / name, "content")
        assert (tmp_path / name).read_text() == "content"


def test_long_names_that_begin_alike_do_not_stand_in_each_others_way(tmp_path: Path) -> None:
    with PendingFile(tmp_path / f"{'x' * 250}1"), PendingFile(tmp_path / f"{'x' * 250}2"):
        pass
    assert len(names_in(tmp_path)) == 2


def test_a_file_that_does_not_fit_leaves_the_earlier_one(tmp_path: Path) -> None:
    final = tmp_path / "out.csv"
    final.write_text("earlier")
    script = (
        "import resource, sys; from pathlib import Path\n"
        "from fer_edge.engine.outputs import write_file\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "write_file(Path(sys.argv[1]), 'x' * 5000)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(final)], check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert f"OutputNotWritable: {final}: cannot be written (File too large)" in done.stderr
    assert final.read_text() == "earlier"
    assert names_in(tmp_path) == {"out.csv"}


def test_owner_and_mode_of_the_earlier_file_stay(tmp_path: Path) -> None:
    final = tmp_path / "out.csv"
    final.touch()
    final.chmod(0o600)
    pending = PendingFile(final)
    assert stat.S_IMODE(pending.path.stat().st_mode) == 0o600
    pending.commit()
    assert stat.S_IMODE(final.stat().st_mode) == 0o600


def test_a_mounted_file_is_filled(tmp_path: Path) -> None:
    mounted, final = tmp_path / "mounted", tmp_path / "out.csv"
    mounted.write_text("earlier, and longer")
    final.touch()
    script = (
        f"mount --bind {mounted} {final} && {sys.executable} -c 'from pathlib import Path; "
        f'from fer_edge.engine.outputs import write_file; write_file(Path("{final}"), "now")\''
    )
    unshare = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    if subprocess.run([*unshare, f"mount --bind {mounted} {final}"], check=False).returncode:
        pytest.skip("needs a mount namespace")
    subprocess.run([*unshare, script], check=True)
    assert mounted.read_text() == "now"
    assert names_in(tmp_path) == {"mounted", "out.csv"}


def test_what_cannot_be_moved_stays_beside(tmp_path: Path) -> None:
    pending = PendingFile(tmp_path / "out.csv")
    pending.path.write_text("results")
    (tmp_path / "out.csv").mkdir()
    with pytest.raises(OutputNotWritable, match=f"results are in {pending.path}"):
        pending.commit()
    assert pending.path.read_text() == "results"


def test_an_error_inside_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), PendingFile(tmp_path / "out.csv") as pending:
        pending.path.write_text("half")
        raise RuntimeError
    assert names_in(tmp_path) == set()


def test_a_folder_is_one_runs_at_a_time(tmp_path: Path) -> None:
    one, two = tmp_path / "runs" / "one", tmp_path / "runs" / "two"
    refused = pytest.raises(OutputNotWritable, match="another run")
    with only_run_in(one), only_run_in(two), refused, only_run_in(one):
        pass
    with only_run_in(one):
        pass
    (tmp_path / "file").touch()
    with pytest.raises(OutputNotWritable, match="file"), only_run_in(tmp_path / "file"):
        pass


def test_a_look_ahead_leaves_nothing(tmp_path: Path) -> None:
    check_writable(tmp_path / "out.csv")
    assert names_in(tmp_path) == set()
    with pytest.raises(OutputNotWritable):
        check_writable(tmp_path)
