"""What those want who keep an application running: whether it lives, how it does, and what it did."""

from demijohn.operating.logs import JsonLines, logging_config, set_up_logging
from demijohn.operating.observer import Observer, Stats
from demijohn.operating.probes import Probes
from demijohn.operating.readiness import Readiness

__all__ = ["JsonLines", "Observer", "Probes", "Readiness", "Stats", "logging_config", "set_up_logging"]
