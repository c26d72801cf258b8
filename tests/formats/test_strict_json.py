"""JSON is parsed like Python's json, or rejected with a reason and a position."""

import json
from typing import Any

import pytest
from xcom_server.formats import strict_json
from xcom_server.formats.strict_json import (
    MAX_DEPTH,
    AmbiguousJson,
    DuplicateKey,
    InvalidJson,
    JsonObject,
    UnreadableJson,
)


@pytest.mark.parametrize(
    "text",
    [
        "null",
        "true",
        "-0.0",
        "1.10",
        "1e308",
        '"ü🙂"',
        r'"\u00fc\ud83d\ude42\u0000"',
        "[]",
        "[ ]",
        ' { "a" : [1, {"b": null}] } ',
        '{"": 0, " ": 0}',
        '{"a": {"x": 1}, "b": {"x": 1}}',
        "1180591620717411303424",
        "[" * MAX_DEPTH + "]" * MAX_DEPTH,
    ],
)
@pytest.mark.parametrize("duplicate_keys", [False, True])
def test_unambiguous_json_is_parsed_like_pythons(text: str, duplicate_keys: bool) -> None:
    value = strict_json.loads(text, duplicate_keys=duplicate_keys)

    assert value == json.loads(text)
    assert repr(value) == repr(json.loads(text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "{",
        "{'a': 1}",
        '{"a" 1}',
        '"a',
        '"\n"',
        '"\\x"',
        "nul",
        "01",
        "1.",
        "+1",
        "[1] x",
        "1 2",
        "\ufeff1",
        "{1: 2}",
        "[1\n, 2 3]",
        '{"ü": "é", x}',
    ],
)
@pytest.mark.parametrize("duplicate_keys", [False, True])
def test_syntax_error_equals_pythons(text: str, duplicate_keys: bool) -> None:
    with pytest.raises(json.JSONDecodeError) as theirs:
        json.JSONDecoder().decode(text)

    with pytest.raises(InvalidJson) as ours:
        strict_json.loads(text, duplicate_keys=duplicate_keys)

    assert type(ours.value) is InvalidJson
    assert (ours.value.reason, ours.value.position) == (theirs.value.msg, theirs.value.pos)
    assert str(ours.value) == str(theirs.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[1, ]", "Expecting value"),
        ('{"a":1, }', "Expecting property name enclosed in double quotes"),
    ],
)
def test_trailing_comma_has_the_same_message_on_every_python(text: str, reason: str) -> None:
    """Python 3.13 has another one, but the recorded Airflows did not run on it."""
    with pytest.raises(InvalidJson) as error:
        strict_json.loads(text)

    position = len(text) - 1
    assert (error.value.reason, error.value.position) == (reason, position)
    assert str(error.value) == f"{reason}: line 1 column {position + 1} (char {position})"


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("NaN", AmbiguousJson, "NaN, which is not valid in JSON"),
        ('{"a": [-Infinity]}', AmbiguousJson, "-Infinity, which is not valid in JSON"),
        ("[1e400]", AmbiguousJson, "a number too large for a float"),
        ("-1e999", AmbiguousJson, "a number too large for a float"),
        (r'"\ud800"', AmbiguousJson, "a lone surrogate"),
        (r'{"a": {"\udc00": 1}}', AmbiguousJson, "a lone surrogate"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), UnreadableJson, "nesting beyond 64 levels"),
        ('{"a": ' * 65 + "1" + "}" * 65, UnreadableJson, "nesting beyond 64 levels"),
        ("[" * 100_000, UnreadableJson, "nesting beyond 64 levels"),
    ],
)
@pytest.mark.parametrize("duplicate_keys", [False, True])
def test_ambiguous_or_too_deep_json_is_rejected(
    text: str, kind: type[InvalidJson], words: str, duplicate_keys: bool
) -> None:
    with pytest.raises(InvalidJson, match=words) as error:
        strict_json.loads(text, duplicate_keys=duplicate_keys)

    assert type(error.value) is kind
    assert (error.value.reason, error.value.position) == ("", 0)


def test_number_with_too_many_digits_is_invalid_json() -> None:
    with pytest.raises(InvalidJson) as error:
        strict_json.loads("1" * 5000)

    assert type(error.value) is InvalidJson
    assert error.value.reason == ""


