"""Saved videos: what is in them, when it is shown, and what is left when something fails."""

from __future__ import annotations

import logging
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest

from fer_edge.engine.errors import BadInput, OutputNotWritable, SourceFailed
from fer_edge.engine.sinks.film_writer import FilmWriter
from fer_edge.engine.sinks.sound import open_sound
from fer_edge.engine.sinks.video import VideoSink
from fer_edge.engine.sinks.video_kinds import ENCODERS, KINDS, video_kind
from fer_edge.engine.sources import open_reader

from ..sources.films import number_of, numbered, write_film

VARIABLE = [0, 0.033, 0.1, 0.2, 0.233, 0.3, 0.6, 0.64, 1.7, 1.8, 4.833]
H264 = [".mp4", ".mkv"]


def noise(count: int, width: int = 64, height: int = 48) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), np.uint8)


def save(path: Path, times_s, images=None, fps: float = 30.0, sound=None, **options) -> Path:
    sink = VideoSink(path, fps, **options)
    sink.add_sound(sound)
    images = [numbered(index) for index in range(len(times_s))] if images is None else images
    for image, time_s in zip(images, times_s, strict=True):
        sink.show(image, time_s)
    sink.finish(complete=True)
    return path


def read(path: Path) -> list:
    reader = open_reader(str(path))
    frames = []
    try:
        while (frame := reader.read()) is not None:
            frames.append(frame)
    except SourceFailed:
        pass
    reader.close()
    return frames


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_pictures_are_shown_when_the_source_showed_them(suffix: str, tmp_path: Path) -> None:
    frames = read(save(tmp_path / f"out{suffix}", VARIABLE))
    assert [frame.time_s for frame in frames] == pytest.approx(VARIABLE, abs=1e-3)
    assert [number_of(frame.image) for frame in frames] == list(range(len(VARIABLE)))
    assert {path.name for path in tmp_path.iterdir()} == {f"out{suffix}"}


def test_avi_repeats_pictures_instead(tmp_path: Path) -> None:
    frames = read(save(tmp_path / "out.avi", VARIABLE, fps=10))
    assert [frame.time_s for frame in frames] == pytest.approx([n / 10 for n in range(49)])
    assert [number_of(frames[n].image) for n in (3, 6, 17, 20, 48)] == [3, 6, 8, 10, 10]


@pytest.mark.parametrize("suffix", KINDS)
def test_browsers_can_show_it(suffix: str, tmp_path: Path) -> None:
    path = save(tmp_path / f"out{suffix}", VARIABLE)
    with av.open(str(path)) as container:
        (film,) = container.streams
        codec = film.codec_context
        wanted = {".webm": ("vp8", "yuv420p"), ".avi": ("mjpeg", "yuvj420p")}
        assert (codec.name, codec.pix_fmt) == wanted.get(suffix, ("h264", "yuv420p"))
        keys = [p.pts * p.time_base for p in container.demux(film) if p.is_keyframe]
    assert keys[0] == 0
    # So that a player can begin, and a fragment end, at any second.
    beginnings = [VARIABLE[0], 1.7, 4.833]
    assert all(any(abs(key - at) < 0.05 for key in keys) for at in beginnings)


def test_a_whole_mp4_is_a_usual_one(tmp_path: Path) -> None:
    data = save(tmp_path / "out.mp4", VARIABLE).read_bytes()
    boxes, at = [], 0
    while at < len(data):
        boxes.append(data[at + 4 : at + 8])
        at += int.from_bytes(data[at : at + 4], "big")
    assert boxes == [b"ftyp", b"free", b"mdat", b"moov"]
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.duration / av.time_base == pytest.approx(4.833, abs=0.05)


@pytest.mark.parametrize("suffix", KINDS)
@pytest.mark.parametrize("size", [(63, 47), (64, 49), (65, 48), (9, 5)])
def test_odd_sizes_get_one_more_column_or_row(suffix: str, size, tmp_path: Path) -> None:
    images = [numbered(index, size) for index in range(3)]
    frames = read(save(tmp_path / f"out{suffix}", [0, 0.1, 0.2], images))
    even = tuple(length + length % 2 for length in size[::-1])
    assert {frame.image.shape[:2] for frame in frames} == {even}
    for frame in frames:
        # The gray of the picture is that of the column.
        assert np.ptp(frame.image.astype(int)) < 12


