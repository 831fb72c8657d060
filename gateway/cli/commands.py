"""The table of commands, and how an error becomes an exit code."""

from __future__ import annotations

import importlib
import sys
from typing import NoReturn

import click

from belltower.errors import BelltowerError, LinkError, Malformed, Refused, SettingsError, StoreError

CODES: tuple[tuple[type[BelltowerError], int], ...] = (
    (SettingsError, 78),
    (Refused, 77),
    (StoreError, 74),
    (LinkError, 69),
    (Malformed, 65),
    (BelltowerError, 1),
)
"""Which error exits with which code; the first that fits. They are those of sysexits.h."""

_COMMANDS = {
    "demo": "A whole simulated school on this machine, to try it.",
    "run": "Run both lanes under the supervisor.",
    "check": "Read settings and site package as the lanes do; list every fault.",
    "units": "Make unit keys; print what a unit signs in with.",
    "invite": "A new one-time link by which somebody makes an account.",
    "drill": "Exercises: authorisers' keys; agree to a drill, begin and end it.",
    "devices": "Foreign devices: who is heard, who is not; walk-tests.",
    "status": "How the alarm lane is at this moment.",
    "psap": "Prove the ways to the PSAP; explain what is said on them.",
    "roster": "Rosters: read an export, see what it would change.",
    "wording": "What people read: check, show, measure and approve it.",
    "profile": "Device models as tables: check, write, explain and try them.",
    "outputs": "Test loudspeakers, sirens and signs, marked as a test.",
    "press": "Press a unit's button, as the unit would, and follow the answers.",
    "simulate": "The other ends of the wires: county, carrier, units.",
    "replay": "Tell an incident again from the journal, with the seconds since the press.",
    "verify": "Walk the journals' chains; name the first altered entry.",
    "migrate": "Bring the lanes' databases up to this program's tables.",
    "broker-config": "Print hardened settings for a mosquitto broker.",
    "bench": "Measure the figures, each beside its floor.",
}

_EPILOG = """
\b
Examples:
  belltower check --config config.toml
  belltower COMMAND --help

\b
Exit codes:
  0   done
  1   failed: what was checked is not in order, or an error of our own
  2   the command line itself is wrong
  65  bytes from outside were not understood
  69  the lane, a link or a broker does not answer
  74  the database could not do it
  77  refused by the rules
  78  settings or site package are at fault; every fault is listed
"""


class _Lazy(click.Group):
    """Loads a command's module when it is asked for, so that `--help` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"gateway.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], _COMMANDS, n=1)
            hint = f' Did you mean "{near[0]}"?' if near else ""
            ctx.fail(f'There is no command "{args[0]}".{hint}')
        return super().resolve_command(ctx, args)


@click.group(cls=_Lazy, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="belltower", prog_name="belltower")
def belltower() -> None:
    """Emergency coordination for schools: a press reaches the PSAP, and everyone who must know is told."""


def main() -> NoReturn:
    """Run the command line and exit."""
    try:
        code = belltower.main(prog_name="belltower", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:  # whoever read us has had enough
        sys.stderr.close()
        sys.exit(0)
    except BelltowerError as error:
        print(error, file=sys.stderr)
        sys.exit(code_of(error))
    sys.exit(code if isinstance(code, int) else 0)


def code_of(error: BelltowerError) -> int:
    """The exit code of an error."""
    return next(code for kind, code in CODES if isinstance(error, kind))
