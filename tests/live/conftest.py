"""The real programs are started only where LBALGO_LIVE asks for it, as `.ci/live` does: they have to be installed."""

import os

MODE = os.environ.get("LBALGO_LIVE", "off")
if MODE not in ("quick", "long"):
    collect_ignore = ["test_live.py"]
