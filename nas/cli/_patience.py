"""Going on after a database or a disk has failed, when it is back."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

__all__ = ["patiently"]

_WAITS: Final = (2.0, 30.0)  # seconds before the second attempt, and at most
_SETTLED_SECONDS: Final = 60.0  # a run of this length had got somewhere: its failure is a new one

_logger = logging.getLogger(__name__)


def patiently(
    run: Callable[[bool], None],
    resume: bool,
    minutes: float,
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Calls ``run(resume)`` until it does not fail for want of a database or disk, from the second time with True.

    Args:
        run: a search, which continues what is recorded when it is called with True.
        minutes: from the first failure of a row to the last attempt; 0: no second attempt.

    Raises:
        StorageError: they were not back in time.
    """
    from nas.search import StorageError

    wait, since = _WAITS[0], None
    while True:
        began = clock()
        try:
            run(resume)
            return
        except StorageError as error:
            if since is None or clock() - began > _SETTLED_SECONDS:
                wait, since = _WAITS[0], clock()
            if clock() - since + wait > 60 * minutes:
                raise
            _logger.warning(
                "%s; going on in %.0f s", str(error).splitlines()[0], wait, extra={"event": "storage_failed"}
            )
        sleep(wait)
        wait, resume = min(2 * wait, _WAITS[1]), True
