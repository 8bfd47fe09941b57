"""The live monitor: a page, an API and a history for a box without a screen."""
