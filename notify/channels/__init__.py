"""The ways out. Each tries one message once and says what came of it; none knows of retry, pace or other channels.

channel.py     the contract and its answers
reports.py     what providers say later, signed
twilio_sms.py, twilio_voice.py
               SMS and calls over Twilio's REST API, or whoever speaks it; twilio_api.py is what they share
vonage_sms.py, vonage_voice.py
               the same by Vonage, a second provider; vonage_api.py is what they share
spoken.py      the sentences around a notice in a call, spoken.toml
modem.py       SMS by a modem of our own
apprise_chat.py
               chat rooms through Apprise, few at once
smtp.py        e-mail through a mail server
table.py       which settings make which channel
push_web.py    browsers that asked to be told; push_message.py seals what only they can read
outputs.py     loudspeaker zones and signs, through the alarm lane
console.py     desktop consoles that show the live page
"""
