"""Digest authentication, with the vectors of the standard."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from belltower.errors import Malformed
from hardware.codecs import sip_digest
from hardware.codecs.sip_digest import Challenge

ASKED = Challenge(
    realm="http-auth@example.org",
    nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    qop=("auth", "auth-int"),
    opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",
)
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
texts = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_vectors_of_the_standard(algorithm, response):
    """RFC 7616, section 3.9.1."""
    value = sip_digest.answer(
        Challenge(
            realm=ASKED.realm, nonce=ASKED.nonce, qop=ASKED.qop, opaque=ASKED.opaque, algorithm=algorithm
        ),
        username="Mufasa",
        password="Circle of Life",
        method="GET",
        uri="/dir/index.html",
        cnonce=CNONCE,
    )

    assert response == sip_digest.credentials(value).response


@settings(deadline=None)
@given(
    st.builds(
        Challenge,
        realm=texts,
        nonce=texts,
        algorithm=st.sampled_from(["", "MD5", "SHA-256", "MD5-sess", "SHA-256-sess"]),
        qop=st.sampled_from([(), ("auth",), ("auth", "auth-int")]),
        opaque=st.none() | texts,
        stale=st.booleans(),
    ),
    texts,
    texts,
)
def test_whoever_knows_the_password_proves_it_and_nobody_else(asked, user, password):
    """Through the wire's text in both directions, whatever characters there are."""
    read = sip_digest.challenge(sip_digest.asking(asked))
    value = sip_digest.answer(
        read, username=user, password=password, method="MESSAGE", uri="urn:service:sos", cnonce="c", count=2
    )
    said = sip_digest.credentials(value)

    assert asked == read
    assert (user, asked.realm, asked.nonce) == (said.username, said.realm, said.nonce)
    assert sip_digest.proven(said, password=password, method="MESSAGE")
    assert not sip_digest.proven(said, password=password + "x", method="MESSAGE")
    assert not sip_digest.proven(said, password=password, method="OPTIONS")


def test_an_algorithm_nobody_knows_proves_nothing():
    """However right the rest is."""
    said = sip_digest.credentials(
        'Digest username="a", realm="b", nonce="c", uri="d", response="e", algorithm=X'
    )

    assert not sip_digest.proven(said, password="p", method="GET")


def test_the_strongest_challenge_that_is_known_is_answered():
    """RFC 8760, section 2.4."""
    md5 = 'Digest realm="a", nonce="1", algorithm=MD5'
    offered = [
        md5,
        'Digest realm="a", nonce="2", algorithm=SHA-256',
        'Digest realm="a", nonce="3", algorithm=X',
    ]

    assert "2" == sip_digest.strongest(offered).nonce
    assert "1" == sip_digest.strongest([md5, "Basic realm=a"]).nonce
    assert sip_digest.strongest(["Bearer", 'Digest realm="a", nonce="1", qop="auth-int"']) is None


@pytest.mark.parametrize(
    "value", ["", "Basic x", "Digest", "Digest realm=a", "Digest x", 'Digest realm="a", nonce="b\x00"']
)
def test_what_is_no_challenge_is_malformed(value):
    """Nor credentials."""
    with pytest.raises(Malformed):
        sip_digest.challenge(value)
    with pytest.raises(Malformed):
        sip_digest.credentials(value)
