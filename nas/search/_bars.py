"""Imported before all else of the search: Optuna and Ray, when they are imported in a notebook, ask for ipywidgets, by
which nothing here is shown."""

import logging
import warnings

warnings.filterwarnings("ignore", "IProgress not found")
logging.getLogger("ray.widgets").setLevel(logging.WARNING)
