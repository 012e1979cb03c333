"""Check that every public docstring names exactly the parameters its signature has (numpydoc)."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

from numpydoc.docscrape import NumpyDocString

SRC = Path(__file__).resolve().parent.parent / "src" / "latemiles"


def parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """Names of the parameters of a function, without self and cls, stars removed."""
    a = node.args
    names = [x.arg for x in (*a.posonlyargs, *a.args, *a.kwonlyargs)]
    names += [x.arg for x in (a.vararg, a.kwarg) if x is not None]
    return [n for n in names if n not in {"self", "cls"}]


def documented(doc: str) -> list[str]:
    """Names in the Parameters section; several on one line are split."""
    out: list[str] = []
    for entry in NumpyDocString(doc)["Parameters"]:
        out += [n.strip().lstrip("*") for n in entry.name.split(",")]
    return out


def problems(path: Path) -> list[str]:
    """What is wrong in one file, one line each."""
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef):
            init = next(
                (f for f in node.body if isinstance(f, ast.FunctionDef) and f.name == "__init__"), None
            )
            doc, function = ast.get_docstring(node), init
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            doc, function = ast.get_docstring(node), node
        else:
            continue
        if node.name.startswith("_") or not doc or function is None:
            continue
        said = documented(doc)
        have = parameters(function)
        if said and said != have:
            where = f"{path.relative_to(SRC.parent.parent)}:{node.lineno} {node.name}"
            found.append(f"{where}: documents {said}, takes {have}")
    return found


def main() -> int:
    """Print every mismatch; 1 if there is any."""
    found = [line for path in sorted(SRC.rglob("*.py")) for line in problems(path)]
    print("\n".join(found) or f"docstrings match signatures in {len(list(SRC.rglob('*.py')))} files")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
