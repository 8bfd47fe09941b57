"""A folder of videos: a run for each, one after the other, with results a file each."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from .console import say
from .errors import BadInput, FerError, SourceFailed
from .places import check_apart, place_of
from .signals import stop_asked
from .sources.listing import Listing

OUTPUTS = ("save", "jsonl", "csv", "trace")


def run_each(
    args: argparse.Namespace, listing: Listing, run: Callable[[argparse.Namespace], int]
) -> int:
    """Run the videos of a listing; returns the exit status.

    The results of `talk.mp4` are in `out-talk.jsonl` where `out.jsonl` was asked for, those of
    `monday/talk.mp4` in `out-monday-talk.jsonl`.

    Args:
        args: parsed options of `fer-run`.
        listing: its films.
        run: runs one of them.

    Raises:
        BadInput: outputs that cannot be one a video.
        SourceFailed: some could not be run to their end; with `--strict` the first such error.
    """
    runs = {film: _outputs(args, label) for film, label in _labels(listing).items()}
    check_apart((path for given in runs.values() for path in given.values()), listing.films)
    failed = 0
    for film, outputs in runs.items():
        if not args.quiet:
            say(f"{film}:")
        try:
            run(argparse.Namespace(**{**vars(args), "source": [str(film)], **outputs}))
        except FerError as error:
            if args.strict:
                raise
            failed += 1
            say(f"fer-run: error: {error}")
        if stop_asked():
            break
    if failed:
        raise SourceFailed(f"{failed} of {len(runs)} videos could not be run to their end")
    return 0


def _labels(listing: Listing) -> dict[Path, str]:
    """What stands for each film in the names of its results."""
    names = {film: film.relative_to(listing.root) for film in listing.films}
    plain = Counter(name.with_suffix("") for name in names.values())
    return {
        film: "-".join((name if plain[name.with_suffix("")] > 1 else name.with_suffix("")).parts)
        for film, name in names.items()
    }


def _outputs(args: argparse.Namespace, label: str) -> Mapping[str, Path]:
    given = {name: getattr(args, name) for name in OUTPUTS if getattr(args, name) is not None}
    for name, path in given.items():
        if place_of(path).stream:
            raise BadInput(f"--{name} {path}: several videos have a file each; give a file's name")
    return {name: path.with_stem(f"{path.stem}-{label}") for name, path in given.items()}
