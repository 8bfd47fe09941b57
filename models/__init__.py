"""Shipped weights with their cards, the expression network and its training."""
