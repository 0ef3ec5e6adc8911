"""A cluster's `outlier_detection`, read: the detector with Envoy's defaults for what is not said.

Source: Envoy 1.40, `config.cluster.v3.OutlierDetection`.
"""

from __future__ import annotations

from typing import Any

from lbalgo.compat.config import Fields


def detector_of(fields: Fields | None) -> Any:
    """The signal; None without the field."""
    return None
