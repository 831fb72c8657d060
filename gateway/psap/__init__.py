"""The ways to the PSAP: every call goes out on every link at once, and what became of it is written down.

    link.py         PSAPLink, the Protocol with its obligations; LiveCall and ExerciseCall, which never mix
    case.py         CallCase: all that is known of one call, and what is to be done about it, pure
    worker.py       CallWorker: does it, from CallOrdered on; register.py its calls, foretold.py those being written down
    coalesce.py     Ledger: what one link owes at this moment, pure; lane.py sends it, recalling.py after a restart
    hearing.py      from octets, receipts and answers (answers.py) to CallSent, CallReceipt, LinkLost, ..
    ranges.py       sets of alarm numbers as ranges, pure
    radio_text.py   what is said on the radio, and its MAC, pure (docs/psap-radio.md)
    kiss_link.py    KISSLink: APRS messages in AX.25 in KISS, supervised by heartbeat
    dc09_link.py    DC09Link: SIA DC-09 reports to a monitoring station (docs/psap-dc09.md); dc09_reports, dc09_text,
                    dc09_proof and dc09_clock belong to it
    sip_link.py     SIPLink: calls by SIP, RFC 8876 (docs/psap-sip.md); sip_line one server, sip_alert and sip_request what
                    is said, sip_answer what people answer, place.py, pidf.py, additional_data.py what goes along
    modem_link.py   ModemLink: text messages (docs/psap-modem.md); tetra_link.py, fleetsync_link.py: texts by radio
                    (docs/psap-radio-data.md); short_text what is said there, text_frames what they share
    channel.py      a shared radio channel: its times, its load, what gives way, pure
    eido/           EIDO 1.0 and its conveyance, pure (docs/psap-eido.md)
    eido_link.py    EIDOLink: dispatch systems subscribe to our calls; responders come back (eido_responders.py)
    kinds.py        the table of link kinds
    settings.py     the settings of each kind
    explain/        frames of every kind in plain words, for belltower psap decode

    journal ─CallOrdered→ CallWorker.take ─→ CallCase says what to do ─→ one Lane per link ─frame→ PSAPLink.send
                             ↑                     ↑
                             └── facts ── Hearing ─┴─←── PSAPLink.run reports what it heard

A machine's receipt ends the retries of that frame on that link. A person's acknowledgement ends the call's retries
everywhere; presses that no PSAP has confirmed yet are still told. After an incident is closed, what has no receipt
goes on for 90 seconds, so that closing never silences a call. The far end for tests and training is gateway.county.
"""
