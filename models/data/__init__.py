"""Labelled faces: what the training and the evaluation read."""

from .faces import DataSet, LabelledFaces, seen_in
from .load import load_dataset
from .splits import Division, divide, folds

__all__ = ["DataSet", "Division", "LabelledFaces", "divide", "folds", "load_dataset", "seen_in"]
