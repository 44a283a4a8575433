"""The command `dlt-bunce emulator`."""

from __future__ import annotations

import gc
import json

import click

from dlt_bunce.cli.failures import reported
from dlt_bunce.errors import ConfigurationError, not_installed


@click.command("emulator")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8765,
    show_default=True,
    help="Port to listen on; 0 picks a free one.",
)
@click.option("--allow-remote", is_flag=True, help="Let other machines connect.")
@click.option(
    "--behavior", default="{}", metavar="JSON", help="Behavior switches, such as faults to inject."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(host: str, port: int, allow_remote: bool, behavior: str, as_json: bool) -> None:
    """Run an emulator of Bunce's API. Nothing sent to it leaves this machine."""
    with reported():
        try:
            from dlt_bunce.emulator import Behavior, serve
        except ImportError:
            raise not_installed("The emulator is", "emulator") from None

        try:
            switches = json.loads(behavior)
        except ValueError:
            switches = None
        if not isinstance(switches, dict):
            raise ConfigurationError(
                "The emulator could not start: --behavior is not a JSON object.",
                remedy='For example: dlt-bunce emulator --behavior \'{"lookup": "absent"}\'',
            )

        def ready(base_url: str) -> None:
            if as_json:
                click.echo(json.dumps({"base_url": base_url}))
                return
            click.echo(
                f"Bunce's API is emulated at {base_url} (any key works; press Ctrl-C to stop)"
            )
            click.echo(f"  export DESTINATION__BUNCE__BASE_URL={base_url}")
            click.echo("  export DESTINATION__BUNCE__CREDENTIALS__API_KEY=sk_test_emulator")

        # customers form no reference cycles, and with millions of them a full collection takes
        # seconds, in which requests that were sent at an even pace pile up
        young, middle, _ = gc.get_threshold()
        gc.set_threshold(young, middle, 1_000_000)
        try:
            serve(
                host,
                port,
                Behavior.from_json(switches),
                allow_remote=allow_remote,
                on_ready=ready,
            )
        except OSError as error:
            raise ConfigurationError(
                f"The emulator cannot listen on port {port}: {error.strerror or error}.",
                remedy="Use a free port: dlt-bunce emulator --port 0",
            ) from None
        except ValueError as error:
            raise ConfigurationError(f"The emulator could not start: {error}.") from None
