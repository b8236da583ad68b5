"""The few shapes that the pictures of figures are made of."""
import pathlib


class Picture:
    """A white sheet with a title; shapes are added, then it is written."""

    def __init__(self, width, height, title, left):
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
            '<rect width="100%" height="100%" fill="white"/>',
            f'<text x="{left}" y="22" font-size="14">{title}</text>',
        ]

    def line(self, start, end, style):
        (x1, y1), (x2, y2) = start, end
        self.parts.append(f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" {style}/>')

    def bar(self, x, y, width, height, colour):
        self.parts.append(f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="{colour}"/>')

    def text(self, x, y, text, style=""):
        self.parts.append(f'<text x="{x}" y="{y}"{" " + style if style else ""}>{text}</text>')

    def write(self, out):
        pathlib.Path(out).write_text("\n".join(self.parts + ["</svg>", ""]))
