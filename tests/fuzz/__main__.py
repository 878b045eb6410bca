"""`python -m tests.fuzz TARGET [libFuzzer's options]`: a minute, or until it finds something.

Needs `pip install atheris`. A finding is written as `crash-...`; its bytes go into `FOUND` of
`test_targets.py` when it is mended.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["qdmi_qiskit"]):
    from tests.fuzz.targets import TARGETS, tried


def main(words: list[str]) -> None:
    """Fuzz one target."""
    if len(words) < 2 or words[1] not in TARGETS:
        raise SystemExit(f"say which: {', '.join(TARGETS)}")
    name, *options = words[1:]
    corpus = Path(tempfile.mkdtemp(prefix=f"qdmi-{name}-"))
    for number, seed in enumerate(TARGETS[name][1]):
        (corpus / str(number)).write_bytes(seed)
    usual = ["-max_total_time=60", "-timeout=20", "-rss_limit_mb=2048", "-print_final_stats=1"]
    atheris.Setup([words[0], *usual, *options, str(corpus)], lambda data: tried(name, data))
    atheris.Fuzz()


main(sys.argv)
