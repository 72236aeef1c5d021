"""The network: shapes, start, reach."""

import pytest
import torch

from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.network import ResidualNet
from zssr_daemon.zssr.scale import unshuffle_factor


def network(
    *, seed: int = 0, kernel_size: int = 3, unshuffle: int = 2, pairs: int = 0
) -> ResidualNet:
    """Return a small network."""
    config = ZSSRConfig(
        scale_factor=float(unshuffle),
        max_pass_scale=float(unshuffle),
        model_width=8,
        model_depth=3,
        model_kernel_size=kernel_size,
        model_pairs=pairs,
    )
    return ResidualNet(config, channels=3, generator=torch.Generator().manual_seed(seed))


def grown(net: ResidualNet) -> ResidualNet:
    """Return it with pairs that add something."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for pair in net.pairs:
            for weight in pair.parameters():
                weight.copy_(torch.randn(weight.shape, generator=generator) * 0.2)
    return net


@pytest.mark.parametrize(
    ("kernel_size", "unshuffle", "pairs"), [(3, 2, 0), (5, 3, 0), (1, 2, 0), (3, 2, 2)]
)
def test_receptive_radius_bounds_what_a_pixel_reaches(
    kernel_size: int, unshuffle: int, pairs: int
) -> None:
    """Beyond the radius (rounded up to the unshuffle grid) nothing changes, within it something."""
    net = grown(network(kernel_size=kernel_size, unshuffle=unshuffle, pairs=pairs))
    image = torch.zeros(1, 3, 30 * unshuffle, 30 * unshuffle)
    centre = 15 * unshuffle
    poked = image.clone()
    poked[0, :, centre, centre] = 1.0
    with torch.no_grad():
        changed = (net(image) != net(poked))[0].any(dim=0)
    radius = net.receptive_radius
    reached = changed.any(dim=0).nonzero().flatten()
    assert centre - radius == int(reached.min())
    assert centre + unshuffle - 1 + radius == int(reached.max())


def test_unfitted_network_starts_near_bicubic() -> None:
    """The tiny last layer makes the first residual negligible: below one step of 8 bits."""
    with torch.no_grad():
        assert float(network()(torch.rand(1, 3, 16, 16) - 0.5).abs().mean()) < 1 / 255


@pytest.mark.parametrize("pairs", [1, 2, 5])
def test_pairs_add_nothing_at_first(pairs: int) -> None:
    """So the weights of a plain network make a deeper one that does just the same."""
    plain, deeper = network(), network(seed=1, pairs=pairs)
    deeper.load_state_dict(deeper.state_dict() | plain.state_dict())
    image = torch.rand((1, 3, 16, 16), generator=torch.Generator().manual_seed(0)) - 0.5
    with torch.no_grad():
        assert torch.equal(deeper(image), plain(image))
        assert not torch.equal(grown(deeper)(image), plain(image))


@pytest.mark.parametrize("pairs", [1, 2, 3, 5])
def test_every_pair_takes_part(pairs: int) -> None:
    """However many there are for the hidden layers, each changes the result."""
    net = grown(network(pairs=pairs))
    image = torch.rand((1, 3, 16, 16), generator=torch.Generator().manual_seed(0)) - 0.5
    net(image).square().sum().backward()
    assert all(bool(weight.grad is not None) for weight in net.parameters())


def test_initial_weights_come_from_the_given_generator_only() -> None:
    """The global generator is neither read nor moved."""
    before = torch.random.get_rng_state()
    weights = [next(network(seed=seed).parameters()) for seed in (1, 1, 2)]
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize(
    ("scale", "expected"), [(2.0, 2), (3.0, 3), (8.0, 8), (1.5, 2), (1.1, 2), (2.5, 2)]
)
def test_unshuffle_factor_is_the_scale_if_whole(scale: float, expected: int) -> None:
    """Then every source pixel is one position of the network."""
    assert expected == unshuffle_factor(scale)
