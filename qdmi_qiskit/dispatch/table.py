"""A small table, for people, for JSON and for pandas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qdmi_qiskit.errors import MissingPluginError


class Table:
    """Rows with the same columns."""

    def __init__(self, rows: Sequence[dict[str, Any]]) -> None:
        self.rows = [dict(row) for row in rows]

    def to_dict(self) -> list[dict[str, Any]]:
        """Return the rows, each JSON-able."""
        return [dict(row) for row in self.rows]

    def to_pandas(self) -> Any:
        """Return a `pandas.DataFrame`.

        Raises:
            MissingPluginError: pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise MissingPluginError("a DataFrame needs pandas: pip install pandas") from error
        return pd.DataFrame(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __str__(self) -> str:
        if not self.rows:
            return "(nothing)"
        columns = list(self.rows[0])
        lines = [columns, *([_text(row[column]) for column in columns] for row in self.rows)]
        widths = [max(len(line[k]) for line in lines) for k in range(len(columns))]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        )


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else " ".join(str(value).split())
