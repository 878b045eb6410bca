"""What runs on a node: opens a device there by name, and does what a session or a folder asks.

`python -m qdmi_qiskit.worker` speaks over its standard streams (`serve`);
`python -m qdmi_qiskit.worker --folder DIR` does the job in a folder (`batch`).
"""
