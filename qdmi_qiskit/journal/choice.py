"""Whether, and where, the runs of a backend are kept: what keyword, profile and file say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from qdmi_qiskit.config import Resolved
from qdmi_qiskit.errors import ConfigError
from qdmi_qiskit.journal.place import bound, is_off, place
from qdmi_qiskit.journal.recorder import Recorder, plain


def recorder_for(
    resolved: Resolved, keywords: Mapping[str, object], environ: Mapping[str, str] | None
) -> Recorder:
    """Return what keeps the runs of a backend.

    Args:
        resolved: How it was opened.
        keywords: The options that were given by keyword, which open it again.
        environ: Used in place of `os.environ`.

    Raises:
        ConfigError: `journal` is set to something else than a path, true, false or `"off"`.
    """
    said = resolved.journal
    where = place(None if said is None else said.value, environ)
    most = bound(None if said is None else said.value, environ)
    wanted: bool | None = None
    if resolved.keeps is not None:
        value, origin = resolved.keeps.value, resolved.keeps.origin
        if not isinstance(value, bool | str | Path) or value == "":
            raise ConfigError(f"journal = {value!r} ({origin}): wanted true, false or a path")
        wanted = not is_off(value)
        if wanted and not isinstance(value, bool):
            where, most = place(value, {**(environ or {}), "QDMI_JOURNAL": ""}), None
    options = {
        key: setting.value
        for key, setting in resolved.settings.items()
        if setting.origin == "keyword" and key in keywords
    }
    return Recorder(where, wanted, resolved.name, resolved.label, plain(options), most)
