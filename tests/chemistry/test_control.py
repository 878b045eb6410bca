"""Controls of what another solver found."""

from __future__ import annotations

from functools import partial

import numpy as np

from qdmi_qiskit.chemistry import control, sqd
from tests.chemistry.molecules import problem_of


def test_a_control_goes_through_the_solver_that_is_given():
    problem = problem_of("h2")
    found = sqd(problem, np.array([problem.hf_determinant]), 1)
    seen = []

    def solve(problem, bits):
        seen.append(bits)
        return sqd(problem, bits, 1)

    random = control(problem, found, draws=3, seed=5, solve=solve)
    assert random == control(problem, found, draws=3, seed=5)  # which keeps one string, too
    assert random == control(problem, found, draws=3, seed=5, solve=partial(sqd, size=1))
    assert len({bits.tobytes() for bits in seen}) > 1
    assert {bits.shape for bits in seen} == {(found.shots,)}
    whole = control(problem, found, draws=3, seed=5, solve=lambda p, _: sqd(p, np.arange(16)))
    assert (whole.dimension, whole.passed) == (problem.sector_dimension, 3)
