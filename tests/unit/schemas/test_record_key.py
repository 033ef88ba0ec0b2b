"""Keys: one for each id of each project, and back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from schemas.errors import InvalidEvent
from schemas.record_key import SEPARATOR, Keyed, check_parts, is_plain, label_of, parse_key, project_of, record_key

_ids = st.text(st.characters(exclude_characters=SEPARATOR, exclude_categories=["Cs"]), min_size=1, max_size=20)


def test_the_default_projects_key_is_the_id_alone_and_every_others_the_pair() -> None:
    assert record_key("shop", "c1", "shop") == "c1"
    assert record_key("outlet", "c1", "shop") == "outlet\x1fc1"


@given(_ids, _ids, _ids)
def test_a_key_is_read_back_as_what_it_was_made_of(project: str, identity: str, default: str) -> None:
    assert parse_key(record_key(project, identity, default).encode(), default) == Keyed(project, identity)


@given(_ids, _ids, _ids, _ids, _ids)
def test_two_customers_never_have_one_key(one: str, first: str, other: str, second: str, default: str) -> None:
    assume((one, first) != (other, second))
    assert record_key(one, first, default) != record_key(other, second, default)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (b"shop\x1fc1", "names the default project; there the key is the id alone, 'c1'"),
        (b"outlet\x1fc\x1f1", "holds U+001F more than once"),
        (b"\x1fc1", "has no project beside its U+001F"),
        (b"outlet\x1f", "has no id beside its U+001F"),
        (b"\xffc1", "not UTF-8"),
    ],
)
def test_a_key_that_is_never_made_is_refused_in_words(key: bytes, said: str) -> None:
    with pytest.raises(InvalidEvent) as error:
        parse_key(key, "shop")
    assert said in str(error.value)
    assert error.value.path == "key"


@given(st.binary(max_size=6) | st.text("shop\x1f\0é", max_size=6).map(str.encode))
def test_the_project_alone_is_read_as_with_the_id(key: bytes) -> None:
    def read(of: Callable[[], str]) -> str:
        try:
            return of()
        except InvalidEvent as error:
            return f"refused: {error}"

    assert read(lambda: project_of(key, "shop")) == read(lambda: parse_key(key, "shop").project_id)


@given(st.text("a\x1f\0é", max_size=4))
def test_an_id_is_plain_where_nothing_speaks_against_its_parts(identity: str) -> None:
    try:
        check_parts(identity, "shop")
    except InvalidEvent:
        assert not is_plain(identity)
    else:
        assert is_plain(identity)


def test_metrics_name_an_id_of_another_project_with_the_project() -> None:
    assert [label_of(one, "win-back", "shop") for one in ("shop", "outlet")] == ["win-back", "outlet/win-back"]
