"""JobSettings: what a job was made with is known to its end, and seldom read back."""

from pathlib import Path

import pytest

from tests.parts.ledger_parts import add
from zssr_daemon.ledger import job_settings as job_settings_module
from zssr_daemon.ledger.job_settings import JobSettings
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.settings.image_settings import ImageSettings
from zssr_daemon.settings.schema import Output, Settings


def named(settings: Settings, name: str) -> ImageSettings:
    """Return settings that differ from all others by the name of the output."""
    output = Output(name=f"{{stem}}{name}")
    return ImageSettings.of(settings).model_copy(update={"output": output})


@pytest.fixture
def reads(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record the hashes for which the ledger is read."""
    read: list[str] = []
    kept_settings = ledger.kept_settings

    def recording(settings_hash: str) -> str | None:
        read.append(settings_hash)
        return kept_settings(settings_hash)

    monkeypatch.setattr(ledger, "kept_settings", recording)
    return read


def test_same_settings_are_written_once(
    ledger: Ledger, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand images with the same settings cost one write."""
    written: list[str] = []
    keep_settings = ledger.keep_settings

    def recording(settings_hash: str, tables: str) -> None:
        written.append(settings_hash)
        keep_settings(settings_hash, tables)

    monkeypatch.setattr(ledger, "keep_settings", recording)
    job_settings = JobSettings(ledger, settings)
    names = [job_settings.keep(named(settings, name)) for name in "aabab"]
    assert len(set(names)) == 2
    assert written == list(dict.fromkeys(names))


def test_what_was_kept_is_not_read(ledger: Ledger, settings: Settings, reads: list[str]) -> None:
    """The process that kept settings has them; the next one reads them, once."""
    own = named(settings, "_own")
    job = JobSettings(ledger, settings).use(add(ledger), own)
    successor = JobSettings(ledger, settings)
    assert reads == []
    assert [successor.of(job), successor.of(job)] == [own, own]
    assert reads == [job.settings_hash]


def test_few_stay_in_memory(
    ledger: Ledger, settings: Settings, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many differ: the oldest are let go, and are read from the ledger when asked for."""
    monkeypatch.setattr(job_settings_module, "_MAX_AT_HAND", 3)
    job_settings = JobSettings(ledger, settings)
    owns = [named(settings, str(number)) for number in range(7)]
    jobs = [job_settings.use(add(ledger, number), own) for number, own in enumerate(owns)]
    assert len(job_settings._at_hand) == 3
    assert [job_settings.of(job) for job in reversed(jobs)] == owns[::-1]
    assert len(job_settings._at_hand) == 3
    assert reads == [job.settings_hash for job in reversed(jobs[:4])]


def test_job_without_settings(ledger: Ledger, settings: Settings, reads: list[str]) -> None:
    """An older version queued it: the settings for all images apply, and nothing is read."""
    assert JobSettings(ledger, settings).of(add(ledger)) == ImageSettings.of(settings)
    assert reads == []


@pytest.mark.parametrize("kept", [None, "no JSON", "[1]", '{"zssr": {"a_key_of_later": 1}}'])
def test_settings_that_cannot_be_read(ledger: Ledger, settings: Settings, kept: str | None) -> None:
    """The settings for all images apply, and nobody takes them for those of that hash."""
    own = named(settings, "_own")
    of_this = JobSettings(ledger, settings)
    name = JobSettings(Ledger.open(_folder(settings)), settings).keep(own)
    if kept is not None:
        ledger.keep_settings(name, kept)
    job = ledger.use_settings(add(ledger).id, name)
    assert of_this.of(job) == ImageSettings.of(settings)
    assert of_this.keep(own) == name
    assert of_this.of(job) == own


def _folder(settings: Settings) -> Path:
    """Return a state folder with a ledger of its own."""
    folder = settings.folders.state / "other"
    folder.mkdir()
    return folder


def test_file_names_of_any_bytes(ledger: Ledger, settings: Settings) -> None:
    """A kernel whose name is not UTF-8 is kept and read back."""
    kernel = Path("/kernels/\udcff.npy")
    degradation = settings.degradation.model_copy(update={"kernel": kernel})
    own = ImageSettings.of(settings).model_copy(update={"degradation": degradation})
    job = JobSettings(ledger, settings).use(add(ledger), own)
    assert JobSettings(ledger, settings).of(job).degradation.kernel == kernel
