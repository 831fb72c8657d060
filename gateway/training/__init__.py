"""The training page: press any button, answer as the telecommunicator, read what every phone received.

    others.py     asks the three simulators over their control interfaces
    scene.py      pure: what the page draws, from what they answered
    app.py        `make_training`: the page and its forms as one aiohttp application
    templates/, static/

It belongs to the demo and steers simulators only: whatever happens, happens because octets crossed real wires. It
has no sign-in, so it is served on the loopback address only, and takes forms from its own pages only.
"""
