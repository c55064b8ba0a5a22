"""Run the command line: ``sparsefit`` or ``python -m sparsefit``."""

import sys


def main() -> int:
    """Run one command; Ctrl-C while that is loading is no traceback either."""
    try:
        from sparsefit.cli import main as run
    except KeyboardInterrupt:
        sys.stderr.write("sparsefit: interrupted\n")
        return 130
    return run()


if __name__ == "__main__":
    sys.exit(main())
