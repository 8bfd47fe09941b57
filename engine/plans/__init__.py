"""Execution plans: which of the ways to run a model is the quickest on this machine."""

from .choose import known_decision, open_model
from .options import PlanOptions

__all__ = ["PlanOptions", "known_decision", "open_model"]
