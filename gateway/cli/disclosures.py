"""`belltower disclosures`: records for somebody outside, in an emergency, for a time."""

from __future__ import annotations

import click

from gateway.cli.lazy import lazy

_COMMANDS = {
    "list": ("disclosures_list", "What was opened, for whom, and whether it is open still."),
    "open": ("disclosures_open", "Open one, for one incident, one recipient and some students."),
    "export": ("disclosures_export", "Write the file for the recipient; each row is written down first."),
    "close": ("disclosures_close", "End one before its time."),
    "record": ("disclosures_record", "What was ever given of a student, or in an incident: 34 CFR 99.32."),
}


@click.group(cls=lazy(_COMMANDS), short_help="Records for somebody outside, in an emergency, for a time.")
def command() -> None:
    """Give records of students to somebody outside in an emergency: police, fire service, an ambulance.

    \b
    Examples:
      belltower disclosures open --incident inc_.. --by ruth --agency "County Sheriff" --function "incident commander"
          --basis safety --threat "Armed person at the gym door" --field names --class 8B --minutes 60
      belltower disclosures export dsc_.. --by ruth --output for-the-sheriff.csv
      belltower disclosures record --student per_.. --output record.csv

    Works beside the desk lane; run it as the same user. What is opened ends by itself at its time and with its incident.
    """
