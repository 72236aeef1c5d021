"""Trainer: a network trained on drawn pictures, which can be stopped and resumed anywhere."""

import copy
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from zssr_daemon.zssr.device import is_bf16_wanted
from zssr_daemon.zssr.start.picture_pool import PicturePool
from zssr_daemon.zssr.start.recipe import Recipe
from zssr_daemon.zssr.start.shipped import shipped_starts
from zssr_daemon.zssr.start.start_file import shipped_folder
from zssr_daemon.zssr.training.fit import BETA1, clip_gradients
from zssr_daemon.zssr.training.network_key import network_key
from zssr_daemon.zssr.training.rounds import new_network
from zssr_daemon.zssr.training.weights import Weights

# Called after every iteration with (its number from 1, its loss).
OnIteration = Callable[[int, Tensor], None]


class Trainer:
    """The training of one start on the CPU: network, optimiser, averaged weights, pictures."""

    def __init__(self, recipe: Recipe) -> None:
        """Begin; the pictures are drawn when the first step needs them."""
        self.recipe = recipe
        self.iteration = 0  # done so far
        self._generator = torch.Generator().manual_seed(recipe.seed)
        config = recipe.config
        self._is_bf16 = is_bf16_wanted(config.precision, torch.device("cpu"))
        self.network = new_network(torch.zeros(recipe.channels, 1, 1), config, self._generator)
        if recipe.begins_with is not None:
            # Read anew: the one that is named may have been made a moment ago.
            starts = {start.name: start.weights for start in shipped_starts(shipped_folder())}
            self._take_over(starts[recipe.begins_with])
        self._average = {name: value.clone() for name, value in self.network.state_dict().items()}
        betas = (BETA1, recipe.beta2)
        self._optimiser = torch.optim.Adam(self.network.parameters(), betas=betas, fused=True)
        self._pool: PicturePool | None = None

    @property
    def is_done(self) -> bool:
        """Whether the recipe is fulfilled."""
        return self.iteration >= self.recipe.iterations

    @property
    def pictures_drawn(self) -> int:
        """How many pictures of the row the training has seen."""
        return self.recipe.pool + self.iteration // self.recipe.renewal

    def run(self, iterations: int, on_iteration: OnIteration = lambda _number, _loss: None) -> None:
        """Train for so many iterations more, or for those that are left."""
        last = min(self.iteration + iterations, self.recipe.iterations)
        while self.iteration < last:
            on_iteration(self.iteration + 1, self.step())

    def step(self) -> Tensor:
        """Do one iteration; return its loss."""
        pool = self._renewed_pool()
        self._optimiser.param_groups[0]["lr"] = self.rate()
        inputs, residual = pool.sample(self._generator)
        with torch.autocast("cpu", torch.bfloat16, enabled=self._is_bf16):
            predicted = self.network(inputs)
        loss = self._loss(predicted.float(), residual.float())
        self._optimiser.zero_grad()
        torch.autograd.backward([loss])
        clip_gradients(self.network, self.recipe.config)
        self._optimiser.step()
        self.iteration += 1
        self._update_average()
        return loss.detach()

    def rate(self) -> float:
        """Return the learning rate of the next iteration: up linearly, down along half a cosine."""
        recipe = self.recipe
        share = (self.iteration + 1) / recipe.iterations
        if share < recipe.warm_up:
            return recipe.lr * share / recipe.warm_up
        done = (share - recipe.warm_up) / (1 - recipe.warm_up)
        return recipe.lr_stop + (recipe.lr - recipe.lr_stop) * 0.5 * (1 + math.cos(math.pi * done))

    def weights(self) -> Weights:
        """Return the averaged weights, as `super_resolve` takes them."""
        key = network_key(self.recipe.config, self.recipe.channels)
        return Weights(key, {name: value.clone() for name, value in self._average.items()})

    def state_dict(self) -> dict[str, Any]:
        """Return all that `load_state_dict` needs: a plain dictionary of tensors and numbers."""
        state = {
            "recipe": self.recipe.values,
            "iteration": self.iteration,
            "network": self.network.state_dict(),
            "average": self._average,
            "optimiser": self._optimiser.state_dict(),
            "generator": self._generator.get_state(),
        }
        return copy.deepcopy(state)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where the training of `state` stood.

        The recipe may have other iterations, rates or pictures than the state's, as long as the
        network is the same. With the same recipe the weights will be as if it had never stopped.
        """
        self.iteration = state["iteration"]
        self.network.load_state_dict(state["network"])
        self._average = copy.deepcopy(state["average"])
        self._optimiser.load_state_dict(copy.deepcopy(state["optimiser"]))
        self._generator.set_state(state["generator"])
        self._pool = None

    def _take_over(self, weights: Weights) -> None:
        """Begin with the layers of another start; those of another shape stay as drawn by chance.

        Networks that enlarge by other factors differ in their first and their last layer alone.
        """
        own = self.network.state_dict()
        alike = {name: x for name, x in weights.state.items() if x.shape == own[name].shape}
        self.network.load_state_dict(own | alike)

    def _renewed_pool(self) -> PicturePool:
        """Return the pictures for the next iteration, of which every `renewal`-th draws one."""
        renewals, rest = divmod(self.iteration, self.recipe.renewal)
        if self._pool is None:
            dtype = torch.bfloat16 if self._is_bf16 else torch.float32
            self._pool = PicturePool(self.recipe, dtype, drawn=renewals)
        elif rest == 0:
            self._pool.renew()
        return self._pool

    def _loss(self, predicted: Tensor, residual: Tensor) -> Tensor:
        """Return the mean distance; at the end its square, which PSNR counts."""
        if self.iteration < (1 - self.recipe.squared) * self.recipe.iterations:
            return functional.l1_loss(predicted, residual)
        return functional.mse_loss(predicted, residual)

    @torch.no_grad()
    def _update_average(self) -> None:
        """Let the average follow the weights; at first faster, so that it forgets the beginning."""
        keep = min(self.recipe.memory, self.iteration / (self.iteration + 10))
        for name, value in self.network.state_dict().items():
            self._average[name].lerp_(value, 1 - keep)
