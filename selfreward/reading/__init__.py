"""Reads what a run committed. In a notebook: `from selfreward.reading import open_run`, see docs/reading.md."""

from selfreward.reading.open_run import OpenRun as OpenRun
from selfreward.reading.open_run import open_run as open_run
