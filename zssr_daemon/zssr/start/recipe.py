"""Recipe: all numbers from which a start is made again, and the same one."""

from dataclasses import asdict, dataclass
from typing import Any, Self

from zssr_daemon.zssr.config import ZSSRConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a start is trained; pixels are those of the drawn pictures."""

    # The network.
    width: int  # channels of its hidden layers
    depth: int  # convolutions
    pairs: int = 0  # of further ones
    channels: int  # 3, or 1: the luma of the same pictures
    scale: float = 2.0  # of one pass
    # The name of a shipped start, whose layers of the same shape are taken; None: chance.
    begins_with: str | None = None

    # The pictures.
    seed: int = 16
    side: int = 256
    pool: int = 96  # pictures that crops are taken from at one time
    renewal: int = 16  # iterations between two new pictures, each in place of the oldest
    # Sons are compressed at qualities from the first to the last; None: they are not.
    qualities: tuple[int, int] | None = None
    # Sons get white noise of these standard deviations, levels of 255; None: they get none.
    noises: tuple[float, float] | None = None

    # The training.
    iterations: int = 30_000
    batch_size: int = 16
    crop_size: int = 48
    lr: float = 2e-3  # peak rate of Adam
    lr_stop: float = 1e-5
    beta2: float = 0.99
    warm_up: float = 0.02  # share of the iterations in which the rate rises
    squared: float = 0.1  # share of the iterations, the last ones, with the squared error
    memory: float = 0.999  # of the average of the weights, which is the result

    @property
    def config(self) -> ZSSRConfig:
        """The parameters of a fit that could begin with this start."""
        return ZSSRConfig(
            scale_factor=self.scale,
            max_pass_scale=max(2.0, self.scale),
            in_channels="auto",
            model_width=self.width,
            model_depth=self.depth,
            model_pairs=self.pairs,
        )

    @property
    def values(self) -> dict[str, Any]:
        """The recipe as plain names and numbers."""
        return asdict(self)

    @classmethod
    def of(cls, values: dict[str, Any]) -> Self:
        """Return the recipe that `values` tells of."""
        ranges = {name: values.get(name) for name in ("qualities", "noises")}
        # JSON knows lists only.
        return cls(**values | {name: each and tuple(each) for name, each in ranges.items()})
