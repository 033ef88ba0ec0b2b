"""Problems of a template are told with the file and line that its author wrote."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from console.control.context import ProjectContext
from console.control.distribution_check import Known, check, offer
from console.control.files.documents import read_documents
from deploy.settings.messages import Brand, EmailAccountSettings
from deploy.settings.settings import Settings
from deploy.settings.workers import Sender
from schemas.errors import DefinitionInvalid
from tests.factory import NOW

URL = "https://x.example"
BRAND = Brand("x", "x", "x", privacy_url=URL, terms_url=URL, logo_url=URL, permission_reminder="x")
SETTINGS = Settings(brand=BRAND, email_accounts={"main": EmailAccountSettings("localhost", "a@b.example")})
HEAD = "distribution: d\ntrigger: {event: customer.order.paid}\nconsent: transactional\nchannels:\n  - email:\n"
NAMED = HEAD + "      account: main\n      subject: s\n      template: m\n"
SECTION = '{% from "sections"\n   import header %}\n'


def refused(folder: Path, files: dict[str, str], settings: Settings = SETTINGS) -> list[str]:
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    with pytest.raises(DefinitionInvalid) as caught:
        check(
            read_documents([folder / "d.yaml"]),
            ProjectContext.of(settings, "shop"),
            Known(offer({}), to_save=True),
            NOW,
        )
    return [str(one).removeprefix(f"{folder}/") for one in caught.value.problems]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            {"m.html": "<style>\n@media (x){#hero{y}}\n</style>"},
            "templates/m.html:2  channels[0].email.html: temp",
        ),
        ({"m.html": "a\n{{ ordr.id }}"}, "templates/m.html:2  channels[0].email.html: there is no variable ordr."),
        ({"m.html": f"{SECTION}{{{{ ordr.id }}}}"}, "templates/m.html:3  channels[0].email.html: there is no variable"),
        ({"m.txt": f"{SECTION}a\n{{% if %}}"}, "templates/m.txt:4  channels[0].email.text: template m, text, line 4"),
        ({"m.txt": "a\n{{ order.id | nofilter }}"}, "templates/m.txt:2  channels[0].email.text: filter nofilter is"),
        ({"m.txt": "a\n{% include 'x' %}"}, "templates/m.txt:2  channels[0].email.text: include reaches nothing"),
        ({"m.txt": 'a\n{% from "sections" import heder %}'}, "templates/m.txt:2  channels[0].email.text: there is no"),
        (
            {"m.mjml": "<mj-text>a</mj-text>\n\n<mj-text>{{ ordr.x }}</mj-text>"},
            "templates/m.mjml:3  channels[0].e",
        ),
        ({"m.mjml": "<mj-text>a</mj-text>\n<mj-text>{{ customer.name }}</mj-text>"}, "templates/m.mjml:2  channels[0]"),
        (
            {"m.mjml": "<mj-text>a\n5 < 6</mj-text>"},
            "d.yaml:8  channels[0].email.template: FOLDER/templates/m.mjml:2",
        ),
        ({"m.txt": "a", "m.pl.txt": '---\nsubject: "s"\n---\na\n{{ ordr.id }}'}, "templates/m.pl.txt:5  channels[0]"),
        (
            {"m.txt": "a", "m.pl.txt": '---\nsubject: "{{ ordr.id }}"\n---\na'},
            "templates/m.pl.txt:2  channels[0]",
        ),
    ],
)
def test_a_template_in_a_file(tmp_path: Path, files: dict[str, str], said: str) -> None:
    named = {f"templates/{name}": text for name, text in files.items()}
    (first, *_) = refused(tmp_path, {"d.yaml": NAMED, **named})
    assert first.startswith(said.replace("FOLDER", str(tmp_path)))


def test_a_layout_of_one_s_own_is_named(tmp_path: Path) -> None:
    layout = "<mjml><mj-body>\n<mj-section><mj-column><mj-text>\n{{ ordr.id }}</mj-text></mj-column></mj-section>\n"
    files = {
        "templates/m.mjml": "<mj-text>a</mj-text>",
        "templates/layout.mjml": f"{layout}{{{{ content }}}}</mj-body></mjml>",
    }
    assert refused(tmp_path, {"d.yaml": NAMED, **files})[0].startswith(
        "templates/layout.mjml:3  channels[0].email.html"
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('text: "{{ ordr.id }}"', 8),
        ("text: |\n        a\n        b\n        {{ ordr.id }}", 11),
        ("html: |\n        <b>\n        {#hero\n        </b>", 10),
        ("text: a\n      html: |\n        {{ customer.name }}", 10),
        ("text: >\n        a\n        {{ ordr.id }}", 8),
    ],
)
def test_a_text_in_yaml(tmp_path: Path, text: str, line: int) -> None:
    source = f"{HEAD}      account: main\n      subject: s\n      {text}\n"
    (problem,) = refused(tmp_path, {"d.yaml": source})
    assert problem.startswith(f"d.yaml:{line}  channels[0].email.")


WEBHOOK = "distribution: d\ntrigger: {event: customer.order.paid}\nconsent: transactional\nchannels:\n"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://10.0.0.1/x", "d.yaml:6  channels[1].webhook.url: 10.0.0.1 is an address that is not public"),
        ("https://localhost/x", "d.yaml:6  channels[1].webhook.url: localhost leads to an address that is not public"),
        ("https://0x7f.1/x", "d.yaml:6  channels[1].webhook.url: 0x7f.1 is an address that is not public"),
        ("http://hooks.example.com/x", "d.yaml:6  channels[1].webhook.url: http is not allowed: must be https"),
        ("https://hooks.example.com:25/x", "d.yaml:6  channels[1].webhook.url: port 25 is not allowed: must be one of"),
    ],
)
def test_an_address_that_would_be_refused_is_so_on_save(tmp_path: Path, url: str, said: str) -> None:
    source = "".join(f"  - webhook: {{url: '{one}', type: t}}\n" for one in ("https://hooks.example.com/x", url))
    (problem,) = refused(tmp_path, {"d.yaml": WEBHOOK + source})
    assert problem.startswith(said)


def test_what_the_settings_open_is_saved_and_a_preview_shows_every_address(tmp_path: Path) -> None:
    (tmp_path / "d.yaml").write_text(f"{WEBHOOK}  - webhook: {{url: 'http://10.0.0.1:9000/x', type: t}}\n")
    documents = read_documents([tmp_path / "d.yaml"])
    opened = replace(SETTINGS, sender=Sender(webhook_private_networks=("10.0.0.0/24",)))
    assert check(documents, ProjectContext.of(opened, "shop"), Known(offer({}), to_save=True), NOW)
    assert check(documents, ProjectContext.of(SETTINGS, "shop"), Known(offer({})), NOW)


@pytest.mark.parametrize(
    ("attachment", "said"),
    [
        ('{url: "https://x.example/{{ ordr.id }}.pdf"}', "attachments[0].url: there is no variable ordr."),
        ('{url: "https://x.example/a", name: "{{ order.idd }}"}', "attachments[0].name: order has no idd."),
        ('{url: "https://10.0.0.1/{{ order.id }}.pdf"}', "attachments[0].url: 10.0.0.1 is an address that is not pub"),
        ('{url: "http://x.example/a.pdf"}', "attachments[0].url: http is not allowed"),
        ('{url: "https://x.example:22/a.pdf"}', "attachments[0].url: port 22 is not allowed"),
    ],
)
def test_files_that_could_never_be_fetched_are_refused(tmp_path: Path, attachment: str, said: str) -> None:
    written = f"{HEAD}      account: main\n      subject: s\n      text: t\n      attachments: [{attachment}]\n"
    (problem,) = refused(tmp_path, {"d.yaml": written})
    assert f"channels[0].email.{said}" in problem


ATTACHED = f"{HEAD}      account: main\n      subject: s\n      text: t\n      attachments: "


@pytest.mark.parametrize(
    ("attachments", "said"),
    [
        ("[{file: none.pdf}]", "[0].file: none.pdf is not a file; looked for in "),
        ("[{file: files}]", "[0].file: files is not a file"),
        ("[{file: ../out.pdf}]", "[0].file: ../out.pdf is not in the folder of this document, nor below it"),
        ("[{file: /etc/hostname}]", "[0].file: /etc/hostname is not in the folder of this document"),
        ("[{file: link.pdf}]", "[0].file: link.pdf is not in the folder of this document"),
        ("[{file: files/empty.pdf}]", "[0].file: files/empty.pdf is empty"),
        ("[{file: files/large.pdf}]", "[0].file: files/large.pdf has 1,001 bytes; at most 1,000 (sender.attachment_m"),
        ("[{file: files/a.pdf}, {file: files/b.pdf}]", ": the files have 1,800 bytes together; at most 1,500 (sender"),
    ],
)
def test_files_beside_a_document_are_in_its_folder_and_small_enough(
    tmp_path: Path, attachments: str, said: str
) -> None:
    folder = tmp_path / "distributions"
    (folder / "files").mkdir(parents=True)
    (tmp_path / "out.pdf").write_bytes(b"out")
    (folder / "link.pdf").symlink_to(tmp_path / "out.pdf")
    for name, size in (("empty", 0), ("large", 1001), ("a", 900), ("b", 900)):
        (folder / "files" / f"{name}.pdf").write_bytes(name[:1].encode() * size)
    few = replace(SETTINGS, sender=Sender(attachment_max_bytes=1000, attachments_max_bytes=1500))
    (problem,) = refused(folder, {"d.yaml": ATTACHED + attachments + "\n"}, few)
    assert f"channels[0].email.attachments{said}" in problem
