"""Schema: every key of settings.toml, with its type, its default and its range.

The values come from the layers that `load` reads; the defaults stand here.
`[zssr]` is `zssr.config.ZSSRConfig` itself, so its defaults stand there and nowhere else.
"""

import json
import string
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from zssr_daemon.protocol.kernel_file import KERNEL_SUFFIXES
from zssr_daemon.settings.cluster_table import Cluster
from zssr_daemon.settings.old_keys import translated
from zssr_daemon.settings.table import PlainPath, SettingsTable
from zssr_daemon.settings.web_table import Web
from zssr_daemon.zssr.config import KernelPhase, ZSSRConfig
from zssr_daemon.zssr.presets import PRESETS

ENV_PREFIX = "ZSSR_"
ENV_DELIMITER = "__"

JSON_CURE = """lists are written as JSON there, such as '["cpu"]'"""


class Folders(SettingsTable):
    """Where images come from and go to; relative paths count from the settings file."""

    inbox: PlainPath = Path("inbox")
    output: PlainPath = Path("output")
    archive: PlainPath = Path("archive")
    failed: PlainPath = Path("failed")
    state: PlainPath = Path("state")

    def by_name(self) -> dict[str, Path]:
        """Each folder under its key, in the order of the file."""
        return {name: getattr(self, name) for name in type(self).model_fields}


class Watch(SettingsTable):
    """When a file of the inbox is noticed, and when it counts as complete."""

    recursive: bool = True
    scan_interval_s: float = Field(15.0, ge=0.1)
    stable_after_s: float = Field(5.0, ge=0.0)
    unreadable_after_s: float = Field(20.0, ge=0.0)
    polling: Literal["auto"] | bool = "auto"
    ignore: tuple[str, ...] = ()
    sidecars: Literal["leave", "follow"] = "leave"


def _kernel_path(path: Path) -> Path:
    """Refuse a file whose ending is not that of a kernel."""
    if path.suffix.lower() not in KERNEL_SUFFIXES:
        endings = ", ".join(KERNEL_SUFFIXES)
        raise ValueError(f'must be "bicubic", "estimate", "auto" or a file that ends in {endings}')
    return path


#: The values that `[degradation] auto` stands for. A kernel that nobody asked for in so many words
#: is not estimated where a job could not run with one.
_FROM_THE_IMAGE = {"noise_std": "auto", "jpeg_quality": "auto"}


class Degradation(SettingsTable):
    """How the sources were degraded; a relative path counts from the settings file."""

    kernel: (
        Literal["bicubic", "estimate", "auto"] | Annotated[PlainPath, AfterValidator(_kernel_path)]
    ) = "bicubic"
    kernel_phase: KernelPhase = "centred"
    noise_std: Literal["auto"] | Annotated[float, Field(ge=0, le=100)] = 0.0
    grain: Literal["remove", "keep"] = "remove"
    jpeg_quality: Literal["none", "auto"] | Annotated[int, Field(ge=1, le=100)] = "none"
    auto: bool | None = None  # None: true, except with the preset "paper"

    def resolved(self, preset: str) -> Self:
        """Return the values that `auto` stands for: it replaces all that is left at its default.

        Resolving twice changes nothing more.
        """
        if not (preset != "paper" if self.auto is None else self.auto):
            return self
        stands_for = _FROM_THE_IMAGE | {"kernel": "estimate" if self.auto else "auto"}
        fields = type(self).model_fields
        left = [key for key in stands_for if getattr(self, key) == fields[key].default]
        return self.model_copy(update={key: stands_for[key] for key in left})


class Output(SettingsTable):
    """What is written, and what becomes of the source."""

    name: str = "{stem}_x{scale}"
    format: Literal["png", "same", "tiff", "jpeg", "webp"] = "png"
    quality: int = Field(95, ge=1, le=100)
    frames: Literal["refuse", "each"] = "refuse"
    on_success: Literal["archive", "keep", "delete"] = "archive"
    metadata: Literal["keep", "strip"] = "keep"
    times: Literal["now", "keep"] = "now"
    report: bool = False

    @field_validator("name")
    @classmethod
    def _names_the_source(cls, name: str) -> str:
        parts = list(string.Formatter().parse(name))
        fields = [field for _, field, spec, conversion in parts if field is not None]
        if not set(fields) <= {"stem", "scale"} or any(part[2] or part[3] for part in parts):
            raise ValueError("may use {stem} and {scale} only")
        if fields.count("stem") != 1:
            raise ValueError("must contain {stem} once")
        literal = "".join(text for text, *_ in parts)
        if "/" in literal or not literal.isprintable() or len(literal.encode()) > 100:
            raise ValueError("must have no '/' or control character, and at most 100 bytes")
        return name


class Limits(SettingsTable):
    """What one image may cost."""

    max_MB: float = Field(200.0, gt=0)  # noqa: N815 (the article's name)
    max_input_pixels: int = Field(100_000_000, ge=1)
    max_output_pixels: int = Field(400_000_000, ge=1)
    job_timeout_s: float = Field(21_600.0, gt=0)
    max_attempts: int = Field(3, ge=1)
    retry_after_s: float = Field(10.0, ge=0.0)
    min_free_disk_bytes: int = Field(1_000_000_000, ge=0)
    truncated: Literal["refuse", "accept"] = "refuse"

    @property
    def max_file_bytes(self) -> int:
        """`max_MB` in bytes; a megabyte has 1 000 000."""
        return int(self.max_MB * 1_000_000)


