"""Timeslots: hours of a machine that can be booked. A booked one is taken to be now."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

from qdmi_qiskit.testing.iqm_server.chips import Chip
from qdmi_qiskit.testing.iqm_server.replies import Refusal

_LENGTH = timedelta(minutes=30)
_PRICE = "30.00"


class Timeslots:
    """The slots of all machines: four of half an hour each."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._start = datetime.now(UTC).replace(microsecond=0)
        self._booked: dict[str, set[str]] = {}

    def open_hours(self) -> list[dict[str, str]]:
        """Return when jobs without a timeslot are executed: always."""
        end = self._start + timedelta(days=1)
        return [{"start": self._start.isoformat(), "end": end.isoformat()}]

    def booked(self, chip: Chip) -> bool:
        """Whether a slot is booked."""
        with self._lock:
            return bool(self._booked.get(chip.alias))

    def listed(self, chip: Chip) -> dict[str, Any]:
        """Return the slots of a machine."""
        with self._lock:
            own = self._booked.get(chip.alias, set())
            slots = self._slots(chip)
        return {
            "available_slots": [slot for key, slot in slots.items() if key not in own],
            "booked_slots": [slot for key, slot in slots.items() if key in own],
            "queue_length": 0,
        }

    def book(self, chip: Chip, body: bytes) -> dict[str, Any]:
        """Book all slots of a request, or none.

        Raises:
            Refusal: One cannot be booked.
        """
        try:
            wanted = json.loads(body)["timeslots"]
            asked = [(item["reference"], item.get("expected_price")) for item in wanted]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Refusal(400, "invalid_input", "wanted timeslots, each with a reference") from None
        with self._lock:
            own, slots = self._booked.setdefault(chip.alias, set()), self._slots(chip)
            for reference, price in asked:
                if reference not in slots or reference in own:
                    raise Refusal(400, "invalid_input", f"timeslot {reference!r} is not available")
                if price not in (None, _PRICE):
                    raise Refusal(409, "conflict", f"timeslot {reference!r} costs {_PRICE}")
            own |= {reference for reference, _ in asked}
            return {"timeslots": [slots[reference] for reference, _ in asked]}

    def _slots(self, chip: Chip) -> dict[str, dict[str, str]]:
        return {
            f"{chip.alias}-slot-{k}": {
                "reference": f"{chip.alias}-slot-{k}",
                "start": (self._start + k * _LENGTH).isoformat(),
                "end": (self._start + (k + 1) * _LENGTH).isoformat(),
                "price": _PRICE,
            }
            for k in range(4)
        }
