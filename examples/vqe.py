"""VQE on any device: UCCSD from coupled-cluster amplitudes, energies by `EstimatorV2`.

    python examples/vqe.py --backend aer
    python examples/vqe.py --backend lab --molecule lih --maxiter 0 --precision 0.005
    python examples/vqe.py --backend lab --method SLSQP --record h2.jsonl --preview

The device is a name and nothing else. What is reported is the energy of the last point, measured
again with its standard error: the lowest energy seen on the way is biased low by its own noise.
"""

from __future__ import annotations

import json

from common import account, arguments, head, prepare, references, row, solved


def main() -> None:
    """Run the example."""
    parser = arguments(__doc__.partition("\n")[0], molecule="h2", maxiter=30, precision=0.005)
    options = parser.parse_args()
    _, problem, _, vqe, start = prepare(parser, options)
    found, report = solved(vqe, start, problem, options.start)
    if options.json:
        whole = {"backend": options.backend, **references(problem)}
        print(json.dumps(whole | {"vqe": report | {"point": found.parameters}}, indent=2))
        return
    print(f"{problem.title}; backend {options.backend}\n")
    lines = [*head(problem, report), row("exact", problem.exact_energy, 0.0), "", account(report)]
    print(*lines, sep="\n")


if __name__ == "__main__":
    main()
