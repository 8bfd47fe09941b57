"""Films in files of many kinds: which frames come, when they are shown, and where they end."""

from __future__ import annotations

import logging
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from fer_edge.engine.errors import BadInput, SourceFailed
from fer_edge.engine.sources import Connection, open_reader, open_source
from fer_edge.engine.types import Frame

from .films import number_of, numbered, write_film, write_sound

X264 = {"preset": "veryfast", "bf": "2", "qp": "4"}
FRAGMENTS = {"movflags": "frag_keyframe+empty_moov"}
VPX = {"deadline": "realtime", "cpu-used": "8"}
# A second or less of each kind of rate.
RATES = {
    "constant": [n / 30 for n in range(12)],
    "slow": [n / 4 for n in range(5)],
    "variable": [0, 0.033, 0.1, 0.2, 0.233, 0.3, 0.6, 0.64, 0.7, 0.8, 0.833],
    "as browsers record": [0, 0.034, 0.066, 0.101, 0.133, 0.168, 0.33, 0.401, 0.433, 0.468],
}
# Suffix, encoder, ticks a second, what else `write_film` takes.
KINDS = [
    ("mp4", "libx264", 90_000, {"options": X264}),
    ("mp4", "mpeg4", 30_000, {"options": {"qmax": "3"}}),
    ("mov", "prores_ks", 90_000, {"pixels": "yuv422p10le"}),
    ("mp4", "libx264", 90_000, {"options": X264, "sound_s": 1.5}),
    ("mp4", "libx264", 90_000, {"muxing": FRAGMENTS}),
    ("mkv", "libx264", 1000, {"options": X264}),
    ("mkv", "libx264", 1000, {"options": X264, "sound_s": 2.0}),
    ("mkv", "ffv1", 1000, {}),
    ("webm", "libvpx", 1000, {"options": VPX, "muxing": {"live": "1"}, "rate": 1000}),
    ("webm", "libvpx-vp9", 1000, {"options": VPX, "sound_s": 2.0, "sound": "libopus"}),
    ("ts", "libx264", 90_000, {"options": X264}),
    ("ts", "libx264", 90_000, {"options": X264, "sound_s": 2.0}),
    ("flv", "libx264", 1000, {"options": X264, "sound_s": 2.0}),
    ("wmv", "wmv2", 1000, {}),
    ("avi", "mjpeg", 1000, {"pixels": "yuvj420p"}),
    ("gif", "gif", 100, {"pixels": "rgb8"}),
]


def read(path: Path) -> list[Frame]:
    with open_source(str(path)) as feed:
        frames = list(feed)
        assert feed.captured == len(frames)
    return frames


def shown_s(path: Path) -> list[float]:
    """The times of a film's frames by ffprobe, or of its packets where there is none."""
    if shutil.which("ffprobe"):
        words = "-v quiet -select_streams v:0 -show_entries frame=pts_time -of csv=p=0".split()
        done = subprocess.run(
            ["ffprobe", *words, str(path)], capture_output=True, text=True, check=True
        )
        times_s = [float(line.strip(",")) for line in done.stdout.split()]
    else:
        with av.open(str(path)) as container:
            packets = [p for p in container.demux(container.streams.video[0]) if p.size]
            times_s = sorted(float(p.pts * p.time_base) for p in packets)
    return [time_s - times_s[0] for time_s in times_s]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: " ".join([*kind[:2], *kind[3]]))
def test_every_frame_comes_when_its_container_says(kind, rate: str, tmp_path: Path) -> None:
    suffix, codec, clock, more = kind
    path = write_film(tmp_path / f"film.{suffix}", RATES[rate], codec, clock=clock, **more)
    frames = read(path)
    times_s = [frame.time_s for frame in frames]
    assert times_s == pytest.approx(shown_s(path), abs=1e-3)
    assert times_s == pytest.approx(RATES[rate], abs=0.5 / clock + 1e-6)
    assert [frame.index for frame in frames] == list(range(len(frames)))
    grays = [frame.image.mean() for frame in frames]
    assert grays == sorted(grays)


