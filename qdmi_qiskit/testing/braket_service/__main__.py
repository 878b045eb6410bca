"""The service in a process of its own.

It writes one line of JSON, the variables that point a client at it, and ends when its standard
input does, or after its lifetime.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import sys

from qdmi_qiskit.testing.braket_service.service import BraketService


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m qdmi_qiskit.testing.braket_service")
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--lifetime", type=float, default=3600.0, help="seconds")
    parser.add_argument("--step", type=float, default=0.01, help="seconds in each state")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--poll", type=int, help="milliseconds that devices suggest")
    parser.add_argument("--rates", action="store_true", help="refuse above the documented rates")
    options = vars(parser.parse_args())
    region, lifetime = options.pop("region"), options["lifetime"]
    with BraketService(**options) as service:
        sys.stdout.write(json.dumps(service.environment(region, base={})) + "\n")
        sys.stdout.flush()
        while select.select([sys.stdin], [], [], lifetime)[0] and os.read(0, 4096):
            pass


if __name__ == "__main__":
    main()
