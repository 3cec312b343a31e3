"""Settings of the whole suite."""

import os

from hypothesis import settings

# In CI the same examples every time, so that a failure is the change's; elsewhere new ones, to find what CI has missed.
settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("local", deadline=None, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")
