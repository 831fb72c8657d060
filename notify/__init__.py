"""Notices: who must know, in which words, by which way, and what is known of each delivery.

    NoticeOrdered (alarm stream)
      └ planner.py    resolves the audience, fills the words, writes one row per address, NoticePlanned
          ├ audience.py   pure: rule × people × place -> snapshot
          ├ staff.py      whom of a roster a rule can mean, each human once
          ├ meant.py      for whom it was, in the names of that moment, sealed; filling.py: pure, what its texts name
          ├ wording/      pure: texts from TOML files, slots, lint, approvals; words/ holds our own texts
          ├ segments.py   pure: what a short message costs on the air
          ├ overtaking.py a later word of an action takes the earlier one's place, address by address
          └ shelves.py    pure: rows gathered with their neighbours in the index, for large notices
      └ sender.py     one per channel: leases rows, keeps pace, sends, tries again, gives up in time
          ├ line.py       who sends, by tasks or without; pure: window.py how many at once, turns.py in which order
          ├ expiry.py     until when it is worth it; dropping.py: what is not sent any more
          ├ forecast.py   pure: how long until the last of them has it
          └ channels/     one try of one message: Twilio SMS, SMTP, console
      └ callbacks.py  what the carrier says later, signed
      └ inbound.py    what people answer, signed by the provider that brings it
          ├ replies.py    pure: safe, needs help, heard, or a text to read
          ├ stops.py      pure: who asked for no more, and what is sent all the same
          └ hearing.py    answers become rows (reply_tables.py) and ReplyHeard facts
      └ resolver.py   asks the provider about what is uncertain; unreported.py: about what it took and never reported on
      └ ledger.py     the one place where something learned becomes a row and a DeliverySettled fact
          ├ delivery.py   pure: states and the only ways between them
          ├ tally.py      how many stand where, kept up without counting rows
          └ store.py      the tables and their SQL: planning_, leasing_, settling_, counting_store.py
              ├ addresses.py  an address as it is kept: sealed, and found by its mark
              └ sealing.py    what an older program left in clear
    compose.py        notices that people write (choice.py), counted (whom.py), tried on a few, let go by two
      ├ draft.py          pure: when it takes two, when an audience has drifted; permitted.py: what no hand may send; alone.py
      └ draft_tables.py   drafts as rows
    escalating.py     looks again when it is time; escalation.py: pure; escalation_pen.py writes what comes of it
      └ elsewhere.py      nothing arrived: another way; climbing.py: nobody answers: others, the list to go to
    neighbours.py     a room that no unit reaches: whoever is nearest calls it
    family_sites.py   where families go: one record, changed by two; proofs.py: tests of channels; codes.py, proof_tables.py
    correction.py     takes a notice back, or tells its end, to a superset (order_store.py keeps every order)
    held.py           what came too late, sent or left on a person's word
    readying.py       the draft for families at an ordered action; promises.py: the next update that they wait for
    reports.py        what screens and exports read; standing.py: pure, the counts of a notice
    room.py           the facade: NotifyRoom(...).run(crew)

Rules: a row is `sending` before the first octet leaves, so whatever a kill leaves there is uncertain, and uncertain
is never sent again by the same channel. Addresses, names and texts stay in the tables: facts and logs bear ids.
"""
