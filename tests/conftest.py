"""Laws are tried on fifty examples each; a slow machine is no failure. Ctrl-C works however the tests were started."""

import signal

from hypothesis import settings

import selfreward  # noqa: F401 - how threads wait is set before a test loads torch
from tests.explained import examples as examples
from tests.explained import pairs as pairs

settings.register_profile("selfreward", max_examples=50, deadline=None)
settings.load_profile("selfreward")
# A script starts its background jobs deaf to Ctrl-C, and their children would be too.
signal.signal(signal.SIGINT, signal.default_int_handler)
