"""Sends circuits: as one job, or as several where the server takes no submission so large.

The server's `/limits` speak of circuits and shots, which the planner obeys; how many bytes a
submission may have is stated nowhere. A server that refuses one for its size (HTTP 413) has
queued nothing, so it is cut in two and sent again; what was learned holds for the session.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from qdmi_qiskit.devices.iqm.posted import Posted
from qdmi_qiskit.devices.iqm.refusals import TooLargeError
from qdmi_qiskit.devices.iqm.wire import Wire
from qdmi_qiskit.errors import QdmiError, RejectedError, SubmitUnknownError
from qdmi_qiskit.model import JobStatus

_log = logging.getLogger(__name__)

_LONGEST_TAG = 50


class Sender:
    """Posts circuits to one quantum computer. Safe to use from several threads."""

    def __init__(self, wire: Wire, path: str, *, use_timeslot: bool, most: int | None) -> None:
        """Send to one place.

        Args:
            wire: To the server.
            path: Of the submission, below `/api/v1/`.
            use_timeslot: Whether jobs go into the time slot that is booked.
            most: Bytes in a submission; None: as many as the server takes.
        """
        self._wire, self._path, self._most = wire, path, most
        self._timeslot = "true" if use_timeslot else "false"

    def send(self, circuits: Sequence[str], rest: Mapping[str, Any], key: str) -> list[Posted]:
        """Post circuits, each once.

        Args:
            circuits: JSON.
            rest: The other fields of a submission.
            key: Names the jobs: `tag_of` it is their tag.

        Returns:
            The jobs, in the order of the circuits.

        Raises:
            SubmitUnknownError: Some of the jobs may exist; says which, and what to look for.
            QdmiError: Nothing is queued: what was is canceled.
        """
        tail = json.dumps(rest)[1:].encode()
        found: list[Posted] = []
        begin = 0
        while begin < len(circuits):
            end = self._end(circuits, begin, len(tail))
            whole = (begin, end) == (0, len(circuits))
            tag = tag_of(key, None if whole else len(found) + 1)
            body = b'{"circuits":[%b],%b' % (",".join(circuits[begin:end]).encode(), tail)
            try:
                data = self._post(body, tag)
            except TooLargeError as error:
                if end - begin == 1:
                    too_large = RejectedError(
                        f"a single circuit takes {len(body)} bytes, more than the server takes: "
                        f"make it shorter ({error})"
                    )
                    self._undo(found, too_large)
                self._most = min(self._most or len(body), len(body) // 2)
                _log.info("%d bytes are too many for %s: cut in two", len(body), self._path)
                continue
            except QdmiError as error:
                self._undo(found, error)
            found.append(Posted(self._wire, data, rest.get("calibration_set_id"), end - begin))
            _log.info("IQM job %s, %s, tag %s", data["id"], self._path, tag)
            begin = end
        return found

    def _end(self, circuits: Sequence[str], begin: int, size: int) -> int:
        """Return the end of as many circuits as fit, at least one."""
        if self._most is None:
            return len(circuits)
        size += len('{"circuits":[],')
        for end in range(begin, len(circuits)):
            size += len(circuits[end]) + 1  # ASCII, as JSON is by default
            if size > self._most and end > begin:
                return end
        return len(circuits)

    def _post(self, body: bytes, tag: str) -> Mapping[str, Any]:
        look = looking_for(tag)
        query = {"use_timeslot": self._timeslot, "tag": tag}
        data = self._wire.submit(self._path, query, body, look)
        if not isinstance(data, Mapping) or not data.get("id"):
            raise SubmitUnknownError(f"IQM took the job but gave no id: {look}")
        return data

    def _undo(self, found: Sequence[Posted], error: QdmiError) -> NoReturn:
        """Raise what happened; what was queued before is withdrawn if that is all there is."""
        if not found:
            raise error
        ids = ",".join(part.id for part in found)
        if isinstance(error, SubmitUnknownError):
            raise SubmitUnknownError(
                f"{error}. The circuits before these go on: session.job({ids!r})"
            ) from error
        left = [part.id for part in found if not _withdrawn(part)]
        if left:
            raise SubmitUnknownError(
                f"{error}. The circuits before these were queued already, and jobs {left} could "
                f"not be canceled: session.job({ids!r}) has what they return"
            ) from error
        raise type(error)(f"{error}. The circuits before these were canceled") from error


def _withdrawn(part: Posted) -> bool:
    try:
        return part.cancel() is JobStatus.CANCELED
    except QdmiError:
        return False


def tag_of(key: str, part: int | None = None) -> str:
    """Return what a job is tagged with: the key, or a digest of one too long for IQM.

    Args:
        key: Of the submission.
        part: Which of several jobs it is, from 1; None: the only one.
    """
    tail = "" if part is None else f".{part}"
    if len(key) + len(tail) <= _LONGEST_TAG:
        return key + tail
    return hashlib.sha256(key.encode()).hexdigest()[:40] + tail


def looking_for(tag: str) -> str:
    """Return what to do where nobody knows whether a job exists.

    The API has no list of jobs, so no program can look: people can, in the site's own pages.
    """
    return (
        f"look for the tag {tag!r} among your jobs in IQM's web pages (the API cannot search them) "
        "before you send it again; if it is there, session.job(ID) has its outcome"
    )