def test_numbers_of_a_raw_stream_are_its_times(tmp_path: Path) -> None:
    """It has no others: the rate stands in its pictures."""
    path = write_film(tmp_path / "film.h264", RATES["constant"], clock=30)
    assert [frame.time_s for frame in read(path)] == pytest.approx(RATES["constant"])


def test_an_edit_list_leaves_out_the_beginning(tmp_path: Path) -> None:
    path = write_film(tmp_path / "cut.mp4", RATES["constant"], options=X264, shift_s=-0.2)
    frames = read(path)
    assert [number_of(frame.image) for frame in frames] == [6, 7, 8, 9, 10, 11]
    assert [frame.time_s for frame in frames] == pytest.approx(RATES["constant"][:6], abs=1e-3)


def test_zero_is_the_first_frame_however_late_it_is(tmp_path: Path) -> None:
    path = write_film(tmp_path / "late.mp4", RATES["constant"], shift_s=0.4, sound_s=1.0)
    assert [frame.time_s for frame in read(path)] == pytest.approx(RATES["constant"], abs=1e-3)


def test_a_clock_that_begins_anew_goes_on(tmp_path: Path) -> None:
    """Recordings that were joined byte by byte."""
    parts = [
        write_film(tmp_path / f"{n}.ts", [n * 9.0 + time_s for time_s in RATES["constant"]])
        for n in (1, 0)
    ]
    (tmp_path / "both.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    times_s = [frame.time_s for frame in read(tmp_path / "both.ts")]
    assert times_s == pytest.approx([n / 30 for n in range(24)], abs=2e-3)


def test_the_largest_film_is_taken(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "two.mkv"), "w") as out:
        films = [out.add_stream("ffv1", rate=30) for _ in range(2)]
        sizes = [(32, 24), (64, 48)]
        for film, (film.width, film.height) in zip(films, sizes, strict=True):
            film.pix_fmt = "yuv420p"
        for film, size in zip(films, sizes, strict=True):
            frame = av.VideoFrame.from_ndarray(numbered(3, size), "bgr24")
            out.mux(film.encode(frame.reformat(format="yuv420p")))
            out.mux(film.encode())
    assert [frame.image.shape for frame in read(tmp_path / "two.mkv")] == [(48, 64, 3)]


def zeroed(path: Path, number: int) -> Path:
    """The file with the bytes of one packet of its film set to zero."""
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(container.streams.video[0]) if p.size]
        packet = bytes(packets[number])
    data = path.read_bytes()
    assert data.count(packet) == 1
    path.write_bytes(data.replace(packet, bytes(len(packet))))
    return path


@pytest.mark.parametrize(
    ("suffix", "codec", "more"),
    [
        ("avi", "mjpeg", {"pixels": "yuvj420p", "clock": 30}),
        ("mp4", "libx264", {"options": X264}),
        ("mkv", "libx264", {"options": X264}),
    ],
)
def test_one_broken_packet_costs_one_frame(
    suffix: str, codec: str, more, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (20, 48, 64, 3), np.uint8)
    path = tmp_path / f"film.{suffix}"
    zeroed(write_film(path, [n / 30 for n in range(20)], codec, images=noise, **more), 9)
    with caplog.at_level(logging.WARNING, "fer_edge"):
        frames = read(path)
    assert len(frames) == 19
    assert frames[-1].time_s == pytest.approx(19 / 30, abs=1e-3)
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: broken packets skipped: 1"
    ]


@pytest.mark.parametrize(
    ("suffix", "codec", "more"),
    [
        ("avi", "mjpeg", {"pixels": "yuvj420p", "clock": 30}),
        ("mp4", "libx264", {"muxing": {"movflags": "faststart"}}),
        ("mp4", "libx264", {"muxing": FRAGMENTS, "options": {"g": "5"}}),
        ("mkv", "libx264", {"sound_s": 2.0}),
        ("flv", "libx264", {"clock": 1000}),
        ("webm", "libvpx", {"clock": 1000}),
    ],
    ids=["avi", "mp4", "fragments", "mkv with sound", "flv", "webm"],
)  # fmt: skip
@pytest.mark.parametrize("share", [0.5, 0.8])
def test_a_file_that_is_cut_off_gives_what_it_has_and_says_so(
    suffix: str, codec: str, more, share: float, tmp_path: Path
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 48, 64, 3), np.uint8)
    path = tmp_path / f"film.{suffix}"
    write_film(path, [n / 30 for n in range(40)], codec, images=noise, **more)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    frames = []
    with open_source(str(path)) as feed, pytest.raises(SourceFailed) as caught:
        frames.extend(feed)
    assert f"damaged, broke off after {feed.captured} frames" in str(caught.value)
    assert str(caught.value).endswith("results up to there are kept")
    assert 0 < feed.captured < 40


