"""JobSettings: the settings that each job is made with, kept in the ledger."""

import hashlib
import json

from zssr_daemon.ledger.job import Job
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.settings.image_settings import ImageSettings
from zssr_daemon.settings.schema import Settings

#: So many different settings stay at hand; the ledger knows them all.
_MAX_AT_HAND = 100


class JobSettings:
    """Keeps settings and returns them; the ledger is read only for those of an earlier process."""

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        """Begin with none; `settings` hold for jobs whose own settings nobody understands."""
        self._ledger = ledger
        self._of_all = ImageSettings.of(settings)
        self._at_hand: dict[str, ImageSettings] = {}  # by their hash

    def keep(self, settings: ImageSettings) -> str:
        """Let the ledger keep settings, and return the hash by which it does: 16 hex digits."""
        text = json.dumps(settings.model_dump(mode="json"), sort_keys=True)
        name = hashlib.sha256(text.encode()).hexdigest()[:16]
        if name not in self._at_hand:
            self._ledger.keep_settings(name, text)
            self._remember(name, settings)
        return name

    def use(self, job: Job, settings: ImageSettings) -> Job:
        """Record that an attempt begins with these settings."""
        return self._ledger.use_settings(job.id, self.keep(settings))

    def of(self, job: Job) -> ImageSettings:
        """Return what held for a job when it was queued, or began last.

        For a job that an older version queued, or settings that only another version understands,
        return what holds for all.
        """
        name = job.settings_hash
        if name is None:
            return self._of_all
        if name not in self._at_hand:
            self._remember(name, self._read(name))
        return self._at_hand[name]

    def _read(self, name: str) -> ImageSettings:
        text = self._ledger.kept_settings(name)
        try:
            # Not by pydantic's JSON, which refuses the names of files that are not UTF-8.
            return ImageSettings.model_validate(json.loads(text or "null"))
        except ValueError:
            return self._of_all

    def _remember(self, name: str, settings: ImageSettings) -> None:
        if len(self._at_hand) >= _MAX_AT_HAND:
            del self._at_hand[next(iter(self._at_hand))]  # the oldest
        self._at_hand[name] = settings
