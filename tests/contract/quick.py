"""To see that something is broken no smallest example is needed."""

from hypothesis import Phase, settings

QUICK = settings(phases=[Phase.generate], report_multiple_bugs=False)
