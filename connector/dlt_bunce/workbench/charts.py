"""Charts of runs as SVG, without scripts; the colors come from the style sheet."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

from dlt_bunce.model import FATES
from dlt_bunce.store.runs.history import Run, rejects

MAX_BARS = 40
"""Runs per chart; the bars of more would be too narrow to tell apart."""
NARROW_BARS = 12
"""Runs per chart on a phone."""
_MAX_CODES = 6
_SVG = "http://www.w3.org/2000/svg"
_SIZE, _NARROW_SIZE = (600, 240), (320, 220)
_MARGIN = 44
"""Half of the longest label, which is centered below the newest bar."""
_LABEL_WIDTH = 54
"""Width of a date; a date with a time takes twice as much."""
_DAYS = 3

Values = Sequence[float | None]


def drawing_library() -> Any:
    """Import pygal and remove its process-wide import hook for maps, which only maps need.

    The hook uses an interface that Python warns about at every later import.
    """
    import pygal
    import pygal.style

    sys.meta_path[:] = [f for f in sys.meta_path if not isinstance(f, pygal.PluginImportFixer)]
    return pygal


@dataclass(frozen=True)
class Series:
    """One data series of a chart; `color` is a class of the style sheet."""

    name: str
    color: str
    values: Values


@dataclass(frozen=True)
class Chart:
    """A chart with its legend; `svg` is markup that is safe to put into a page, `narrow` the same
    for phones, with the newest runs only.
    """

    key: str
    title: str
    note: str
    series: Sequence[Series]
    svg: str
    narrow: str


def charts(runs: Sequence[Run], requests_per_minute: int) -> list[Chart]:
    """Return charts of the latest `runs` (newest first), oldest at the left; [] without runs."""
    shown = [run for run in runs[:MAX_BARS][::-1] if run.ended_at is not None]
    if not shown:
        return []
    every = [_fates(shown), _rejects(shown), _requests(shown, requests_per_minute), _answers(shown)]
    return [chart for chart in every if chart is not None]


def _fates(runs: Sequence[Run]) -> Chart:
    series = [
        Series(fate, f"fate-{fate}", [run.fates[fate] for run in runs])
        for fate in FATES
        if any(run.fates[fate] for run in runs)
    ]
    return _drawn("fates", "Rows by fate", "Every row read has exactly one fate.", runs, series)


def _rejects(runs: Sequence[Run]) -> Chart | None:
    codes = list(rejects(runs))
    if not codes:
        return None
    series = [
        Series(code, f"hue-{i}", [run.reject_codes.get(code, 0) for run in runs])
        for i, code in enumerate(codes[:_MAX_CODES])
    ]
    if rest := codes[_MAX_CODES:]:
        others = [sum(run.reject_codes.get(code, 0) for code in rest) for run in runs]
        series.append(Series("other codes", "hue-other", others))
    return _drawn(
        "rejects",
        "Rejected rows by code",
        "Only newly rejected rows; held rows are not included.",
        runs,
        series,
    )


def _requests(runs: Sequence[Run], requests_per_minute: int) -> Chart:
    series = [Series("requests", "hue-0", [run.requests for run in runs])]
    note = "No request budget is configured."
    if requests_per_minute > 0:
        budgets = [run.budget(requests_per_minute) for run in runs]
        series.append(Series("budget", "hue-other", budgets))
        note = f"The budget is {requests_per_minute:,} requests for each minute of a run."
    return _drawn("requests", "Requests against the budget", note, runs, series, stacked=False)


def _answers(runs: Sequence[Run]) -> Chart:
    series = [
        Series("mean", "hue-0", [run.mean_answer_seconds for run in runs]),
        Series("slowest", "hue-2", [run.slowest_answer_seconds or None for run in runs]),
    ]
    note = "Seconds until Bunce responded to a request."
    return _drawn("answers", "Response times", note, runs, series, stacked=False, unit=" s")


def _drawn(
    key: str,
    title: str,
    note: str,
    runs: Sequence[Run],
    series: Sequence[Series],
    *,
    stacked: bool = True,
    unit: str = "",
) -> Chart:
    def formatted(value: float) -> str:
        text = f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:,.2g}"
        return text + unit

    def svg(size: tuple[int, int], most: int, suffix: str) -> str:
        newest = [Series(line.name, line.color, line.values[-most:]) for line in series]
        summary = _summary(runs[-most:], newest, formatted)
        drawing = _svg(size, runs[-most:], newest, formatted, stacked=stacked)
        return _styled(drawing, key + suffix, title, summary, runs[-most:], newest, size[0])

    wide, narrow = svg(_SIZE, MAX_BARS, ""), svg(_NARROW_SIZE, NARROW_BARS, "-narrow")
    return Chart(key, title, note, series, wide, narrow)


def _svg(
    size: tuple[int, int],
    runs: Sequence[Run],
    series: Sequence[Series],
    formatted: Callable[[float], str],
    *,
    stacked: bool,
) -> str:
    pygal = drawing_library()
    kind = pygal.StackedBar if stacked else pygal.Bar
    chart = kind(
        js=[],
        no_prefix=True,
        disable_xml_declaration=True,
        width=size[0],
        height=size[1],
        margin=8,
        margin_right=_MARGIN,
        show_legend=False,
        show_minor_y_labels=False,
        y_labels_major_count=5,
        truncate_label=-1,
        zero=0,
        range=None if _any(series) else (0, 1),
        value_formatter=formatted,
        style=pygal.style.Style(label_font_size=12, major_label_font_size=12),
    )
    # places for now: two runs may have started at the same minute
    chart.x_labels = [str(place) for place in range(len(runs))]
    for line in series:
        chart.add(line.name, list(line.values))
    return str(chart.render(is_unicode=True))


def _labels(runs: Sequence[Run], width: int) -> dict[str, str]:
    """Return the labels to show, by place: as many as fit side by side, always the newest run's."""
    # for runs over several days, the labels omit the time of day
    over_days = (runs[-1].started_at - runs[0].started_at).days > _DAYS
    text = "%d %b" if over_days else "%d %b %H:%M"
    most = (width - 2 * _MARGIN) // (_LABEL_WIDTH if over_days else 2 * _LABEL_WIDTH)
    step = math.ceil(len(runs) / most)
    places = range(len(runs) - 1, -1, -step)
    return {str(place): runs[place].started_at.strftime(text) for place in places}


