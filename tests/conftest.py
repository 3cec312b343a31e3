"""Settings of the whole suite."""

import os
import signal

from hypothesis import settings

# In CI the same examples every time, so that a failure is the change's; elsewhere new ones, to find what CI has missed.
settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("local", deadline=None, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

# A shell that starts the suite in the background has it ignore Ctrl-C, and with it what some tests send themselves.
signal.signal(signal.SIGINT, signal.default_int_handler)
