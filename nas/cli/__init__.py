"""The command line: ``nas search``, ``front``, ``export``, ``evaluate``, ``ui``, ``doctor`` and ``schema``.

Commands import what they need when they run, so that ``nas --help`` and a misspelt option answer at once.
"""

from nas.cli._app import app, main

__all__ = ["app", "main"]
