"""Run the command line: ``python -m sparsefit``."""

import sys

from sparsefit.cli import main

sys.exit(main())
