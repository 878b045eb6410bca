"""The scenarios of the Quantum Executor paper, as somebody runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_batch_on_all_backends_and_the_distance_to_the_ideal():
    backends = ("replay:grid20", "replay:star6", "aer:matrix_product_state")
    arguments = [each for name in backends for each in ("--backend", name)]
    ran = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "compare_backends.py"), *arguments, "--seed", "3"],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert ran.returncode == 0, ran.stderr
    report = json.loads(ran.stdout)
    assert report["failures"] == {}
    distances = report["distances"]
    assert set(distances) == set(backends)
    # 2048 shots over at most 8 outcomes: two ideal samples differ by less than 0.06.
    assert max(distances["aer:matrix_product_state"]) < 0.06
    noisy = distances["replay:grid20"]
    assert 0.01 < noisy[0] < 0.2
    assert 0.03 < max(noisy) < 0.3