class Worker(SettingsTable):
    """The processes that compute."""

    devices: Literal["auto"] | Annotated[tuple[str, ...], Field(min_length=1)] = "auto"
    processes_per_device: Literal["auto"] | Annotated[int, Field(ge=1)] = "auto"
    card_memory_share: Literal["auto"] | Annotated[float, Field(gt=0, le=1)] = "auto"
    threads: Literal["auto"] | Annotated[int, Field(ge=1)] = "auto"
    silent_after_s: float = Field(300.0, gt=0)
    max_jobs: int = Field(100, ge=0)
    max_memory_bytes: Literal["auto"] | Annotated[int, Field(ge=1)] = "auto"


class Logging(SettingsTable):
    """What is logged, and where; a log file is always JSON."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    file: PlainPath | None = None
    progress_interval_s: float = Field(5.0, gt=0)


class MetricsSettings(SettingsTable):
    """Which file a Prometheus node exporter reads."""

    textfile: PlainPath | None = None


def _completed_by_preset(table: Any) -> Any:
    """Complete a raw [zssr] table from its preset; pydantic then checks types and names."""
    if not isinstance(table, dict):
        return table
    table = PRESETS.get(str(table.get("preset")), {}) | table
    scale = table.get("scale_factor")
    if isinstance(scale, str) and scale.startswith("["):  # a list in the environment is JSON
        try:
            return table | {"scale_factor": json.loads(scale)}
        except ValueError as error:
            raise ValueError(f"scale_factor = {scale!r}: {JSON_CURE}") from error
    return table


#: Why `start = "folder"` is refused: that start lies in the state folder of this machine.
START_FOLDER_FAULT = (
    '[zssr] start = "folder" cannot be used with [cluster]: other machines do not have the weights '
    'that a folder taught; use "drawn"'
)

#: The [zssr] table; `ZSSRConfig`'s defaults fill in what neither it nor its preset sets.
ZSSRTable = Annotated[ZSSRConfig, BeforeValidator(_completed_by_preset)]


class Settings(BaseSettings):
    """All of settings.toml."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter=ENV_DELIMITER,
        extra="forbid",
        frozen=True,
    )
    folders: Folders = Folders()
    watch: Watch = Watch()
    zssr: ZSSRTable = ZSSRConfig()
    degradation: Degradation = Degradation()
    output: Output = Output()
    limits: Limits = Limits()
    worker: Worker = Worker()
    logging: Logging = Logging()
    metrics: MetricsSettings = MetricsSettings()
    web: Web = Web()
    cluster: Cluster = Cluster()
    _written: frozenset[str] = PrivateAttr(default=frozenset())
    _warnings: tuple[str, ...] = PrivateAttr(default=())

    @model_validator(mode="wrap")
    @classmethod
    def _note_what_is_written(cls, raw: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        raw, warnings = translated(raw)
        settings = handler(raw)
        table = raw.get("zssr", {})
        settings._written = frozenset(table if isinstance(table, dict) else ())
        settings._warnings = warnings
        return settings

    @model_validator(mode="after")
    def _can_share_starts(self) -> Self:
        if self.cluster.is_used and self.zssr.start == "folder":
            raise ValueError(START_FOLDER_FAULT)
        return self

    @property
    def warnings(self) -> tuple[str, ...]:
        """What should be written differently, although it works; for the administrator."""
        return self._warnings

    @property
    def max_upload_bytes(self) -> int:
        """The largest upload: the daemon would refuse a larger file in any case."""
        return min(self.web.max_upload_bytes, self.limits.max_file_bytes)

    def written_zssr(self) -> dict[str, Any]:
        """Return the keys that somebody wrote in [zssr]; all other values come from the preset.

        If an image's own settings choose another preset, the written keys stay as they are.
        """
        of_preset = ZSSRConfig.from_preset(self.zssr.preset)
        values = {field.name: getattr(self.zssr, field.name) for field in fields(ZSSRConfig)}
        return {
            key: value
            for key, value in values.items()
            if key in self._written or value != getattr(of_preset, key)
        }

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take the values that are given and no others: `load` reads the environment."""
        return (init_settings,)

    def relative_to(self, base: Path) -> Self:
        """Resolve relative paths against `base`, the folder of the settings file."""
        folders = Folders(
            **{name: _absolute(base, path) for name, path in self.folders.by_name().items()}
        )
        log_file = self.logging.file and _absolute(base, self.logging.file)
        logging = self.logging.model_copy(update={"file": log_file})
        degradation = self.degradation
        if isinstance(degradation.kernel, Path):
            kernel = _absolute(base, degradation.kernel)
            degradation = degradation.model_copy(update={"kernel": kernel})
        textfile = self.metrics.textfile and _absolute(base, self.metrics.textfile)
        metrics = self.metrics.model_copy(update={"textfile": textfile})
        of_tls = {name: getattr(self.web, name) for name in ("tls_cert", "tls_key")}
        web = self.web.model_copy(
            update={name: path and _absolute(base, path) for name, path in of_tls.items()}
        )
        token_file = self.cluster.token_file and _absolute(base, self.cluster.token_file)
        cluster = self.cluster.model_copy(update={"token_file": token_file})
        tables = {"folders": folders, "degradation": degradation, "web": web, "cluster": cluster}
        return self.model_copy(update=tables | {"logging": logging, "metrics": metrics})


def _absolute(base: Path, path: Path) -> Path:
    return (base / path).absolute()