def _any(series: Sequence[Series]) -> bool:
    return any(value for line in series for value in line.values)


def _summary(
    runs: Sequence[Run], series: Sequence[Series], formatted: Callable[[float], str]
) -> str:
    most = "; ".join(
        f"{line.name} up to {formatted(max(value or 0 for value in line.values))}"
        for line in series
    )
    return (
        f"Bars for {len(runs)} runs from {runs[0].started_at:%d %b %Y} to "
        f"{runs[-1].started_at:%d %b %Y}: {most}. The table has the exact values."
    )


def _styled(
    text: str,
    key: str,
    title: str,
    summary: str,
    runs: Sequence[Run],
    series: Sequence[Series],
    width: int,
) -> str:
    """Replace pygal's styles and scripts by classes of the style sheet and a text description."""
    root = ET.fromstring(text)  # noqa: S314, generated by pygal above
    colors = {f"color-{i}": line.color for i, line in enumerate(series)}
    names = {f"serie-{i}": line.name for i, line in enumerate(series)}
    for parent in list(root.iter()):
        classes = parent.get("class", "").split()
        name = next((names[css] for css in classes if css in names), None)
        if name is not None:
            _name_bars(parent, name, runs)
        if classes[:2] == ["axis", "x"]:
            _label_bars(parent, _labels(runs, width))
        if classes:
            parent.set("class", " ".join(colors.get(css, css) for css in classes))
        for attribute in ("id", "style"):
            parent.attrib.pop(attribute, None)
        for child in list(parent):
            tag = child.tag.rpartition("}")[2]
            overlay = {"tooltip-overlay", "text-overlay", "overlay"} & set(
                child.get("class", "").split()
            )
            if tag in {"defs", "desc", "script", "style"} or overlay or child is _title(root):
                parent.remove(child)
    for position, (tag, content) in enumerate((("title", title), ("desc", summary))):
        element = ET.Element(f"{{{_SVG}}}{tag}", {"id": f"{key}-{tag}"})
        element.text = content
        root.insert(position, element)
    root.set("class", "chart")
    root.set("role", "img")
    root.set("aria-labelledby", f"{key}-title {key}-desc")
    ET.register_namespace("", _SVG)
    return ET.tostring(root, encoding="unicode")


def _title(root: ET.Element) -> ET.Element | None:
    """Return pygal's own title element."""
    return next(
        (child for child in root if child.tag.endswith("title") and "id" not in child.attrib), None
    )


def _name_bars(series: ET.Element, name: str, runs: Sequence[Run]) -> None:
    """Give each bar a title, which browsers show as a tooltip."""
    for bar in series.iter(f"{{{_SVG}}}g"):
        if bar.get("class") != "bar":
            continue
        texts: Mapping[str, str] = {
            child.get("class", ""): child.text or "" for child in bar if child.tag.endswith("desc")
        }
        run = runs[int(texts["x_label"])]
        title = ET.Element(f"{{{_SVG}}}title")
        title.text = f"{run.name}, {run.started_at:%d %b %H:%M}: {texts.get('value', '')} {name}"
        bar.insert(0, title)


def _label_bars(axis: ET.Element, labels: Mapping[str, str]) -> None:
    """Replace the places below the bars by labels, where there is one."""
    for guides in axis:
        for label in guides.findall(f"{{{_SVG}}}text"):
            label.text = labels.get(label.text or "")
            if label.text is None:
                guides.remove(label)
