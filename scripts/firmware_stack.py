"""Deepest stack of the firmware's core: the longest path through GCC's call graph, in bytes.

Reads the `.ci` files that `-fcallgraph-info=su` leaves in a folder. Calls through the port's pointers leave
the core and are not followed; calls into the C library count what is written down here.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

LIBRARY_BYTES = {"memcpy": 16, "memmove": 16, "memset": 16, "memcmp": 16}
DIVISION_BYTES = 48
"""Read off newlib nano's and libgcc's code for the Cortex-M4; 64-bit division is the deepest of libgcc's."""

NODE = re.compile(r'node: \{ title: "([^"]+)" label: "[^"]*?\\n(?:[^"]*?\\n)?(\d+) bytes \((\w+)')
EDGE = re.compile(r'edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"')


def read(folder: Path) -> tuple[dict[str, int], dict[str, set[str]]]:
    """Bytes of each function, and what each one calls."""
    own: dict[str, int] = {}
    calls: dict[str, set[str]] = {}
    for path in sorted(folder.glob("*.ci")):
        text = path.read_text()
        for name, size, kind in NODE.findall(text):
            if kind != "static":
                raise SystemExit(f"{name}: stack that grows at run time ({kind})")
            own[name] = int(size)
        for source, target in EDGE.findall(text):
            calls.setdefault(source, set()).add(target)
    return own, calls


def deepest(
    name: str, own: dict[str, int], calls: dict[str, set[str]], path: tuple[str, ...]
) -> tuple[int, list[str]]:
    """Bytes of the deepest path from a function, and the path."""
    if name in path:
        raise SystemExit(f"recursion: {' > '.join((*path, name))}")
    if name == "__indirect_call":
        return 0, []
    if name not in own:
        return LIBRARY_BYTES.get(name, DIVISION_BYTES), [name]
    best, way = 0, list[str]()
    for callee in sorted(calls.get(name, ())):
        size, below = deepest(callee, own, calls, (*path, name))
        if size > best:
            best, way = size, below
    return own[name] + best, [name, *way]


def main() -> None:
    """Print the deepest path; fail above the budget."""
    folder, budget = Path(sys.argv[1]), int(sys.argv[2])
    own, calls = read(folder)
    if not own:
        raise SystemExit(f"no call graph in {folder}")
    size, path = max(deepest(name, own, calls, ()) for name in own)
    short = " > ".join(name.split(":")[-1] for name in path)
    print(f"   deepest stack {size} B of {budget} B: {short}")
    if size > budget:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