def test_colours_are_kept(tmp_path: Path) -> None:
    image = np.full((48, 64, 3), (40, 80, 200), np.uint8)
    for suffix in KINDS:
        (frame,) = read(save(tmp_path / f"out{suffix}", [0], [image]))
        assert np.abs(frame.image - image.astype(int)).max() <= 6, suffix


def test_a_source_that_begins_anew_goes_on(tmp_path: Path) -> None:
    frames = read(save(tmp_path / "out.mkv", [0, 0.5, 0, 0.5], fps=10))
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.5, 0.6, 1.1])


@pytest.mark.parametrize(
    "name", ["10:30.mp4", "my video.mkv", "100%d.mp4", "caf\udce9.mp4", "~x.webm", "file:a.avi"]
)
def test_names_of_any_kind(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(read(save(Path(name), [0, 0.1], fps=10))) == 2
    assert os.listdir(tmp_path) == [name]  # noqa: PTH208 - names as they are


# -- sound


def film_with_sound(folder: Path, name: str = "film.mkv", **more) -> Path:
    times_s = [n / 20 for n in range(20)]
    return write_film(folder / name, times_s, rate=20, sound_s=2.0, **more)


def packets(path: Path, kind: str) -> list[tuple[float, bytes]]:
    with av.open(str(path)) as container:
        (track,) = getattr(container.streams, kind)
        return [(float(p.pts * p.time_base), bytes(p)) for p in container.demux(track) if p.size]


def annotated(source: Path, out: Path, with_sound: bool = True, frames: int = 99) -> Path:
    """Save a film as it is."""
    reader = open_reader(str(source))
    sink = VideoSink(out, reader.info.fps)
    if with_sound:
        sink.add_sound(open_sound(reader.info.file, reader.info.begins_s))
    for _ in range(frames):
        if (frame := reader.read()) is None:
            break
        sink.show(frame.image, frame.time_s)
    sink.finish(complete=True)
    reader.close()
    return out


@pytest.mark.parametrize("suffix", H264)
@pytest.mark.parametrize("shift_s", [0.0, 0.4])
@pytest.mark.parametrize("container", ["mkv", "mp4", "ts"])
def test_sound_goes_with_the_pictures_and_as_far(
    container: str, shift_s: float, suffix: str, tmp_path: Path
) -> None:
    source = film_with_sound(tmp_path, f"film.{container}", shift_s=shift_s)
    out = annotated(source, tmp_path / f"out{suffix}")
    before, after = packets(source, "audio"), packets(out, "audio")
    zero_s = packets(source, "video")[0][0]
    kept = [at - zero_s for at, _ in before if 0 <= round(at - zero_s, 6) < 1.0]
    assert [at for at, _ in after] == pytest.approx(kept, abs=2e-3)
    if container != "ts":  # whose packets have headers of their own
        assert {data for _, data in after} <= {data for _, data in before}
    assert len(packets(out, "video")) == 20


def test_sound_ends_with_a_run_that_was_ended(tmp_path: Path) -> None:
    out = annotated(film_with_sound(tmp_path), tmp_path / "out.mp4", frames=8)
    assert packets(out, "audio")[-1][0] < 0.4


def test_sound_that_the_file_cannot_carry_is_left_out_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = film_with_sound(tmp_path)
    with caplog.at_level(logging.WARNING, "fer_edge"):
        out = annotated(source, tmp_path / "out.webm")
        again = annotated(film_with_sound(tmp_path, "aac.ts"), tmp_path / "out.avi")
    assert [record.getMessage() for record in caplog.records] == [
        f"{out}: without sound, which .webm cannot carry",
        f"{again}: without sound, which .avi cannot carry",
    ]
    for path in (out, again):
        with av.open(str(path)) as container:
            assert [stream.type for stream in container.streams] == ["video"]
        assert len(read(path)) == 20


def test_a_film_without_sound_has_none(tmp_path: Path) -> None:
    source = write_film(tmp_path / "film.mp4", [0, 0.1])
    assert open_sound(source, 0.0) is None
    assert open_sound(tmp_path / "missing.mp4", 0.0) is None


# -- failures


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """No file of this process may become larger, as under a quota."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("suffix", KINDS)
def test_a_disk_that_takes_no_more_is_one_error_at_once(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"out{suffix}"
    path.write_text("from an earlier run")
    sink = VideoSink(path, 30.0)
    shown = 0
    with files_up_to(150_000), pytest.raises(OutputNotWritable) as caught:
        for shown, image in enumerate(noise(300)):
            sink.show(image, shown / 30)
    assert str(caught.value) == f"{path}: cannot be written (File too large)"
    assert shown < 299
    sink.finish(complete=False)
    assert path.read_text() == "from an earlier run"


def test_a_disk_that_is_full_at_the_end_is_an_error_too(tmp_path: Path) -> None:
    path = tmp_path / "out.mkv"
    sink = VideoSink(path, 30.0)
    with files_up_to(500):
        sink.show(noise(1)[0], 0.0)
        with pytest.raises(OutputNotWritable, match="File too large"):
            sink.finish(complete=True)
    assert not path.exists()


def test_no_space_is_said_as_such(tmp_path: Path) -> None:
    if not os.access("/dev/full", os.W_OK):
        pytest.skip("needs /dev/full")
    (tmp_path / "full.mkv").symlink_to("/dev/full")
    writer = FilmWriter(tmp_path / "full.mkv", KINDS[".mkv"], (64, 48), 30.0, None)
    with pytest.raises(OSError, match="No space left on device"):
        for index, image in enumerate(noise(10)):
            writer.write(image, index / 30)


KILLED = """
import sys
from pathlib import Path
import numpy as np
from fer_edge.engine.sinks.video import VideoSink
from fer_edge.engine.sources.demo import Demo
sink, demo = VideoSink(Path(sys.argv[1]), 30.0), Demo()
small = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
for index in range(200):
    sink.show(np.roll(small, index, 1), index / 30)
print("shown", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("suffix", KINDS)
def test_a_killed_run_leaves_what_can_be_read(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"out{suffix}"
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, stdin=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"shown\n"
        process.send_signal(signal.SIGKILL)
    assert not path.exists()
    (left,) = tmp_path.iterdir()
    frames = read(left)
    assert frames[-1].time_s >= 199 / 30 - 2
    assert [frame.index for frame in frames] == list(range(len(frames)))


def test_an_encoder_that_is_not_here_is_named(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    for encoder in ENCODERS[2:]:
        said = ""
        try:
            save(path, [0, 0.1], encoder=encoder)
        except OutputNotWritable as error:
            said = str(error)
        if said:
            assert said.startswith(f"{path}: --encoder {encoder} cannot be used here (")
        else:
            assert len(read(path)) == 2
            path.unlink()
        assert not list(tmp_path.iterdir())


def test_encoders_and_suffixes_that_do_not_go_together() -> None:
    with pytest.raises(BadInput, match="no encoder 'x265'; there are auto, libx264"):
        video_kind(Path("a.mp4"), "x265")
    with pytest.raises(BadInput, match=r"makes H\.264, for \.mp4 and \.mkv"):
        video_kind(Path("a.webm"), "h264_nvenc")
    assert video_kind(Path("a.MKV"), "h264_qsv").pixels == "nv12"
    assert video_kind(Path("a.mp4")) is video_kind(Path("b.mp4"))


def test_a_picture_that_no_encoder_takes_is_one_line(tmp_path: Path) -> None:
    sink = VideoSink(tmp_path / "out.mp4", 30.0)
    with pytest.raises(OutputNotWritable, match="cannot be written at 20000x2 "):
        sink.show(np.zeros((2, 20_000, 3), np.uint8), 0.0)
        sink.finish(complete=True)
    assert not list(tmp_path.iterdir())


def test_standard_output_gets_matroska_as_it_comes(tmp_path: Path) -> None:
    script = (
        "import numpy as np; from pathlib import Path\n"
        "from fer_edge.engine.sinks.video import VideoSink\n"
        "sink = VideoSink(Path('-'), 10.0)\n"
        "for n in range(5): sink.show(np.full((48, 64, 3), 40 * n, np.uint8), n / 10)\n"
        "sink.finish(True)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=True)
    path = tmp_path / "got.mkv"
    path.write_bytes(done.stdout)
    with av.open(str(path)) as film:
        times = [frame.time for frame in film.decode(video=0)]
    assert times == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4], abs=1e-3)
