#!/usr/bin/env python3
"""Draws the kernels' rates from a report of holdfast-hwtest: plot_report.py REPORT.json OUT.svg

A bar a variant, as long as its rate is to that of the fastest variant of the same kernel and size.
"""
import json
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "benches/results"))
from svg import Picture  # noqa: E402

COLOURS = {"fastest": "#1f4e79", "other": "#4c8bbf"}
SECTION = ": kernels ("
WIDTH, LEFT, LONGEST, STEP = 860, 20, 330, 18


def groups(section):
    """Rows that ran, by kernel and size: each its variant, rate and unit."""
    found = {}
    for row in section["rows"]:
        if row["outcome"] == "ran":
            name, size = row["name"].split(", ", 1)
            kernel, variant = name.split(" ")
            rate = row["figures"][0]
            found.setdefault((kernel, size), []).append((variant, rate["value"], rate["unit"]))
    return found


def main(report, out):
    report = json.loads(pathlib.Path(report).read_text())
    sections = [section for section in report["sections"] if SECTION in section["name"]]
    if not sections:
        sys.exit("the report has no kernels of graphics processors")
    lines = sum(len(rows) + 1 for section in sections for rows in groups(section).values()) + len(sections)
    picture = Picture(WIDTH, 50 + STEP * lines, "Kernels: each variant beside the fastest of its kernel", LEFT)
    y = 44
    for section in sections:
        picture.text(LEFT, y, section["name"].split(SECTION)[0], 'font-weight="bold"')
        y += STEP
        for (kernel, size), rows in groups(section).items():
            picture.text(LEFT, y, f"{kernel}, {size}")
            y += STEP
            top = max(rate for _, rate, _ in rows)
            for variant, rate, unit in rows:
                length = LONGEST * rate / top
                picture.text(LEFT + 20, y, variant, 'fill="#333"')
                colour = COLOURS["fastest" if rate == top else "other"]
                picture.bar(LEFT + 170, y - 11, f"{length:.1f}", 13, colour)
                picture.text(f"{LEFT + 176 + length:.1f}", y, f"{rate:,.2f} {unit}")
                y += STEP
    picture.write(out)


main(*sys.argv[1:])
