"""`belltower simulate carrier`: a carrier and a mail server that swallow everything and show it.

The telephone side speaks Twilio's REST API (2010-04-01): POST and GET Messages.json and Calls.json, basic auth,
forms, its error codes, signed status callbacks and key presses; a second one speaks Vonage's Messages and Voice APIs
on the same port. The mail side is a real SMTP server. What phones and mailboxes received can be read, and faults
asked for:

    GET  /phones      {"+15550001": [{"sid": .., "body": .., "status": ..}]}
    GET  /calls       {"+15550001": [{"sid": .., "said": [..], "status": .., "pressed": ..}]}
    GET  /mailboxes   {"a@school.example": [{"subject": .., "body": .., "message_id": ..}]}
    POST /phones/NUMBER/reply   {"text": ".."}: that phone answers its newest text
    POST /phones/NUMBER/press   {"key": "1"}: a key in its newest call
    POST /fault       a JSON object of `Faults`; what it leaves out goes back to normal

- `carrier`: all of it, opened and closed, and the doors above. `records`: what it keeps.
- `texts`, `calls`, `mail`: what happens to a text, a call and a mail that was taken. `answers`: what people do then.
- `twilio`, `vonage`: the two APIs, and how each tells the desk. `twilio_forms` and `twilio_words` are Twilio's part of
  reading and of writing.
- `outbox`: how it gets to the desk. `faults`: how it all goes wrong.
"""
