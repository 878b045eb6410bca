"""The snapshots of devices that the journal keeps: the first of each calibration."""

from __future__ import annotations

import math
import sqlite3
from datetime import datetime

from qdmi_qiskit.journal.opened import Opened
from qdmi_qiskit.journal.statements import LARGEST_TEXT, insert_spec, spec_of
from qdmi_qiskit.model import DeviceSpec


class Calibrations(Opened):
    """Keeps snapshots of devices."""

    def keep_calibration(self, backend: str, device: str, spec: DeviceSpec, text: str) -> None:
        """Keep a snapshot, the first of its calibration. Written soon.

        Args:
            backend: The name that the device was asked for.
            device: What it means, `scheme:locator`.
            spec: With a calibration.
            text: The same as JSON.
        """
        which = "" if spec.calibration is None else spec.calibration.id
        taken = spec.taken_at.timestamp()

        def write(connection: sqlite3.Connection) -> None:
            row = (backend, device, which)
            query = "SELECT 1 FROM calibrations WHERE (backend, device, calibration) = (?, ?, ?)"
            if not connection.execute(query, row).fetchone():
                values = (*row, taken, insert_spec(connection, text))
                connection.execute("INSERT INTO calibrations VALUES (?, ?, ?, ?, ?)", values)

        self._writer.put(write)

    def calibrations(self, name: str, *, since: datetime | None = None) -> list[str]:
        """Return the snapshots that are kept of a device as JSON, the oldest first.

        Args:
            name: The name that it was asked for, or its `scheme:locator`.
            since: Only those taken then or later.

        Raises:
            JournalError: The record is damaged.
        """
        query = (
            "SELECT specs.body FROM calibrations JOIN specs ON specs.digest = calibrations.spec "
            "WHERE (backend = ? OR device = ?) AND taken >= ? GROUP BY calibration ORDER BY taken"
        )
        values = (name, name, -math.inf if since is None else since.timestamp())
        with self._reading() as connection:
            rows = connection.execute(query, values).fetchall()
        return [spec_of(body, most=LARGEST_TEXT) for (body,) in rows]
