"""What the commands of `fer-train` do."""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from fer_edge.convert.facts import read_labels
from fer_edge.convert.orders import ORDERS
from fer_edge.engine.errors import BadInput
from fer_edge.engine.model import FER2013_LABELS

from .config import TrainingConfig, read_config
from .data import DataSet, Division, divide, folds
from .data.crop import FaceCropper
from .data.folder import read_folder
from .data.load import load_dataset
from .data.splits import SUBJECT_REGEX, everything
from .evaluation.comparison import comparison_text, names_of, write_comparison
from .evaluation.evaluate import evaluate, held_out_only
from .evaluation.predictors import KERAS_SUFFIXES, Predictor, open_predictor
from .evaluation.report import Subject, summary, write_report
from .evaluation.shown import Shown
from .keras_backend import import_keras

OVERRIDES = {
    "epochs": "epochs",
    "batch_size": "batch_size",
    "learning_rate": "peak_learning_rate",
    "seed": "seed",
    "precision": "precision",
}


def fit(args: argparse.Namespace) -> None:
    """`fer-train fit`."""
    config = _config(args)
    if args.architecture and args.architecture != config.architecture:
        # The options and first weights of one network mean nothing to another.
        config = replace(
            config.first, architecture=args.architecture, network={}, initial_weights=None,
            teachers=[],
        )  # fmt: skip
    data = _load(args)
    division = divide(data, config.seed, args.subject_regex or SUBJECT_REGEX)
    say = _speaker(args)
    say(_describe(data, division))
    _warn_of_mixed_people(data, division, args)
    import_keras(args.keras_backend)
    from .fit import MODEL
    from .runs import train

    train(config, division.training, division.held_out, data.classes, args.output, None, args.quiet)
    _judge(args, data, division, args.output / MODEL)


def finetune(args: argparse.Namespace) -> None:
    """`fer-train finetune`."""
    config = _config(args)
    if args.folds is not None and args.folds < 2:
        raise BadInput(f"--folds {args.folds}: expected at least 2")
    data = _load(args)
    say = _speaker(args)
    keras = import_keras(args.keras_backend)
    say(f"Keras {keras.__version__} on {keras.backend.backend()}")
    from .finetune import start_from

    start = start_from(args.model, data.classes)
    say(f"{args.model.name}: {'a new head for' if start.new_head else 'keeps its'} "
        f"{len(data.classes)} classes: {', '.join(data.classes)}")  # fmt: skip
    if args.folds:
        _cross_validate(args, config, data)
        return
    from .fit import MODEL
    from .runs import train

    division = divide(data, config.seed, args.subject_regex or SUBJECT_REGEX)
    say(_describe(data, division))
    _warn_of_mixed_people(data, division, args)
    train(
        config, division.training, division.held_out, data.classes, args.output, start.network,
        args.quiet,
    )  # fmt: skip
    _judge(args, data, division, args.output / MODEL)


def evaluate_model(args: argparse.Namespace) -> None:
    """`fer-train evaluate`."""
    say = _speaker(args)
    shown = Shown(args.data, args.split, args.crop)
    if any(path.suffix.lower() in KERAS_SUFFIXES for path in args.models):
        import_keras(args.keras_backend)
    with ExitStack() as opened:
        # All of them first: a wrong name is told before the long part, not behind it.
        predictors = [opened.enter_context(_predictor(args, path)) for path in args.models]
        several = len(predictors) > 1
        results = []
        for number, (path, predictor) in enumerate(zip(args.models, predictors, strict=True), 1):
            folder = args.output / f"{number}-{path.name}" if several else args.output
            data, split, cropping = shown.to(predictor.crop_scale)
            if predictor.labels is None:
                predictor.labels, assumed = _assumed_labels(predictor, data.classes)
                say(f"note: {assumed}")
            results.append(evaluate(predictor, path, data, split, folder, True, cropping))
            say(f"{path} on {results[-1].subject.data}; {predictor.runs_on}")
    if not several:
        say(summary(results[0].figures, results[0].extra))
        say(f"report: {results[0].page}")
        return
    names = names_of(args.models)
    page, table = write_comparison(args.output, names, results)
    say(comparison_text(names, table))
    say(f"report: {page}")


def _predictor(args: argparse.Namespace, path: Path) -> Predictor:
    if args.labels and args.order:
        raise BadInput("--labels says what --order says; give one of them")
    labels = read_labels(args.labels) if args.labels else ORDERS.get(args.order)
    predictor = open_predictor(path, args.backend, _range(args.input_range), args.head)
    if labels is not None:
        if len(labels) != predictor.classes:
            predictor.close()
            raise BadInput(f"{len(labels)} labels for {predictor.classes} classes")
        predictor.labels = labels
    return predictor


