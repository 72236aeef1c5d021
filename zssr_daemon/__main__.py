"""The entry point: `zssr-daemon` and `python -m zssr_daemon`."""

from zssr_daemon.cli import app


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
