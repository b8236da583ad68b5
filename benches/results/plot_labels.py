#!/usr/bin/env python3
"""Draws the label kernels' rates from criterion's output: plot_labels.py CRITERION_FOLDER OUT.svg

Run `cargo bench -p holdfast-benches --bench label` before; CRITERION_FOLDER is target/criterion.
"""
import json
import pathlib
import sys

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
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{left}" y="22" font-size="14">Labels on one core, million a second</text>',
        f'<line x1="{left}" y1="{base}" x2="{width - 20}" y2="{base}" stroke="#333"/>',
    ]
    step = (width - left - 40) / len(rates)
    for place, (k, group) in enumerate(sorted(rates.items())):
        x = left + 20 + place * step
        for name, rate in group.items():
            y = base - rate * scale
            parts.append(f'<rect x="{x:.0f}" y="{y:.1f}" width="34" height="{rate * scale:.1f}" fill="{COLOURS[name]}"/>')
            inside = rate * scale > 24
            at, colour = (y + 15, "white") if inside else (y - 4, "black")
            parts.append(f'<text x="{x + 17:.0f}" y="{at:.1f}" text-anchor="middle" fill="{colour}">{rate:.1f}</text>')
            x += 42
        middle = left + 20 + place * step + 59
        parts.append(f'<text x="{middle:.0f}" y="{base + 18}" text-anchor="middle">k = {k}: {2 ** (k - 15)} MiB</text>')
    y = base - crate * scale
    parts.append(f'<line x1="{left}" y1="{y:.1f}" x2="{width - 20}" y2="{y:.1f}" stroke="#c0392b" stroke-dasharray="5 4"/>')
    parts.append(f'<text x="{width - 20}" y="{y - 5:.1f}" text-anchor="end" fill="#c0392b">BLAKE3 crate, four compressions a label: {crate:.1f}</text>')
    for place, (name, colour) in enumerate(COLOURS.items()):
        parts.append(f'<rect x="{left + place * 110}" y="298" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{left + 18 + place * 110}" y="308">{name}</text>')
    pathlib.Path(out).write_text("\n".join(parts + ["</svg>", ""]))


main(*sys.argv[1:])
