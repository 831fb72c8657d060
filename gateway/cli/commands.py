"""The table of commands, and how an error becomes an exit code."""

from __future__ import annotations

import sys
from typing import NoReturn

import click

from belltower.errors import BelltowerError, LinkError, Malformed, Refused, SettingsError, StoreError
from gateway.cli.lazy import lazy

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
    "accounts": "Who may sign in, and what they may do.",
    "drill": "Exercises: authorisers' keys; agree to a drill, begin and end it.",
    "devices": "Foreign devices: who is heard, who is not; walk-tests.",
    "status": "How the alarm lane is at this moment.",
    "notify": "Prove the channels that notices go out on.",
    "psap": "Prove the ways to the PSAP; explain what is said on them.",
    "roster": "Rosters: read an export, see what it would change.",
    "disclosures": "Records for somebody outside, in an emergency, for a time.",
    "people": "People of the roster: find, show, correct by hand, say who may collect.",
    "wording": "What people read: check, show, measure and approve it.",
    "profile": "Device models as tables: check, write, explain and try them.",
    "outputs": "Test loudspeakers, sirens and signs, marked as a test.",
    "press": "Press a unit's button, as the unit would, and follow the answers.",
    "simulate": "The other ends of the wires: county, carrier, units.",
    "replay": "Tell an incident again from the journal, with the seconds since the press.",
    "report": "What the journals say over months: alarms by who raised them.",
    "verify": "Walk the journals' chains; name the first altered entry.",
    "keys": "The keys that people's data is sealed with: list, turn and drop them.",
    "migrate": "Bring the lanes' databases up to this program's tables.",
    "broker-config": "Print hardened settings for a mosquitto broker.",
    "bench": "Measure the figures, each beside its floor.",
}

_TABLE = {name: (name.replace("-", "_"), about) for name, about in _COMMANDS.items()}

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


@click.group(cls=lazy(_TABLE), epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
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
    except (BelltowerError, ExceptionGroup) as failed:
        cause: BaseException = failed
        while isinstance(cause, ExceptionGroup) and len(cause.exceptions) == 1:  # what a crew ended with
            cause = cause.exceptions[0]
        if not isinstance(cause, BelltowerError):
            raise
        print(cause, file=sys.stderr)
        sys.exit(code_of(cause))
    sys.exit(code if isinstance(code, int) else 0)


def code_of(error: BelltowerError) -> int:
    """The exit code of an error."""
    return next(code for kind, code in CODES if isinstance(error, kind))
