"""The command `dlt-bunce emulator`."""

from __future__ import annotations

import gc
import json

import click

from dlt_bunce.cli.failures import reported
from dlt_bunce.errors import ConfigurationError


@click.command("emulator")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8765, show_default=True, help="0 picks a free port.")
@click.option("--allow-remote", is_flag=True, help="Let other machines connect.")
@click.option("--behavior", default="{}", metavar="JSON", help="Switches, such as faults.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(host: str, port: int, allow_remote: bool, behavior: str, as_json: bool) -> None:
    """Run a stand-in for Bunce's API. Nothing it is told leaves this machine."""
    with reported():
        try:
            from dlt_bunce.emulator import Behavior, serve
        except ImportError:
            raise ConfigurationError(
                "The emulator is not installed.", remedy="pip install 'dlt-bunce[emulator]'"
            ) from None

        def ready(base_url: str) -> None:
            if as_json:
                click.echo(json.dumps({"base_url": base_url}))
                return
            click.echo(f"Bunce's API is emulated at {base_url} (any key; stop with Ctrl-C)")
            click.echo(f"  export DESTINATION__BUNCE__BASE_URL={base_url}")
            click.echo("  export DESTINATION__BUNCE__CREDENTIALS__API_KEY=sk_test_emulator")

        # millions of customers are no cycles, and a search for such takes seconds, in which
        # requests crowd that left at an even pace
        young, middle, _ = gc.get_threshold()
        gc.set_threshold(young, middle, 1_000_000)
        try:
            serve(
                host,
                port,
                Behavior.from_json(json.loads(behavior)),
                allow_remote=allow_remote,
                on_ready=ready,
            )
        except (ValueError, OSError) as error:
            raise ConfigurationError(f"The emulator cannot start: {error}.") from None
