"""StartCheck: which drawn start the settings lead to, looked up once before any job."""

from pathlib import Path

from zssr_daemon.errors import SettingsError
from zssr_daemon.settings.schema import Settings
from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.scale import label
from zssr_daemon.zssr.start.start_file import StartError, StartFile, fitting_file


def configured_start(settings: Settings) -> StartFile | None:
    """Return the start of the fits of images without settings of their own.

    None: they begin from chance, because the settings ask for that or no start fits.

    Raises:
        SettingsError: a start that came with the program is missing or damaged.
    """
    if settings.zssr.start == "none":
        return None
    try:
        return fitting_file(_config(settings))
    except StartError as error:
        cure = 'install the program again, or set [zssr] start = "none"'
        raise SettingsError(f"{error}; {cure}") from error


def start_warnings(settings: Settings, start: StartFile | None) -> list[str]:
    """Return what to say where a start is asked for and none fits; start: the configured one."""
    if start is not None or settings.zssr.start == "none":
        return []
    scale = label(_config(settings).network_scale)
    message = (
        f"no drawn start fits the network that [zssr] asks for, which enlarges by {scale} in one "
        'pass: fits begin from chance; start = "none" asks for that'
    )
    return [message]


def _config(settings: Settings) -> ZSSRConfig:
    """Return the parameters of a fit; with a kernel the whole scale is one pass."""
    return settings.zssr.for_source(has_kernel=isinstance(settings.degradation.kernel, Path))
