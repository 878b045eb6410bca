"""The record of runs: what was asked and sent, and what came back, in one SQLite file."""

from qdmi_qiskit.journal.choice import recorder_for
from qdmi_qiskit.journal.ledger import Ledger
from qdmi_qiskit.journal.packing import pack, unpack
from qdmi_qiskit.journal.place import place
from qdmi_qiskit.journal.recorder import Recorder, checked_tags, plain
from qdmi_qiskit.journal.rows import Inputs, Intent, JobRow
from qdmi_qiskit.journal.stage import Stage
from qdmi_qiskit.journal.store import Journal, journal_at
from qdmi_qiskit.journal.timeline import Event, Timeline, timeline

__all__ = [
    "Event",
    "Inputs",
    "Intent",
    "JobRow",
    "Journal",
    "Ledger",
    "Recorder",
    "Stage",
    "Timeline",
    "checked_tags",
    "journal_at",
    "pack",
    "place",
    "plain",
    "recorder_for",
    "timeline",
    "unpack",
]
