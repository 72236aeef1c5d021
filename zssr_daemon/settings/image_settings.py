"""ImageSettings: the tables that can differ from image to image, and their place in the ledger."""

import hashlib
import json
from typing import Self

from zssr_daemon.ledger.job import Job
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.settings.schema import Degradation, Output, Settings, Table, ZSSRTable


class ImageSettings(Table):
    """What holds for one image: all that shapes its output and its way."""

    zssr: ZSSRTable
    degradation: Degradation
    output: Output

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return what holds for an image that has no settings of its own."""
        return cls(zssr=settings.zssr, degradation=settings.degradation, output=settings.output)

    def keep(self, ledger: Ledger) -> str:
        """Let the ledger keep them, and return the hash by which it does: 16 hex digits."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        name = hashlib.sha256(text.encode()).hexdigest()[:16]
        ledger.keep_settings(name, text)
        return name


def settings_of(job: Job, ledger: Ledger, settings: Settings) -> ImageSettings:
    """Return what held for a job when it was queued, or began last.

    Of a job that an older version queued, or settings that only another version understands, what
    holds for all is returned.
    """
    text = ledger.kept_settings(job.settings_hash or "")
    try:
        # Not by pydantic's JSON, which refuses the names of files that are no UTF-8.
        return ImageSettings.model_validate(json.loads(text or "null"))
    except ValueError:
        return ImageSettings.of(settings)
