"""Bytes that coverage leads: `python -m tests.fuzz TARGET`, with `pip install atheris`."""
