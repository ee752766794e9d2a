"""The verb `moor check`."""

import os
import sys
from typing import Any

import click

from moorings import deployment, targets
from moorings.contract.run import ROOT, Run
from moorings.contract.run import check as prove
from moorings.errors import UsageError
from moorings.flags import setting_options, values


@click.command()
@click.argument("target", default="", metavar="[TARGET]")
@click.option("--only", multiple=True, metavar="ID", help="This check alone, or this group.")
@click.option("--quick", is_flag=True, help="Look at what runs; no load, no restart, 20 s.")
@click.option("--full", is_flag=True, help="20 cycles under load, as for the grid: 15 min.")
@click.option("--url", default="", help="Anything that answers there, instead of a target.")
@click.option("--jaeger", default="", metavar="URL", help="Query address of its Jaeger.")
@setting_options
def check(
    target: str,
    only: tuple[str, ...],
    quick: bool,
    full: bool,
    url: str,
    jaeger: str,
    **options: Any,
) -> None:
    """Prove that a deployment on TARGET does what it must.

    A deployment of its own is made and taken away; yours is not touched.

    \b
    Example:
      moor check gunicorn
      moor check gunicorn --only drain.running
      moor check --quick               the deployment in use
      moor check --url http://127.0.0.1:8000
    """
    if url and (target or quick or full):
        raise UsageError("--url asks an address, not a target", hint=f"./moor check --url {url}")
    if quick and full:
        raise UsageError("--quick and --full are two sizes", hint="choose one")
    name, flags = target, values(options)
    if quick:
        name = deployment.open(ROOT, os.environ, flags, target, looks_only=True).target.name
    elif not url:
        name = target or targets.DEFAULT
    sys.exit(prove(Run(name, flags, only, quick, url, jaeger, full=full)))
