"""Execution plans: which of the ways to run a model is the quickest on this machine."""

from .choose import devices_here, known_decision, open_model
from .options import PlanOptions

__all__ = ["PlanOptions", "devices_here", "known_decision", "open_model"]
