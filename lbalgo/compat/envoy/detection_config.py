"""A cluster's `outlier_detection`, read: the detector with Envoy's defaults for what is not said.

Source: Envoy 1.40, `config.cluster.v3.OutlierDetection`.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from lbalgo.compat.config import Fields
from lbalgo.compat.envoy.outlier import OutlierDetection
from lbalgo.compat.envoy.outlier_detector import OutlierDetector
from lbalgo.compat.envoy.policy_config import built
from lbalgo.compat.envoy.scalars import duration, whole

DURATIONS = ("interval", "base_ejection_time", "max_ejection_time", "max_ejection_time_jitter")
OURS = ("quirks", "seed")  # parameters that Envoy's configuration does not have


def detector_of(fields: Fields | None) -> OutlierDetector | None:
    """The signal that a cluster's detection is; None if the cluster has none.

    Raises
    ------
    ConfigError : a field has a wrong type or value.
    """
    if fields is None:
        return None
    fields.refuse("monitors", "extensions of the detector are not known here")
    given: dict[str, Any] = {}
    for field in dataclasses.fields(OutlierDetection):
        if field.name in fields and field.name not in OURS:
            default = field.default
            kind: Any = duration if field.name in DURATIONS else bool if isinstance(default, bool) else whole
            value = fields.take(field.name, kind, None)
            if value is not None:
                given[field.name] = value
    return OutlierDetector(built(fields, OutlierDetection, **given))
