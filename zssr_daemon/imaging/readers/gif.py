"""GIF: read by Pillow; the first frame of several, or each of them."""

from zssr_daemon.imaging.pillow import open_picture
from zssr_daemon.imaging.readers.picture import Header, Picture


def read_gif(data: bytes, _notes: list[str]) -> Header:
    """Read the header and count the frames; `load` composes one of them."""
    image = open_picture(data, ["GIF"])

    def load(frame: int) -> Picture:
        image.seek(frame)
        image.load()
        return Picture(image=image)

    return Header(
        width=image.width,
        height=image.height,
        channels=3,
        has_alpha=False,
        frames=getattr(image, "n_frames", 1),
        load=load,
    )
