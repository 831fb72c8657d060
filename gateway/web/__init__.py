"""The live page: what the desk lane shows to people, and the buttons they press.

    desk.py       what the page needs of its desk: a Protocol, and the records that cross it
    story/        pure: the facts of one incident become steps, each with its seconds and its stage
    headline.py   pure: the one big line at the top
    responders.py pure: the calm line below it, what the PSAP's system says of responders
    view/         pure: what the templates are given
    live.py       follows the desk, keeps the open stories, says what changed
    stream.py     fan-out of server-sent events, one bounded queue for each client
    notices.py    the list of notices; ledger.py, ledger_view.py: what became of each, live and as a table; cells.py
    channel_page.py  how well each way out is proven, and its tests
    held_page.py  what came too late: sent after all, or left
    answers.py    pure: who is safe and who needs help; answer_page.py: what they wrote
    people_pages.py, people_view.py  people: searched, looked at, corrected by hand; who may collect whom today
    pages.py      the pages and the two verbs
    disclosure_pages.py  records for somebody outside; disclosure_papers.py: the recipient's file, and the record
    sign_in.py    the one-time link, the password, the way out
    throttle.py   how often a password may be tried
    passwords.py  argon2 in an executor of its own
    sessions.py   who is signed in; form tokens
    permits.py    `require`: the lock on every page; notice_permits.py: that on what became of a notice
    grants.py     giving and taking roles; grant_store.py: their rows; account_page.py: the page of it
    guard.py      response headers, same-origin rule, errors as pages
    store.py      this room's tables
    app.py        `make_app`: all of it as one aiohttp application
    templates/, static/   rendered on the server; small modules without a build step; nothing from other hosts

Nothing is drawn as more certain than it is: sent, received by a machine, acknowledged by a human, failed and
unknown are five different marks, each an icon and a word. A database that cannot be read is an error on the screen,
never an empty list.
"""
