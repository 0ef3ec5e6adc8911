"""``python -m lbalgo``."""

from lbalgo.cli import main

raise SystemExit(main())