@pytest.mark.parametrize("depth", [1, 2, 10])
def test_maximum_depth_is_a_parameter(depth: int) -> None:
    assert strict_json.loads("[" * depth + "1" + "]" * depth, depth)
    with pytest.raises(UnreadableJson, match=f"nesting beyond {depth} levels"):
        strict_json.loads("[" * depth + "[]" + "]" * depth, depth)


REPEATS = [
    '{"a": 1, "a": 2}',
    '{"b": {"a": 1, "a": 2}}',
    '[{"a": 1, "a": 1}]',
    r'{"a": 1, "\u0061": 2}',
    '{"": 1, "": 2}',
]


@pytest.mark.parametrize("text", REPEATS)
def test_duplicate_key_is_rejected(text: str) -> None:
    with pytest.raises(DuplicateKey, match=r"the duplicate key '.*'"):
        strict_json.loads(text)


@pytest.mark.parametrize("text", REPEATS)
def test_last_duplicate_key_wins_if_allowed(text: str) -> None:
    value = strict_json.loads(text, duplicate_keys=True)

    assert value == json.loads(text)
    assert not isinstance(value, JsonObject) or value.has_duplicate_keys


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"a": 1, "a": NaN}', AmbiguousJson),
        ('{"a": NaN, "a": 1}', AmbiguousJson),
        ('{"a": 1, "a": 1e400}', AmbiguousJson),
        ('{"o": {"a": 1, "a": 2}, "b": 1e400}', AmbiguousJson),
        ('{"o": {"a": 1, "a": 2}, "b": NaN}', AmbiguousJson),
        (r'{"a": 1, "a": "\ud800"}', AmbiguousJson),
        ('{"a": 1, "a": 2} x', InvalidJson),
        ('[{"a": 1, "a": 2}, ', InvalidJson),
        ('{"a": 1, "a": ' + "[" * 64 + "]" * 64 + "}", UnreadableJson),
    ],
)
def test_duplicate_keys_hide_no_other_error(text: str, kind: type[InvalidJson]) -> None:
    with pytest.raises(InvalidJson) as error:
        strict_json.loads(text, duplicate_keys=True)

    assert type(error.value) is kind


@pytest.mark.parametrize(
    "text",
    [
        "1.10",
        "-0.0",
        "1E5",
        '{"b":1,"a" : 2}',
        '"\\u00fc"',
        '"ü"',
        "null",
        "[ ]",
        '"}, \\"value\\""',
        "1180591620717411303424",
    ],
)
@pytest.mark.parametrize(
    "template",
    [
        '{"value": %s}',
        ' {\t"value"\n:\r %s , "z": 1 } ',
        r'{"a": {"value": 0}, "v\u0061lue":%s}',
        '{"a": "\\"value\\": 0", "b": [{"value": 0}], "value":%s}',
        '{"a":0,"value":%s}',
        '{"a":{"value":0},"value":%s,"z":[1,2]}',
        '{"value":%s,"a":1}',
    ],
)
def test_raw_returns_the_source_text_of_a_member(text: str, template: str) -> None:
    value = strict_json.loads(template % text)

    assert value.raw("value") == text
    assert not value.has_duplicate_keys


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ('{"value": 1.10, "value": 2.50}', "2.5"),
        ('{"value": 1, "a": 0, "a": 0}', "1"),
        ('{"value": {"a": 1, "a": [1,2]}}', '{"a": [1, 2]}'),
        (r'{"value": {"a": {"__type": 1}, "a": 1}}', '{"a": 1}'),
        ('{"value": "ü", "value": "🙂"}', r'"\ud83d\ude42"'),
    ],
)
def test_raw_rewrites_a_value_with_duplicate_keys(text: str, written: str) -> None:
    value = strict_json.loads(text, duplicate_keys=True)

    assert value.raw("value") == written
    assert json.loads(written) == value["value"]


def parsed_elements(text: str) -> Any:
    return [json.loads(each) for each in strict_json.split_array(text)]


@pytest.mark.parametrize("text", ["[]", " [ ] ", "[1]", '[1, [2, {"a": "]"}], "x,y" , null]'])
def test_split_array_returns_the_elements(text: str) -> None:
    assert parsed_elements(text) == json.loads(text)
