"""The settings of the monitor as they are typed: those of the detector and those of the controller in one group."""

from selfreward.monitor.controller import ControllerSpec
from selfreward.monitor.detector import DetectorSpec
from selfreward.spec import part_of


class MonitorSpec(DetectorSpec, ControllerSpec):
    """See `DetectorSpec` and `ControllerSpec`; a stage is given only the half that it works by."""

    @property
    def detector(self) -> DetectorSpec:
        """What decides a verdict."""
        return part_of(self, DetectorSpec)

    @property
    def controller(self) -> ControllerSpec:
        """What decides an action."""
        return part_of(self, ControllerSpec)
