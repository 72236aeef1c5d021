"""Adam: the optimiser of a fit, by torch's function of the same arithmetic.

The class `torch.optim.Adam` computes the same, but its first step loads torch's compiler, which
takes longer than many a fit: 1.4 s of a core, and 100 MB.
"""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.optim.adam import adam

# Keeps a parameter that hardly ever has a gradient from being moved far; torch's default.
_EPSILON = 1e-8


class Adam:
    """Moves parameters against their gradients, by their means over the last steps.

    Kingma and Ba, "Adam: a method for stochastic optimization", 2015.
    """

    def __init__(self, parameters: Iterable[Tensor], betas: tuple[float, float]) -> None:
        """Begin without memory; betas: how much of either mean is kept with each step."""
        self.rate = 0.0  # the learning rate, to be set before a step
        self._parameters = list(parameters)
        self._beta1, self._beta2 = betas
        self._means = [torch.zeros_like(each) for each in self._parameters]
        self._squares = [torch.zeros_like(each) for each in self._parameters]
        self._steps = [torch.zeros((), device=each.device) for each in self._parameters]

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self._parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Move each parameter; all must have gradients."""
        adam(
            self._parameters,
            [parameter.grad for parameter in self._parameters if parameter.grad is not None],
            self._means,
            self._squares,
            [],
            self._steps,
            fused=True,
            amsgrad=False,
            beta1=self._beta1,
            beta2=self._beta2,
            lr=self.rate,
            weight_decay=0.0,
            eps=_EPSILON,
            maximize=False,
        )
