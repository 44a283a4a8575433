"""Arrow values as Python's, whichever they are: Python has no date after the year 9999, say."""

from __future__ import annotations

from typing import Any

import pyarrow as pa


def values_of(array: Any) -> list[Any]:
    """Return a column as Python values; no value makes it fail."""
    try:
        values: list[Any] = array.to_pylist()
    except Exception:  # noqa: BLE001, as in value_of
        values = [value_of(cell) for cell in array]
    return values


def has_python_value(cell: Any) -> bool:
    """Return whether Python has a value for a cell and everything in it."""
    try:
        cell.as_py()
    except Exception:  # noqa: BLE001, as in value_of
        return False
    return True


def rows_of(table: pa.Table) -> list[dict[str, Any]]:
    """Return the rows of a table; no value makes it fail."""
    try:
        rows: list[dict[str, Any]] = table.to_pylist()
    except Exception:  # noqa: BLE001, as in value_of
        columns = {name: values_of(table[name]) for name in table.column_names}
        rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values())]  # noqa: B905, columns of one table
    return rows


def value_of(cell: Any) -> Any:
    """Return a cell as a Python value, or as text if Python has none, as for the year 10000."""
    try:
        return cell.as_py()
    except Exception:  # noqa: BLE001, Arrow raises whatever the conversion of a value raises
        return _without_python_type(cell)


def _without_python_type(cell: Any) -> Any:
    """Return a cell of which a part has no Python value: that part as bytes or text."""
    kind, types = cell.type, pa.types
    if types.is_struct(kind):
        names = [kind.field(index).name for index in range(kind.num_fields)]
        return {name: value_of(cell[index]) for index, name in enumerate(names)}
    if types.is_map(kind):
        return [(value_of(entry[0]), value_of(entry[1])) for entry in cell.values]
    if isinstance(cell, pa.ListScalar):
        return [value_of(item) for item in cell.values]
    if isinstance(cell, pa.DictionaryScalar):
        return value_of(cell.dictionary[cell.index.as_py()])
    if hasattr(cell, "as_buffer"):  # text that is not UTF-8
        return cell.as_buffer().to_pybytes()
    if isinstance(getattr(cell, "value", None), pa.Scalar):  # a union or an extension
        return value_of(cell.value)
    if types.is_timestamp(kind):
        cell = cell.cast(pa.timestamp(kind.unit))  # Arrow may not know the time zone
    try:
        return cell.cast(pa.string()).as_py()
    except pa.ArrowException:
        return f"a value of type {kind}"
