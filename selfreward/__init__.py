"""Improve a language model on its own judgments, and say honestly when that stops being healthy."""

__version__ = "0.1.0"
