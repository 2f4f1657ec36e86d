"""Draws a few points on two logarithmic scales as SVG, with the line through them extended."""

from __future__ import annotations

import math
from dataclasses import dataclass

WIDTH, HEIGHT = 420, 300
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 34, 44


@dataclass
class Panel:
    """One chart: `points` as (x, y), `until` the x up to which the line is extended."""

    title: str
    points: list[tuple[float, float]]
    until: float
    unit: str


def at(points: list[tuple[float, float]], x: float) -> float:
    """The value at x that the last two points predict: by a straight line or by a power of x, the larger of both."""
    (x1, y1), (x2, y2) = points[-2:]
    slope = math.log(y2 / y1) / math.log(x2 / x1)
    return max(y2 + (y2 - y1) / (x2 - x1) * (x - x2), y2 * (x / x2) ** slope)


def svg(panels: list[Panel]) -> str:
    """The panels side by side."""
    body = "".join(f'<g transform="translate({index * WIDTH},0)">{_panel(one)}</g>' for index, one in enumerate(panels))
    style = "text{font:12px sans-serif;fill:#333}.axis{stroke:#ccc}.line{stroke:#1f5fa8;fill:none;stroke-width:2}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH * len(panels)}" height="{HEIGHT}">'
        f'<style>{style}.on{{stroke-dasharray:5 4}}</style><rect width="100%" height="100%" fill="#fff"/>{body}</svg>\n'
    )


def _panel(panel: Panel) -> str:
    last = at(panel.points, panel.until)
    ys = [y for _, y in panel.points] + [last]
    low_x, high_x = math.floor(math.log10(panel.points[0][0])), math.ceil(math.log10(panel.until))
    low_y, high_y = math.floor(math.log10(min(ys))), math.ceil(math.log10(max(ys)))

    def place(x: float, y: float) -> tuple[float, float]:
        across = (math.log10(x) - low_x) / (high_x - low_x)
        up = (math.log10(y) - low_y) / max(1, high_y - low_y)
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    parts = [f'<text x="{LEFT}" y="18">{panel.title}</text>']
    for power in range(low_x, high_x + 1):
        x, _ = place(10.0**power, 10.0**low_y)
        parts.append(f'<line class="axis" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{HEIGHT - BOTTOM}"/>')
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">10^{power}</text>')
    for power in range(low_y, high_y + 1):
        _, y = place(10.0**low_x, 10.0**power)
        parts.append(f'<line class="axis" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{10.0**power:g}</text>')
    measured = [place(x, y) for x, y in panel.points]
    parts.append(f'<polyline class="line" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in measured)}"/>')
    onward = [measured[-1], place(panel.until, last)]
    parts.append(f'<polyline class="line on" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in onward)}"/>')
    for (x, y), (_, value) in zip(measured, panel.points, strict=True):
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="#1f5fa8"/>')
        parts.append(f'<text x="{x - 6:.1f}" y="{y - 8:.1f}" text-anchor="end">{value:,.3g} {panel.unit}</text>')
    parts.append(f'<text x="{WIDTH / 2:.0f}" y="{HEIGHT - 8}" text-anchor="middle">rows</text>')
    return "".join(parts)
