"""JobSettings: the settings a job was started with, as the ledger keeps them."""

import hashlib
import json

from zssr_daemon.ledger.job import Job
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.settings.image_settings import ImageSettings
from zssr_daemon.settings.schema import Settings


def keep_settings(settings: ImageSettings, ledger: Ledger) -> str:
    """Let the ledger keep settings, and return the hash by which it does: 16 hex digits."""
    text = json.dumps(settings.model_dump(mode="json"), sort_keys=True)
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
