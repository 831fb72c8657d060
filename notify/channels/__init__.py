"""The ways out. Each tries one message once and says what came of it; none knows of retry, pace or other channels.

channel.py     the contract and its answers
twilio_sms.py  SMS over Twilio's REST API, or whoever speaks it
modem.py       SMS by a modem of our own
smtp.py        e-mail through a mail server
table.py       which settings make which channel
console.py     desktop consoles that show the live page
"""