def test_a_last_picture_may_stand_as_long_as_others_do(tmp_path: Path) -> None:
    """As in recordings of screens, where nothing moves."""
    path = write_film(tmp_path / "screen.mkv", [0, 1, 5, 6], "ffv1", clock=1000)
    assert [frame.time_s for frame in read(path)] == [0, 1, 5, 6]


@pytest.mark.parametrize(
    ("cover", "words"), [(False, "has no film in it"), (True, "has a cover picture, no film")]
)
def test_sound_is_no_film_with_a_cover_or_without(cover: bool, words: str, tmp_path: Path) -> None:
    path = write_sound(tmp_path / "music.m4a", cover)
    with pytest.raises(BadInput, match=rf"music\.m4a: {words}; give a video"):
        open_reader(str(path))


def test_a_codec_without_a_decoder_is_named(tmp_path: Path) -> None:
    path = write_film(tmp_path / "film.avi", [0, 0.1], "mjpeg", pixels="yuvj420p", clock=30)
    path.write_bytes(path.read_bytes().replace(b"MJPG", b"ZZ9x"))
    with pytest.raises(BadInput, match=r"film\.avi: no decoder here for its codec ZZ9x"):
        open_reader(str(path))


def test_text_is_no_film(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("\x1b[31mnothing to see\n" * 50)
    with pytest.raises(BadInput, match="not a video"):
        open_reader(str(tmp_path / "notes.txt"))


@pytest.mark.parametrize(
    ("codec", "pixels"),
    [("libx264", "yuv420p10le"), ("libx264", "yuv444p"), ("ffv1", "gray"), ("ffv1", "gray12le"),
     ("ffv1", "gbrp16le")],
)  # fmt: skip
def test_more_bits_and_fewer_colours_become_bgr_of_eight_bits(
    codec: str, pixels: str, tmp_path: Path
) -> None:
    options = X264 if codec == "libx264" else {}
    path = write_film(tmp_path / "film.mkv", [0, 1], codec, pixels=pixels, options=options)
    for frame in read(path):
        assert frame.image.dtype == np.uint8
        assert np.abs(frame.image - numbered(frame.index).astype(int)).max() <= 2


def test_pixels_are_made_square_and_no_side_shorter(tmp_path: Path) -> None:
    shapes = {}
    for aspect in (Fraction(1), Fraction(3, 2), Fraction(2, 3), Fraction(1, 999)):
        path = write_film(tmp_path / "film.mp4", [0], options=X264, aspect=aspect)
        (frame,) = read(path)
        shapes[aspect] = frame.image.shape
    assert list(shapes.values()) == [(48, 64, 3), (48, 96, 3), (72, 64, 3), (48, 64, 3)]


@pytest.mark.parametrize("decoder", ["cuda", "qsv", "vaapi"])
def test_a_decoder_that_is_not_here_is_named_and_auto_does_without(
    decoder: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as film:
        stream = film.add_stream("libx264", rate=10, width=64, height=48, pix_fmt="yuv420p")
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="bgr24")
            film.mux(stream.encode(frame))
        film.mux(stream.encode())
    said = ""
    try:
        with open_source(str(path), connection=Connection(decoder=decoder)) as feed:  # type: ignore[arg-type]
            assert len(list(feed)) == 3
    except BadInput as error:
        said = str(error)
    assert not said or f"a.mp4: --decoder {decoder} cannot be used here" in said
    with open_source(str(path), connection=Connection(decoder="auto")) as feed:
        assert len(list(feed)) == 3
