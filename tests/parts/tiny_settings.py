"""Settings of a network so small that a job takes a moment."""

from collections.abc import Callable

from zssr_daemon.settings.schema import Settings
from zssr_daemon.zssr.config import ZSSRConfig

TINY = ZSSRConfig(
    num_epochs=4,
    rounds=1,
    crop_size=8,
    model_width=4,
    model_depth=2,
    model_pairs=0,
    self_ensemble=False,
    back_projections=0,
)

SettingsFactory = Callable[..., Settings]
