"""``python -m latemiles`` is the command ``latemiles``."""

from latemiles.cli.main import run

if __name__ == "__main__":
    run()
