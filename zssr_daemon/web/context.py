"""WebContext: what the views of the page share."""

from dataclasses import dataclass

from starlette.templating import Jinja2Templates

from zssr_daemon.settings.schema import Settings
from zssr_daemon.web.daemon_link import DaemonLink


@dataclass(frozen=True, slots=True, kw_only=True)
class WebContext:
    """The settings, the way to the daemon and the templates; made once, by `make_app`."""

    settings: Settings
    link: DaemonLink
    templates: Jinja2Templates
