"""`python -m qdmi_qiskit.cli` is `qdmi`."""

from qdmi_qiskit.cli import main

main()
