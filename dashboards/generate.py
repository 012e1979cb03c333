"""Write the boards and alert rules from the metric catalogue; with ``--check`` only look for differences.

python dashboards/generate.py [--check]
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from alerts import rules  # noqa: E402
from boards import boards  # noqa: E402
from grafana_foundation_sdk.cog.encoder import JSONEncoder  # noqa: E402
from lint import problems  # noqa: E402


def files() -> dict[Path, str]:
    """Path to content of every generated file."""
    made: dict[Path, Any] = {
        HERE / "boards" / f"{name}.json": board.build() for name, board in boards().items()
    }
    made[HERE / "provisioning" / "alerting" / "rules.json"] = rules()
    return {
        path: json.dumps(value, cls=JSONEncoder, indent=1, sort_keys=True) + "\n"
        for path, value in made.items()
    }


def main() -> int:
    """Write or check; 1 if a file is out of date or the lint finds something."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail if a file is out of date")
    check = parser.parse_args().check
    made = files()
    wrong = [
        f"{path.name}: {line}"
        for path, text in made.items()
        if path.parent.name == "boards"
        for line in problems(json.loads(text))
    ]
    for path, text in made.items():
        if not check:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            wrong.append(f"{path.relative_to(HERE)} is out of date. Run: python dashboards/generate.py")
    sys.stderr.write("".join(f"{line}\n" for line in wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
