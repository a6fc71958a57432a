#!/usr/bin/env python3
"""Makes docs/dashboard.svg from the running program: tmux captures the screen, this draws it.

    scripts/picture.py OUT.svg -- COMMAND...     (needs tmux; waits WAIT seconds, 60 by default)
"""
import html
import os
import re
import subprocess
import sys
import time

COLUMNS, ROWS, CELL, LINE = 120, 40, 7.8, 16
# Places of the bits of a braille character: column and row.
DOTS = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)]
BASE = ["#2e3436", "#cc5555", "#5faf5f", "#c4a000", "#5f87d7", "#af5faf", "#3fa7a7", "#d3d7cf"]
BRIGHT = ["#7f8386", "#ff7070", "#8ae234", "#fce94f", "#87afff", "#d78fd7", "#34e2e2", "#ffffff"]


def cube(n):
    if n < 16:
        return (BASE + BRIGHT)[n]
    if n >= 232:
        return "#" + f"{8 + 10 * (n - 232):02x}" * 3
    n -= 16
    level = [0, 95, 135, 175, 215, 255]
    return "#%02x%02x%02x" % (level[n // 36], level[n // 6 % 6], level[n % 6])


def style(codes, now):
    codes, i = [int(c or 0) for c in codes.split(";")], 0
    while i < len(codes):
        c = codes[i]
        if c == 0:
            now = {}
        elif c == 1:
            now = now | {"bold": True}
        elif c == 2:
            now = now | {"dim": True}
        elif c == 7:
            now = now | {"reverse": True}
        elif c in (22, 27):
            now = {k: v for k, v in now.items() if k not in ("bold", "dim", "reverse")}
        elif 30 <= c <= 37 or 90 <= c <= 97:
            now = now | {"fg": BASE[c - 30] if c < 90 else BRIGHT[c - 90]}
        elif 40 <= c <= 47 or 100 <= c <= 107:
            now = now | {"bg": BASE[c - 40] if c < 100 else BRIGHT[c - 100]}
        elif c in (38, 48) and codes[i + 1 : i + 2] == [5]:
            now = now | {"fg" if c == 38 else "bg": cube(codes[i + 2])}
            i += 2
        elif c in (38, 48) and codes[i + 1 : i + 2] == [2]:
            now = now | {"fg" if c == 38 else "bg": "#%02x%02x%02x" % tuple(codes[i + 2 : i + 5])}
            i += 4
        elif c in (39, 49):
            now = {k: v for k, v in now.items() if k != ("fg" if c == 39 else "bg")}
        i += 1
    return now


def main():
    out, command = sys.argv[1], sys.argv[sys.argv.index("--") + 1 :]
    name = f"picture{os.getpid()}"
    tmux = lambda *a: subprocess.run(["tmux", "-L", name, *a], check=True, capture_output=True, text=True).stdout
    tmux("new-session", "-d", "-s", name, "-x", str(COLUMNS), "-y", str(ROWS), *command)
    time.sleep(float(os.environ.get("WAIT", "60")))
    screen = tmux("capture-pane", "-e", "-p", "-t", name)
    subprocess.run(["tmux", "-L", name, "kill-server"])
    width, height = COLUMNS * CELL + 16, ROWS * LINE + 16
    svg = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" font-family="'
        'DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="13" xml:space="preserve">',
        f'<rect width="100%" height="100%" rx="8" fill="#15181c"/>',
    ]
    now = {}
    for row, line in enumerate(screen.split("\n")[:ROWS]):
        column, y = 0, 8 + row * LINE
        for part in re.split(r"(\x1b\[[0-9;]*m)", line):
            if part.startswith("\x1b["):
                now = style(part[2:-1], now)
            elif part:
                x, length = 8 + column * CELL, len(part) * CELL
                fg, bg = now.get("fg", "#d3d7cf"), now.get("bg")
                if now.get("reverse"):
                    fg, bg = bg or "#15181c", fg
                if bg:
                    svg.append(f'<rect x="{x:.1f}" y="{y}" width="{length:.1f}" height="{LINE}" fill="{bg}"/>')
                if part.strip():
                    more = (' font-weight="bold"' if now.get("bold") else "") + (
                        ' opacity="0.6"' if now.get("dim") else ""
                    )
                    # Braille is drawn as dots: fonts differ in how wide they make it.
                    dots = "".join(
                        f"M{x + (n + 0.15 + 0.5 * across) * CELL:.1f} {y + (0.06 + 0.25 * down) * LINE:.1f}h2v2h-2z"
                        for n, c in enumerate(part)
                        if 0x2800 <= ord(c) <= 0x28FF
                        for bit, (across, down) in enumerate(DOTS)
                        if (ord(c) - 0x2800) >> bit & 1
                    )
                    if dots:
                        svg.append(f'<path d="{dots}" fill="{fg}"{more}/>')
                    for word in re.finditer(r"[^\s\u2800-\u28ff]+", part):
                        at = x + word.start() * CELL
                        svg.append(
                            f'<text x="{at:.1f}" y="{y + 12.5}" textLength="{len(word.group()) * CELL:.1f}" '
                            f'fill="{fg}"{more}>{html.escape(word.group())}</text>'
                        )
                column += len(part)
    svg.append("</svg>\n")
    with open(out, "w") as file:
        file.write("\n".join(svg))


main()
