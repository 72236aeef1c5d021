"""UpscaleCommand: the arguments of `upscale`, and what it prints."""

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from zssr_daemon.cli.image_inputs import ImageInput, image_inputs
from zssr_daemon.cli.overrides import Overrides
from zssr_daemon.daemon.progress_board import ProgressBoard
from zssr_daemon.errors import SettingsError
from zssr_daemon.imaging.output_format import SETTING_BY_SUFFIX
from zssr_daemon.protocol.messages import WorkProgress
from zssr_daemon.settings.layers import Tables
from zssr_daemon.settings.load import COMMAND_LINE, load_settings
from zssr_daemon.settings.option import DEFAULT_SETTINGS
from zssr_daemon.settings.schema import Settings
from zssr_daemon.system.file_names import printable
from zssr_daemon.telemetry import logs
from zssr_daemon.telemetry.terminal import complain, err, errors_as_exit_codes, say


@dataclass(frozen=True, kw_only=True)
class UpscaleOptions:
    """What can be given to the command; all but the images is None unless given."""

    images: Annotated[list[str], typer.Argument(metavar="IMAGE_OR_FOLDER...")]
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE_OR_DIR", help="Unless given, beside images."),
    ] = None
    scale: Annotated[float | None, typer.Option(help="Total factor, in one step.")] = None
    size: Annotated[
        str | None,
        typer.Option(metavar="WxH", help="To fit within; or long:3000, short:2000."),
    ] = None
    preset: Annotated[str | None, typer.Option(help="instant, fast, balanced or best.")] = None
    start: Annotated[str | None, typer.Option(help="drawn or none.")] = None
    auto: Annotated[
        bool | None,
        typer.Option("--auto/--no-auto", help="Find out blur, noise and JPEG of each image."),
    ] = None
    kernel: Annotated[
        str | None, typer.Option(metavar="FILE", help="A blur kernel; or bicubic, estimate.")
    ] = None
    format: Annotated[str | None, typer.Option(help="png, tiff, jpeg, webp or same.")] = None
    report: Annotated[bool | None, typer.Option("--report", help="A page beside each output.")] = (
        None
    )
    set: Annotated[
        list[str] | None,
        typer.Option(metavar="TABLE.KEY=VALUE", help="Any other key of the settings."),
    ] = None
    settings: Annotated[Path | None, typer.Option("--settings", "-s")] = None

    def overrides(self) -> Overrides:
        """Return the settings that the options stand for."""
        over = Overrides()
        over.add_scale(self.scale)
        over.add("zssr", "target", self.size)
        over.add("zssr", "preset", self.preset)
        over.add("zssr", "start", self.start)
        over.add("degradation", "auto", self.auto)
        over.add("degradation", "kernel", self.kernel)
        over.add_format(self.format)
        over.add("output", "report", self.report)
        over.add_assignments(self.set or [])
        return over


def upscale(**given: Any) -> None:
    """Enlarge images at once, without inbox and ledger."""
    options = UpscaleOptions(**given)
    over = options.overrides().tables
    with errors_as_exit_codes():
        settings = _settings(options.settings, over)
        inputs = image_inputs(options.images, settings.watch)
        _check_output(options.output, inputs)
        raise typer.Exit(0 if _upscale_all(inputs, options.output, settings, over) else 1)


# The library reads a command's options from its signature.
upscale.__signature__ = inspect.signature(UpscaleOptions)  # type: ignore[attr-defined]


def _settings(file: Path | None, over: Tables) -> Settings:
    """Load the settings; a fault of nothing but the command line is wrong usage."""
    if file is None and DEFAULT_SETTINGS.is_file():
        file = DEFAULT_SETTINGS
    try:
        return load_settings(file, over)
    except SettingsError as error:
        lines = str(error).splitlines()
        if all(line.startswith(COMMAND_LINE) for line in lines):
            raise typer.BadParameter("\n".join(lines)) from error
        raise


def _check_output(output: Path | None, inputs: list[ImageInput]) -> None:
    if output is None or output.is_dir():
        return
    is_several = len(inputs) > 1 or any(each.is_of_folder for each in inputs)
    if output.exists() and is_several:
        raise typer.BadParameter(f"-o {output} is a file, and there are several images")
    if is_several and output.suffix.lower() in SETTING_BY_SUFFIX:
        raise typer.BadParameter(f"-o {output} names a file: for several images name a folder")


def _upscale_all(
    inputs: list[ImageInput], output: Path | None, settings: Settings, over: Tables
) -> bool:
    from zssr_daemon.cli.upscale import upscale_all  # noqa: PLC0415 (loads torch)

    logs.configure(logs.LogSettings(level="warning"), err)
    is_good = True
    with ProgressBoard(err) as board:

        def report(image: str, progress: WorkProgress, eta_s: float | None) -> None:
            board.draw(image, printable(image), progress, eta_s)

        for result in upscale_all(inputs, output, settings, over, report):
            board.clear(result.image)
            is_good &= result.is_good
            tell = say if result.is_good else complain
            tell(f"{printable(result.image)}: {result.told}")
    return is_good
