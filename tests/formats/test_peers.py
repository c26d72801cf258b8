"""Base paths and lists of trusted peers."""

import pytest
from xcom_server.formats.peers import Peers, is_base_path, parse_peer


@pytest.mark.parametrize("path", ["/airflow", "/tools/airflow", "/a.b/~c_d-e", "/...", "/.a"])
def test_base_path_is_accepted(path: str) -> None:
    assert is_base_path(path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "airflow",
        "/airflow/",
        "//evil.example",
        "/a//b",
        "/a/../b",
        "/..",
        "/./a",
        "/a?b",
        "/a#b",
        "/a%2Fb",
        "/a b",
        "/a\\b",
        "/a\n",
        "/a\r\nb",
        "/a\x00",
        "/ä",
        "/a;b",
        "/a:b",
        "/<script>",
        "http://evil.example",
        "/" + 200 * "a",
    ],
    ids=repr,
)
def test_base_path_is_rejected(path: str) -> None:
    assert not is_base_path(path)


@pytest.mark.parametrize(
    ("members", "peer", "is_member"),
    [
        ("10.0.0.7", "10.0.0.7", True),
        ("10.0.0.7", "10.0.0.8", False),
        ("10.0.0.0/8 , ::1", "10.9.9.9", True),
        ("10.0.0.0/8,::1", "::1", True),
        ("10.0.0.0/8", "::ffff:10.1.2.3", True),
        ("10.0.0.0/8", "::1", False),
        ("fe80::/10", "fe80::1%eth0", True),
        ("0.0.0.0/0,::/0", "", False),
        ("127.0.0.1,unix", "", True),
        ("unix", "unix:", True),
        ("unix", "127.0.0.1", False),
        ("127.0.0.1", "unknown", False),
        ("", "127.0.0.1", False),
    ],
)
def test_peer_is_a_member_of_a_list(members: str, peer: str, is_member: bool) -> None:
    assert (peer in Peers.parse(members)) is is_member


@pytest.mark.parametrize("members", ["", " ", ","])
def test_list_can_be_empty(members: str) -> None:
    assert not Peers.parse(members)


@pytest.mark.parametrize("members", ["localhost", "10.0.0.1/8", "10.0.0", "*", "::1 ::2", "UNIX"])
def test_list_of_anything_else_is_an_error(members: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Peers.parse(members)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:4711", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::1"),
        ("unknown", "None"),
        ("192.0.2.1.evil.example", "None"),
        ("1", "None"),
        ("", "None"),
    ],
)
def test_address_of_a_header(text: str, address: str) -> None:
    assert str(parse_peer(text)) == address
