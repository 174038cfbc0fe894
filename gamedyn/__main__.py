"""`python -m gamedyn`: the command line, for where the script is not on the path."""

import sys

from gamedyn.cli import main

sys.exit(main())
