"""Mail in files: a message, an mbox, a Maildir, a folder."""

from __future__ import annotations

from pathlib import Path

from channels.email.reports import MOST_BYTES
from console.control.files.mail_files import messages

ONE, OTHER = b"Subject: one\n\nfirst\n", b"Subject: other\n\nsecond\n"


def test_a_file_is_one_message_read_as_far_as_a_report_reaches(tmp_path: Path) -> None:
    file = tmp_path / "one.eml"
    file.write_bytes(ONE + b"x" * MOST_BYTES)
    ((name, read),) = messages(file)
    assert (name, read[: len(ONE)], len(read)) == ("one.eml", ONE, MOST_BYTES)


def test_an_mbox_is_each_of_its_messages(tmp_path: Path) -> None:
    file = tmp_path / "box"
    file.write_bytes(b"From a Tue Mar  3\n" + ONE + b"\nFrom b Tue Mar  3\n" + OTHER)
    assert [(name, read.strip()) for name, read in messages(file)] == [
        ("box 1", ONE.strip()),
        ("box 2", OTHER.strip()),
    ]


def test_a_maildir_is_what_was_delivered_and_not_what_is_being_written(tmp_path: Path) -> None:
    for folder, text in (("new", ONE), ("cur", OTHER), ("tmp", b"unfinished")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{folder}1").write_bytes(text)
    assert list(messages(tmp_path)) == [("cur1", OTHER), ("new1", ONE)]


def test_a_folder_is_its_files_and_an_empty_file_a_message_without_words(tmp_path: Path) -> None:
    (tmp_path / "b.eml").write_bytes(b"")
    (tmp_path / "a.eml").write_bytes(ONE)
    assert list(messages(tmp_path)) == [("a.eml", ONE), ("b.eml", b"")]
