"""JobSettings: the settings of each job, kept in the ledger under their hash."""

import hashlib
import json

from zssr_daemon.ledger.job import Job
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.settings.image_settings import ImageSettings
from zssr_daemon.settings.schema import Settings

#: At most this many different settings stay in memory; the ledger keeps all of them.
_MAX_AT_HAND = 100


class JobSettings:
    """Writes settings to the ledger and returns them; it reads back only those not in memory."""

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        """Start with none; `settings` apply to jobs whose own settings cannot be read."""
        self._ledger = ledger
        self._of_all = ImageSettings.of(settings)
        self._at_hand: dict[str, ImageSettings] = {}  # by their hash

    def keep(self, settings: ImageSettings) -> str:
        """Store settings in the ledger, and return their hash there: 16 hex digits."""
        text = json.dumps(settings.model_dump(mode="json"), sort_keys=True)
        name = hashlib.sha256(text.encode()).hexdigest()[:16]
        if name not in self._at_hand:
            self._ledger.keep_settings(name, text)
            self._remember(name, settings)
        return name

    def use(self, job: Job, settings: ImageSettings) -> Job:
        """Record that an attempt of `job` begins with these settings."""
        return self._ledger.use_settings(job.id, self.keep(settings))

    def of(self, job: Job) -> ImageSettings:
        """Return the settings that a job was queued with, or that its last attempt began with.

        The settings for all images are returned for a job without settings of its own, which an
        older version queued, and where this version does not understand what the ledger kept.
        """
        name = job.settings_hash
        if name is None:
            return self._of_all
        if name not in self._at_hand:
            kept = self._read(name)
            if kept is None:
                return self._of_all
            self._remember(name, kept)
        return self._at_hand[name]

    def _read(self, name: str) -> ImageSettings | None:
        text = self._ledger.kept_settings(name)
        try:
            # Not by pydantic's JSON, which refuses file names that are not UTF-8.
            return ImageSettings.model_validate(json.loads(text or "null"))
        except ValueError:
            return None

    def _remember(self, name: str, settings: ImageSettings) -> None:
        if len(self._at_hand) >= _MAX_AT_HAND:
            del self._at_hand[next(iter(self._at_hand))]  # the oldest
        self._at_hand[name] = settings
