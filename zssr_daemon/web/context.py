"""WebContext: what the views of the page share."""

from dataclasses import dataclass

from starlette.templating import Jinja2Templates

from zssr_daemon.settings.schema import Settings
from zssr_daemon.web.cutter import Cutter
from zssr_daemon.web.daemon_link import DaemonLink
from zssr_daemon.web.feed import Feed
from zssr_daemon.web.guard.bounds import Bounds
from zssr_daemon.web.guard.sessions import Sessions
from zssr_daemon.web.upload.batches import Batches


@dataclass(frozen=True, slots=True, kw_only=True)
class WebContext:
    """The settings, the way to the daemon and the rest; made once, by `make_context`."""

    settings: Settings
    link: DaemonLink
    templates: Jinja2Templates
    sessions: Sessions
    bounds: Bounds
    feed: Feed
    batches: Batches
    cutter: Cutter
