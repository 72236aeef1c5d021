"""Grey: the start of grey images, folded from one of colour images."""

from torch import Tensor

from zssr_daemon.zssr.start.start_file import COLOURS


def folded_to_grey(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the parameters of a network of one channel, from those of one of three.

    It does to a grey image just what the colour network does to the same image with three equal
    channels, averaged over its three results: the first convolution adds up its weights over the
    colours, the last one averages weights and biases over them. Pairs are inside, and stay.
    """
    layers = (name for name in state if name.startswith("layers."))
    numbers = sorted({int(name.split(".")[1]) for name in layers})
    first, last = f"layers.{numbers[0]}", f"layers.{numbers[-1]}"
    folded = dict(state)
    weight = state[f"{first}.weight"]  # (width, colours * u * u, k, k)
    folded[f"{first}.weight"] = weight.reshape(len(weight), COLOURS, -1, *weight.shape[2:]).sum(
        dim=1
    )
    for kind in ("weight", "bias"):  # (colours * u * u, ...)
        values = state[f"{last}.{kind}"]
        folded[f"{last}.{kind}"] = values.reshape(COLOURS, -1, *values.shape[1:]).mean(dim=0)
    return folded
