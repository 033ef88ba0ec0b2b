"""Names of files: what a mail program shows is what is saved, and nothing of it is a path or a program."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.formats.file_names import LONGEST_NAME, file_name, type_problem


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("invoice.pdf", "invoice.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\a.pdf", "a.pdf"),
        ("a\r\nBcc: x@y.example", "a Bcc- x@y.example"),
        ("Rechnung für  Zoë.pdf", "Rechnung für Zoë.pdf"),
        ("\u202efdp.exe", "fdp.exe"),
        ("a.pdf. .", "a.pdf"),
        (".pdf", "pdf"),
        ("..", ""),
        ("a/", ""),
        ("\ud800", ""),
        ("x" * 200 + ".pdf", "x" * 96 + ".pdf"),
        ("x." + "y" * 200, "x." + "y" * 98),
    ],
)
def test_a_name_is_one_line_without_a_path(text: str, name: str) -> None:
    assert file_name(text) == name


@given(st.text(max_size=300))
def test_a_name_stays_as_it_is_once_it_is_one(text: str) -> None:
    name = file_name(text)
    assert len(name) <= LONGEST_NAME
    assert name.isprintable()
    assert not set(name) & set('/\\\r\n"')


@pytest.mark.parametrize("name", ["a.exe", "a.EXE", "a.pdf.js", "a.exe.", "a.exe ", "x/a.bat", "a.e\u202exe"])
def test_what_mail_programs_refuse_is_refused(name: str) -> None:
    assert "must be of another one, such as .pdf" in str(type_problem(name))


@pytest.mark.parametrize("name", ["a.pdf", "exe", "a.exe.pdf", "a", "", "a.ics"])
def test_anything_else_is_taken(name: str) -> None:
    assert type_problem(name) is None
