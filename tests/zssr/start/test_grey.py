"""The grey start: it does to a grey image what the colour start does to it."""

import torch

from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.network import ResidualNet
from zssr_daemon.zssr.start.grey import folded_to_grey


def network(channels: int) -> ResidualNet:
    """Return a small network with weights far from zero, its last layer too."""
    config = ZSSRConfig(model_width=8, model_depth=3, model_pairs=1)
    generator = torch.Generator().manual_seed(channels)
    net = ResidualNet(config, channels=channels, generator=generator)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    return net


def test_folded_network_is_the_mean_of_the_colour_network() -> None:
    """One channel in, and out comes the mean of what three equal channels give."""
    colour, grey = network(3), network(1)
    grey.load_state_dict(folded_to_grey(colour.state_dict()))
    image = torch.rand((2, 1, 12, 10), generator=torch.Generator().manual_seed(0)) - 0.5
    with torch.no_grad():
        expected = colour(image.expand(-1, 3, -1, -1)).mean(dim=1, keepdim=True)
        torch.testing.assert_close(grey(image), expected, atol=1e-5, rtol=1e-5)
