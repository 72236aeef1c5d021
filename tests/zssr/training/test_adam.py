"""Adam: as torch's class computes it."""

import torch

from zssr_daemon.zssr.training.adam import Adam


def test_each_step_is_that_of_torch() -> None:
    """Parameters are equal bit for bit, whatever rates and gradients come."""
    generator = torch.Generator().manual_seed(0)
    ours = [torch.randn(shape, generator=generator) for shape in ((8, 3, 3, 3), (8,), ())]
    theirs = [each.clone() for each in ours]
    betas = (0.9, 0.95)
    optimiser, reference = Adam(ours, betas), torch.optim.Adam(theirs, betas=betas, fused=True)
    for step in range(20):
        for mine, other in zip(ours, theirs, strict=True):
            mine.grad = torch.randn(mine.shape, generator=generator) * 10.0 ** (step % 5 - 4)
            other.grad = mine.grad.clone()
        optimiser.rate = reference.param_groups[0]["lr"] = 0.01 / (step + 1)
        optimiser.step()
        reference.step()
    assert all(torch.equal(mine, other) for mine, other in zip(ours, theirs, strict=True))


def test_gradients_are_forgotten() -> None:
    """What one step moved by does not add to the next."""
    parameter = torch.ones(3, requires_grad=True)
    parameter.grad = torch.ones(3)
    Adam([parameter], (0.9, 0.95)).zero_grad()
    assert parameter.grad is None