def _assumed_labels(predictor: Predictor, classes: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """(names of the columns of a model that has none, a note that says so)."""
    seven = {name.casefold() for name in classes} <= set(FER2013_LABELS)
    known = seven and predictor.classes == len(FER2013_LABELS)
    labels = FER2013_LABELS if known else tuple(classes)
    hint = "--order alphabetical or --labels change it" if known else "--labels changes it"
    named = f"{predictor.name} does not name its classes"
    return labels, f"{named}; taken as {', '.join(labels)} ({hint})"


def _cross_validate(args: argparse.Namespace, config: TrainingConfig, data: DataSet) -> None:
    from .finetune import cross_validate

    say = _speaker(args)
    pattern = args.subject_regex or SUBJECT_REGEX
    parts = folds(everything(data), args.folds, config.seed, pattern)
    _warn_of_mixed_people(data, parts[0], args)
    result = cross_validate(config, data, parts, args.model, args.output, args.quiet)
    figures = result.figures(data.classes)
    people = f" of {parts[0].subjects} people" if parts[0].subjects else ""
    subject = Subject(
        model=f"{args.folds} networks from {args.model.name}",
        sha256="one a part, see fold1, fold2, ...",
        runs_on="Keras, float32",
        data=f"{data.name}, {args.folds}-fold cross-validation{people}",
        classes=data.classes,
    )
    page = write_report(
        args.output / "report", subject, figures, result.rows, result.labels, result.images,
        result.names,
    )  # fmt: skip
    parts_text = ", ".join(f"{value:.1%}" for value in result.accuracies)
    spread = statistics.stdev(result.accuracies)
    mean = statistics.mean(result.accuracies)
    say(f"parts             {parts_text}\nmean              {mean:.1%}, deviation {spread:.1%}")
    say(summary(figures))
    say(f"report: {page}")


def _judge(args: argparse.Namespace, data: DataSet, division: Division, model: Path) -> None:
    """Report on the held-out faces, and on `test` where the data set has one."""
    held = held_out_only(data, division.held_out, division.held_out_name)
    training = {"Training": division.training}
    judged = DataSet(data.name, data.classes, {**training, **held.splits})
    say = _speaker(args)
    with open_predictor(model) as predictor:
        result = evaluate(predictor, model, judged, division.held_out_name, args.output / "report")
        say(f"{model} on {division.held_out_name}")
        say(summary(result.figures, result.extra))
        say(f"report: {result.page}")
        if "test" in data.splits:
            test = evaluate(predictor, model, data, "test", args.output / "report-test")
            say(f"on test: {test.figures.accuracy}; report: {test.page}")


def _config(args: argparse.Namespace) -> TrainingConfig:
    config = read_config(args.config or Path(__file__).with_name(args.shipped_config))
    given = {key: getattr(args, option) for option, key in OVERRIDES.items()}
    changed = {key: value for key, value in given.items() if value is not None}
    if "epochs" in changed:
        config = config.scaled(changed.pop("epochs"))
    return config.with_all(**changed)


def _load(args: argparse.Namespace) -> DataSet:
    if not (args.crop and args.data.is_dir()):
        return load_dataset(args.data)
    with ExitStack() as stack:
        data, left_out = read_folder(args.data, stack.enter_context(FaceCropper()))
    if left_out:
        shown = ", ".join(left_out[:3]) + (", ..." if len(left_out) > 3 else "")
        kept = sum(len(faces) for faces in data.splits.values())
        hint = "" if len(left_out) < kept else " (--no-crop if they are faces already)"
        _warn(f"no face found in {len(left_out)} images, left out{hint}: {shown}")
    return data


def _describe(data: DataSet, division: Division) -> str:
    people = f", {division.subjects} people" if division.subjects else ""
    return (
        f"{data.name}: {len(division.training):,} faces to train on, {len(division.held_out):,} "
        f"held out ({division.held_out_name}){people}"
    )


def _warn_of_mixed_people(data: DataSet, division: Division, args: argparse.Namespace) -> None:
    divided_here = division.held_out_name not in data.splits
    if divided_here and division.subjects is None:
        pattern = args.subject_regex or SUBJECT_REGEX
        _warn(
            f"no person can be read from the names ({pattern}): the same person may be on both "
            "sides, and the figures too good; --subject-regex finds people"
        )


def _range(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        low, high = (float(value) for value in text.split(","))
    except ValueError as error:
        raise BadInput(f"--input-range {text!r}: expected LOW,HIGH, as -1,1") from error
    if not low < high:
        raise BadInput(f"--input-range {text!r}: LOW must be below HIGH")
    return low, high


def _speaker(args: argparse.Namespace) -> Any:
    return (lambda _: None) if args.quiet else print


def _warn(text: str) -> None:
    print(f"fer-train: warning: {text}", file=sys.stderr)
