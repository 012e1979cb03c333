#!/bin/sh
# Everything that can be said of the code without running it.
set -eu
bin="$1"
echo "== ruff format";       "$bin/ruff" format --check --quiet src tests scripts benchmarks dashboards
echo "== ruff lint";         "$bin/ruff" check --quiet src tests scripts benchmarks dashboards
echo "== mypy --strict";     "$bin/mypy" --no-error-summary
echo "== import layers";     "$bin/lint-imports" --no-cache >/tmp/latemiles-imports.$$ || { cat /tmp/latemiles-imports.$$; rm -f /tmp/latemiles-imports.$$; exit 1; }
rm -f /tmp/latemiles-imports.$$
echo "== docstrings match signatures"; "$bin/python" scripts/check_docstrings.py
echo "== generated files are up to date"; "$bin/python" scripts/generate_metrics_doc.py --check
"$bin/python" dashboards/generate.py --check
echo "All checks passed."
