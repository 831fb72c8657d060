"""The tag of a language, however a source writes it."""

import pytest

from belltower.people.languages import tag_of


@pytest.mark.parametrize(
    ("written", "tag"),
    [
        *[("es", "es"), ("spa", "es"), ("Spanish", "es"), (" ESPAÑOL ", "es"), ("es-MX", "es-MX")],
        *[
            ("es_MX", "es-MX"),
            ("spa-US", "es-US"),
            ("Spanish; Castilian", "es"),
            ("Chinese (Mandarin)", "zh"),
        ],
        *[("Chinese (Cantonese)", "yue"), ("zh-Hans", "zh-Hans"), ("Haitian Creole", "ht"), ("Hmong", "hmn")],
        *[("العربية", "ar"), ("हिन्दी", "hi"), ("Klingon", "Klingon"), ("", ""), ("tlh", "tlh"), ("en", "en")],
    ],
)
def test_a_language_has_one_tag_however_it_is_written(written: str, tag: str) -> None:
    """Codes of ISO 639, names in English and its own, tags with a region; what is not known stays as it is."""
    assert tag == tag_of(written)
