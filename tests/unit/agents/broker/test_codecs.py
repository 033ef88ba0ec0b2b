"""A process that could not read what others write refuses to start."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
from aiokafka import codec

from agents.broker import codecs
from agents.broker.codecs import CODECS, check_codecs
from schemas.errors import CannotStart


def test_all_codecs_of_kafkas_clients_are_there() -> None:
    check_codecs()


def test_what_is_checked_for_is_what_the_workers_consumer_reads() -> None:
    assert all(getattr(codec, f"has_{name}")() for name in CODECS)
    assert codec.cramjam is sys.modules["cramjam"]


def test_without_cramjam_nothing_starts_and_it_is_said_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cramjam", None)
    with pytest.raises(CannotStart, match=r"with snappy, lz4, zstd cannot be read.*pip install cramjam"):
        check_codecs()


def test_a_librdkafka_without_one_of_them_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codecs, "CODECS", ("gzip", "sasl_nothing"))
    monkeypatch.setitem(sys.modules, "cramjam", SimpleNamespace(sasl_nothing=None))
    with pytest.raises(CannotStart, match=r"librdkafka .* was built without one of gzip, sasl_nothing"):
        check_codecs()
