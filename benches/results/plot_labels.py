#!/usr/bin/env python3
"""Draws the label kernels' rates from criterion's output: plot_labels.py CRITERION_FOLDER OUT.svg

Run `cargo bench -p holdfast-benches --bench label` before; CRITERION_FOLDER is target/criterion.
"""
import json
import pathlib
import sys

from svg import Picture

COLOURS = {"portable": "#9aa5b1", "avx2": "#4c8bbf", "avx512": "#1f4e79"}


def million_per_second(folder):
    """Rate of one benchmark: elements over its mean time."""
    estimates = json.loads((folder / "new/estimates.json").read_text())
    elements = json.loads((folder / "new/benchmark.json").read_text())["throughput"]["Elements"]
    return elements / estimates["mean"]["point_estimate"] * 1e3


def main(criterion, out):
    label = pathlib.Path(criterion) / "label"
    crate = million_per_second(label / "blake3_crate")
    rates = {}
    for name in COLOURS:
        for folder in sorted(label.glob(f"next_layer_{name}/[0-9]*")):
            rates.setdefault(int(folder.name), {})[name] = million_per_second(folder)
    top = max([crate] + [rate for group in rates.values() for rate in group.values()]) * 1.1
    width, height, left, base = 640, 320, 60, 270
    scale = (base - 40) / top
    picture = Picture(width, height, "Labels on one core, million a second", left)
    picture.line((left, base), (width - 20, base), 'stroke="#333"')
    step = (width - left - 40) / len(rates)
    for place, (k, group) in enumerate(sorted(rates.items())):
        x = left + 20 + place * step
        for name, rate in group.items():
            y = base - rate * scale
            picture.bar(f"{x:.0f}", f"{y:.1f}", 34, f"{rate * scale:.1f}", COLOURS[name])
            inside = rate * scale > 24
            at, colour = (y + 15, "white") if inside else (y - 4, "black")
            picture.text(f"{x + 17:.0f}", f"{at:.1f}", f"{rate:.1f}", f'text-anchor="middle" fill="{colour}"')
            x += 42
        middle = left + 20 + place * step + 59
        picture.text(f"{middle:.0f}", base + 18, f"k = {k}: {2 ** (k - 15)} MiB", 'text-anchor="middle"')
    y = f"{base - crate * scale:.1f}"
    picture.line((left, y), (width - 20, y), 'stroke="#c0392b" stroke-dasharray="5 4"')
    above = f"{base - crate * scale - 5:.1f}"
    text = f"BLAKE3 crate, four compressions a label: {crate:.1f}"
    picture.text(width - 20, above, text, 'text-anchor="end" fill="#c0392b"')
    for place, (name, colour) in enumerate(COLOURS.items()):
        picture.bar(left + place * 110, 298, 12, 12, colour)
        picture.text(left + 18 + place * 110, 308, name)
    picture.write(out)


main(*sys.argv[1:])
