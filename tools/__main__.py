"""`python -m tapstack` is the command `tapstack`."""

import sys

from .cli import main

sys.exit(main())
