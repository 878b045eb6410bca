"""Ctrl-C at a moment that the test chooses."""

from __future__ import annotations

import gc
import os
import signal
import threading
import warnings

import pytest


def interrupted(when, call):
    """Press Ctrl-C as soon as `when()`, which `call` brings about and which holds inside it."""

    def press():
        for _ in range(12_000):
            if when():
                os.kill(os.getpid(), signal.SIGINT)
                return
            threading.Event().wait(0.01)

    thread = threading.Thread(target=press, daemon=True)
    with warnings.catch_warnings():
        # A socket that urllib3 was just opening is left to the collector, which is to come now.
        warnings.simplefilter("ignore", ResourceWarning)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            call()
        thread.join()
        gc.collect()
