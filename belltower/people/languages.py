"""What a source writes for a language, as the tag by which texts are kept: "Spanish", "spa" and "español" are "es". Pure."""

from __future__ import annotations

import re

_TAG = re.compile(r"[a-z]{2,3}([_-][A-Za-z0-9]{2,8})*")
_NOTE = re.compile(r"\s*[(/,;].*")

# Tag, ISO 639-2 and 639-3 codes, and names: the languages that families of American schools speak most.
_KNOWN = """
am amh amharic አማርኛ
ar ara arabic العربية
bn ben bengali bangla বাংলা
bs bos bosnian bosanski
chk chuukese
de deu ger german deutsch
el ell gre greek
en eng english
es spa spanish español espanol castilian castellano
fa fas per prs pes farsi persian dari فارسی
fr fra fre french français francais
gu guj gujarati ગુજરાતી
he heb hebrew עברית
hi hin hindi हिन्दी
hmn hmong hmv hnj mww
ht hat haitian haitiancreole creole kreyòl kreyol
hy hye arm armenian հայերեն
it ita italian italiano
ja jpn japanese 日本語
kar karen ksw
km khm khmer cambodian ខ្មែរ
ko kor korean 한국어
lo lao laotian ລາວ
mh mah marshallese
ml mal malayalam
mr mar marathi
my mya bur burmese
ne nep nepali नेपाली
nl nld dut dutch nederlands
nv nav navajo
om orm oromo
pa pan punjabi panjabi ਪੰਜਾਬੀ
pl pol polish polski
ps pus pashto پښتو
pt por portuguese português portugues
quc kiche
ro ron rum romanian română
ru rus russian русский
rw kin kinyarwanda
sm smo samoan
so som somali soomaali
sq sqi alb albanian shqip
sr serbian
sw swa swahili kiswahili
ta tam tamil தமிழ்
te tel telugu తెలుగు
th tha thai ไทย
ti tir tigrinya ትግርኛ
tl tgl fil tagalog filipino pilipino
tr tur turkish türkçe
uk ukr ukrainian українська
ur urd urdu اردو
uz uzb uzbek
vi vie vietnamese tiếngviệt
yi yid yiddish
yo yor yoruba
zh zho chi chinese mandarin mandarinchinese chinesemandarin 中文
yue cantonese chinesecantonese 廣東話
"""
_TAGS = {word: line.split()[0] for line in _KNOWN.splitlines() for word in line.split()}


def tag_of(written: str) -> str:
    """The tag of a language; as it is written where it is not known, and "" for nothing."""
    bare = written.strip()
    known = _TAGS.get(bare)
    if known is not None or not bare:
        return known or ""
    if _TAG.fullmatch(bare):
        head, sep, rest = bare.replace("_", "-").partition("-")
        return _TAGS.get(head, head) + sep + rest
    for name in (bare, _NOTE.sub("", bare)):
        known = _TAGS.get("".join(letter for letter in name.casefold() if letter.isalpha()))
        if known is not None:
            return known
    return bare
