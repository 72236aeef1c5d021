"""The fit: Adam on the L1 distance to the residual, one round of it."""

import math
from collections.abc import Callable

import torch
from torch.nn import functional

from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.inference.fitted_network import FittedNetwork
from zssr_daemon.zssr.network import ResidualNet
from zssr_daemon.zssr.training.adam import Adam
from zssr_daemon.zssr.training.pairs import Pool
from zssr_daemon.zssr.training.schedule import Schedule

BETA1 = 0.9
READ_EVERY = 25  # iterations between two readings of the loss: each one waits for the device

# Called after every iteration with (its number from 1, loss last read, learning rate).
OnIteration = Callable[[int, float | None, float], None]


class DivergedError(ArithmeticError):
    """The fit failed: the loss is not finite, or the network is no better than bicubic."""


def fit(
    fitted: FittedNetwork,
    pool: Pool,
    *,
    schedule: Schedule,
    iterations: int,
    generator: torch.Generator,
    on_iteration: OnIteration,
) -> int:
    """Train the network in place for at most `iterations`; return how many were run.

    Raises:
        DivergedError: a loss read back is not finite.
    """
    network, config = fitted.network, fitted.config
    device = next(network.parameters()).device
    optimiser = new_optimiser(network, config)
    loss_value: float | None = None
    for iteration in range(iterations):
        rate = schedule(iteration)
        if rate is None:
            return iteration
        optimiser.rate = rate
        inputs, residual = pool.sample(config.batch_size, generator)
        with torch.autocast(device.type, torch.bfloat16, enabled=fitted.is_bf16):
            predicted = network(inputs)
        loss = functional.l1_loss(predicted.float(), residual.float())
        optimiser.zero_grad()
        torch.autograd.backward([loss])
        clip_gradients(network, config)
        optimiser.step()
        if iteration % READ_EVERY == 0:
            loss_value = loss.item()
            if not math.isfinite(loss_value):
                raise DivergedError(f"loss is {loss_value} at iteration {iteration}")
        on_iteration(iteration + 1, loss_value, rate)
    return iterations


def new_optimiser(network: ResidualNet, config: ZSSRConfig) -> Adam:
    """Return the optimiser of one round; its learning rate is set at each iteration."""
    return Adam(network.parameters(), betas=(BETA1, config.adam_beta2))


def clip_gradients(network: ResidualNet, config: ZSSRConfig) -> None:
    """Shorten long gradients: with centring and warm-up this makes a high learning rate stable."""
    if config.max_gradient_norm > 0:
        torch.nn.utils.clip_grad_norm_(network.parameters(), config.max_gradient_norm)
