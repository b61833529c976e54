"""Follows a run: metrics.jsonl, a table in the terminal, and W&B where it is asked for."""

from selfreward.reading.metrics import METRICS_FILE as METRICS_FILE
from selfreward.reading.metrics import metrics_of_run as metrics_of_run
from selfreward.tracking.tracker import Tracker as Tracker
from selfreward.tracking.tracker import TrackerSpec as TrackerSpec
