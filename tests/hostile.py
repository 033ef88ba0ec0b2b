"""Records that nobody should write, over every field of the record format: what is right with them is said beside each.

`READ` counts as any other event, whatever stands beside its value; `REFUSED` is dead-lettered alone, never as a defect.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from tests.record_batches import Made

Fate = Literal["read", "refused"]
HeaderRow = list[tuple[bytes, bytes | None]]

ODD_HEADERS: list[HeaderRow] = [
    [(b"\xff\xfe", b"x"), (b"ok", b"\xff")],
    [(b"null", None), (b"", b""), (b"", None), (b"\xc3", None)],
    [(b"twice", b"1"), (b"twice", b"2"), (b"\xed\xa0\x80", b"half a pair")],
    [(b"nul\0", b"\0"), ("Zażółć".encode(), "ę".encode("utf-16"))],
    [(b"h%d" % number, b"v") for number in range(2000)],
    [(b"tidings-topic", b"customers"), (b"tidings-offset", b"x"), (b"tidings-arrived-at", None)],
    [(b"tidings-arrived-at", b"9" * 40), (b"tidings-arrived-at", b"\xff")],
    [(b"ce_specversion", None), (b"content-type", None)],
    [
        (b"ce_specversion", b"1.0"),
        (b"ce_id", b"\xff"),
        (b"content-type", b"text/plain"),
    ],  # ours is taken before all else
]
TIMES = (-1, 0, 1, 253_402_300_800_000, 2**62)


class Case(NamedTuple):
    """A record and what is to become of it. `id` is that of the event where it is read."""

    made: Made
    fate: Fate
    id: str = ""


def event(identity: str, **changes: Any) -> dict[str, Any]:
    """A paid order of c1."""
    data = {"customer": {"id": "c1"}, "order": {"id": "o1", "amount": 5000}}
    base = {"id": identity, "project_id": "shop", "type": "customer.order.paid", "data": data}
    return {**base, "created_at": "2026-01-01T00:00:00Z", **changes}


def plain(identity: str) -> bytes:
    """The same as JSON."""
    return _json(event(identity))


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _read() -> Iterator[Made]:
    """Made of events with the ids r0, r1 and so on, in this order."""
    number = iter(range(1000))
    for headers in ODD_HEADERS:
        yield Made(plain(f"r{next(number)}"), headers=headers)
    for moment in TIMES:
        yield Made(plain(f"r{next(number)}"), timestamp=moment)
    yield Made(b"\xef\xbb\xbf \r\n" + plain(f"r{next(number)}"))
    huge = event(f"r{next(number)}")
    huge["data"]["order"]["metadata"] = {"a": 2**64, "b": -(10**300), "c": 1e308, "": None, "\0": "\0", "d": [[]] * 50}
    yield Made(_json(huge))
    yield Made(_json(event(f"r{next(number)}", created_at="0001-01-01T00:00:00-14:00")))
    yield Made(b'{"id":"twice",' + plain(f"r{next(number)}")[1:])
    data = event("")["data"]
    binary: HeaderRow = [
        (b"ce_specversion", b"1.0"), (b"ce_id", b"x"), (b"ce_id", b"r%d" % next(number)), (b"ce_subject", None),
        (b"ce_type", b"com.example.customer.order.paid"), (b"ce_time", b"2026-01-01T00:00:00Z"), (b"ce_x", b"\xff"),
        (b"content-type", None), (b"\xff", b"\xff"),
    ]  # fmt: skip
    yield Made(_json(data), headers=binary)


def _refused() -> Iterator[Made]:
    good = plain("never")
    for value in (
        None, b"", b" ", b"{", b"[]", b"null", b'"text"', b"1", b"\xef\xbb\xbf", good.decode().encode("utf-16"),
        b'{"id": NaN}', b'{"id": 1e400}', b'{"id": "\\ud800"}', b'{"id": "\xff"}', b"{" * 5000, b'{"a":' * 5000,
        b"\xc3\x01", b"\xc3\x01" + b"\xff" * 30, b"\x00", b"\x00\x00\x00\x00\x01x", b"\x1f\x8b\x08", b"\0" * 100,
        b"x" * 2_000_000,
    ):  # fmt: skip
        yield Made(value, headers=ODD_HEADERS[0])
    for key in (None, b"", b"\xff", b"c2", b"c1\0", b"\xff offset", b"k" * 100_000):
        yield Made(good, key)
    yield Made(_json(event("a\0b")))
    yield Made(_json(event("")))
    yield Made(_json(event("i" * 5000)))
    yield Made(_json(event("x", created_at="9999-12-31T23:59:59Z")))
    yield Made(_json(event("x", created_at="0001-01-01T00:00:00+14:00")))
    yield Made(_json(event("x", created_at=10**30)))
    for name in ("id", "project_id", "type", "created_at"):
        for value in list[Any]((None, {}, {"a": {}}, [], ["customer.order.paid"], True, 5.5)):
            yield Made(_json(event("x", **{name: value})))
    for data in list[Any]((None, [], 5, {}, {"customer": None}, {"customer": {"id": 5}}, {"customer": []})):
        yield Made(_json(event("x", data=data)))
    yield Made(_json(event("")["data"]), headers=[(b"ce_specversion", b"1.0"), (b"ce_id", b"\xff")])
    yield Made(_json(event("")["data"]), headers=[(b"ce_specversion", b"\xff"), (b"ce_id", None)])


def events() -> list[Case]:
    """For an event topic; read and refused ones mixed."""
    read = [Case(made, "read", f"r{number}") for number, made in enumerate(_read())]
    refused = [Case(made, "refused") for made in _refused()]
    mixed = [one for pair in zip(read, refused, strict=False) for one in pair]
    return mixed + refused[len(read) :] + read[len(refused) :]


def customers() -> list[Case]:
    """For `customers`, which takes no record without a key: erasures of nobody, and profiles that are none."""
    values = (b"", b"{", b"[]", b'{"id": "c2"}', b'{"id": 5}', b'{"id": "c1"')
    keys = (b"\xff", b"\xff offset", b"c\0")
    return [Case(Made(value), "refused") for value in values] + [Case(Made(None, key), "refused") for key in keys]


def deliveries() -> list[Case]:
    """For `deliveries.webhook`, whose values the ledger keeps in columns."""
    refused: list[dict[str, Any]] = [
        {"delivery_id": "a\0b"}, {"customer": {"id": "\0"}}, {"priority": 2**40}, {"priority": "high"},
        {"distribution": {"id": "\0", "version": 1, "name": ""}},
        {"distribution": {"id": "d", "version": 2**70, "name": ""}},
        {"expires_at": "0001-01-01T00:00:00+14:00"},
        {"not_before": "9999-12-31T23:59:59-14:00"}, {"account": "\0"}, {"webhook": None},
    ]  # fmt: skip
    values = [None, b"", b"{}", b"\xc3\x01" + b"\0" * 20, *(_json({**delivery("x"), **one}) for one in refused)]
    odd = [Made(_json(delivery(f"dlv_r{n}")), headers=ODD_HEADERS[n], timestamp=2**62) for n in (0, 5, 6)]
    read = [Case(made, "read", f"dlv_r{n}") for made, n in zip(odd, (0, 5, 6), strict=True)]
    return [Case(Made(value), "refused") for value in values] + read


def delivery(identity: str) -> dict[str, Any]:
    """A webhook to nowhere in particular."""
    return {
        "delivery_id": identity, "project_id": "shop", "distribution": {"id": "d", "version": 1, "name": "D"},
        "event": {"id": "e", "type": "customer.order.paid", "created_at": "2026-01-01T00:00:00Z"},
        "customer": {"id": "c1"}, "account": "hooks.invalid", "priority": 0, "category": "transactional", "data": {},
        "webhook": {"url": "https://hooks.invalid/", "type": "t"},
    }  # fmt: skip
