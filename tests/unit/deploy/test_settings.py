"""Settings are read once and checked to the last key."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest

from agents.accounts import wrong_settings
from console.control.doctor_accounts import examine_settings
from deploy.settings.settings import load_settings
from schemas.errors import CannotStart, TidingsError
from tests import ROOT

EXAMPLE = ROOT / "deploy" / "settings.example.toml"


def load(tmp_path: Path, text: str) -> object:
    return load_settings({}, _written(tmp_path, text))


SIGNING = "[email_accounts.a]\nhost = 'h.example'\nsender = 'a@shop.example'\ndkim_domain = 'shop.example'\n"
BOX = "[mailboxes.b]\nhost = 'imap.example.com'\nusername = 'b'\n"


def _written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "tidings.toml"
    file.write_text(text)
    return file


def test_the_example_is_valid_and_shows_the_defaults() -> None:
    from dataclasses import replace

    shown = load_settings({}, EXAMPLE)
    assert replace(shown, email_accounts={}, mailboxes={}) == load_settings({})
    assert shown.email_accounts
    assert shown.mailboxes


def test_the_example_names_every_key() -> None:
    from dataclasses import fields, is_dataclass

    text = EXAMPLE.read_text()
    settings = load_settings({}, EXAMPLE)
    for group in fields(settings):
        value = getattr(settings, group.name)
        inner = next(iter(value.values())) if isinstance(value, dict) and value else value
        for key in fields(inner) if is_dataclass(inner) else [group]:
            assert f"{key.name} = " in text, f"{group.name}.{key.name}"


@pytest.mark.parametrize(
    ("username", "server"),
    [
        ("b@gmail.com", ("imap.gmail.com", 993, "tls")),
        ("b@WEB.de", ("imap.web.de", 993, "tls")),
        ("b@proton.me", ("127.0.0.1", 1143, "starttls")),
    ],
)
def test_a_mailbox_at_a_known_provider_needs_no_host(
    tmp_path: Path, username: str, server: tuple[str, int, str]
) -> None:
    found = load_settings({}, _written(tmp_path, f"[mailboxes.b]\nusername = '{username}'\n")).mailboxes["b"]
    assert (found.host, found.port, found.security) == server


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[topics]\npartitons = 3",
            r'topics\.partitons is not a setting: must be one of prefix, partitions.* Did you mean "partitions',
        ),
        ("[topics]\npartitions = 'x'", r"topics\.partitions must be a whole number, not a text"),
        ("[kafka]\nlinger_ms = 1001", r"kafka\.linger_ms must be from 0 to 1000, not 1001"),
        ("[wire]\nformat = 'xml'", r"wire\.format must be one of avro, confluent, json"),
        ("[sender]\nlease = 'soon'", r"sender\.lease: .* is not a duration; write a whole number"),
        ("[sender]\nwebhook_timeout = '31s'", r"at most 30s"),
        ("[sender]\nemail_max_bounced = 'few'", r"sender\.email_max_bounced must be a number from 0 on, not a text"),
        ("[sender]\nemail_max_bounced = nan", r"sender\.email_max_bounced must be a number from 0 on"),
        ("[sender]\nemail_max_complained = 101", r"sender\.email_max_complained must be a share in percent"),
        ("[sender]\nemail_judged_over = '90d'", r"sender\.email_judged_over must be from 1h to 30d"),
        ("[email_accounts.main]\nhost = 'x'", r"email_accounts\.main\.sender is missing"),
        ("[topics]\nprefix = 'a/b'", r"topics\.prefix"),
        ("[sender]\nwebhook_ports = [443, 0]", r"sender\.webhook_ports\[1\] must be a port from 1 to 65535, not 0"),
        ("[sender]\nwebhook_ports = [70000]", r"webhook_ports\[0\] must be a port"),
        (
            "[sender]\nwebhook_private_networks = ['10.0.0.1/8']",
            r"sender\.webhook_private_networks\[0\] must be a network such as 10\.0\.0\.0/8 or fd00::/8",
        ),
        ("[sender]\nwebhook_private_networks = ['vpc']", r"must be a network such as"),
        ("[notices]\nemails = ['ops']\naccount = 'main'", r"notices\.emails\[0\] must be an address"),
        ("[notices]\nemails = ['ops@example.com']", r'notices\.account "" must be one of the email_accounts: none'),
        ("[notices]\nwebhook = 'ops.example.com'", r"notices\.webhook must begin with https://"),
        ("[mailboxes.b]\nusername = 'b@shop.example'", r"mailboxes\.b\.host is missing, and no preset fits 'b@shop"),
        ("[mailboxes.b]\nhost = 'imap.example.com'", r"mailboxes\.b\.username must be one line, and not empty"),
        (f"{BOX}port = 0", r"mailboxes\.b\.port must be a port from 1 to 65535, not 0"),
        (f"{BOX}security = 'none'", r"mailboxes\.b\.security must be starttls or tls: .* in the clear"),
        (f"{BOX}password = '''a\nb'''", r"mailboxes\.b\.password must be one line"),
        (f"{BOX}folder = 'Zur\u00fcck'", r"mailboxes\.b\.folder must be a name in ASCII"),
        (f"{BOX}taken_folder = 'INBOX'", r"mailboxes\.b: folder, taken_folder and other_folder must be three"),
        (f"{BOX}every = '0s'", r"mailboxes\.b\.every must be at least 1s"),
        ("[webhook]\ncallback_secrets = ['whsec_x']", r"webhook\.callback_secrets\[0\]: a secret is whsec_ and base64"),
        (f"{SIGNING}dkim_private_key = 's3cret'", r"email_accounts\.a\.dkim_private_key must be a private key as PEM"),
        (f"{SIGNING}dkim_selector = 's1'", r"email_accounts\.a\.dkim_private_key is missing: dkim_domain is written"),
        ("[retention]\ndeliveries = '23h'", r"retention\.deliveries must be at least 1d"),
        ("[retention]\ndeliveries = '999999w'", r"retention\.deliveries must be at most 36500d"),
        ("[notices]\nwebhook = 'https://[::1'", r"notices\.webhook must name a host"),
        ("[notices]\nwebhook = 'https:///x'", r"notices\.webhook must name a host"),
        ("[console]\npublic_url = 'codes.example.com'", r"console\.public_url must begin with https://"),
        ("[console]\npublic_url = 'https://codes.example.com'", r"console\.secrets is empty"),
        ("[console]\nsecrets = ['0123456789abcdef', 'short']", r"console\.secrets\[1\] must be at least 16"),
        ("[console]\nsecrets = 'file:/nowhere'", r"console\.secrets\[0\]: cannot read /nowhere"),
        ("[brand]\nlocale = 'polish'", r"brand\.locale must be a language tag such as pl or pl-PL, not 'polish'"),
        ("[brand]\ncolor = 'blue'", r"brand\.color must be a color such as #1d4ed8, not 'blue'"),
        ("[brand]\ncurrency = 'eur'", r"brand\.currency must be a currency of ISO 4217 such as EUR, not 'eur'"),
        ("[brand]\nterms_url = 'terms'", r"brand\.terms_url must be an address such as https://"),
        ("[brand]\nterms_url = 'https://i❤.example/t'", r"brand\.terms_url: .* IDNA 2008"),
        ("[email_accounts.main]\nsender = 'a@b.example'\nhost = 'mail.☃.example'", r"main\.host: .* IDNA 2008"),
        (
            f"[email_accounts.main]\nsender = 'a@b.example'\nhost = 'x'\nunsubscribe_url = 'https://x/{'y' * 900}'",
            r"main\.unsubscribe_url must have at most 900 characters",
        ),
        ("timezone = 'Europe/Warsav'", r'timezone: .* Did you mean "Europe/Warsaw"\?'),
        ("timezone = 'america/new_york'", r'timezone: .* Did you mean "America/New_York"\?'),
        ("timezone = ''", r"timezone: .* as in Europe/Warsaw"),
        ("consents = ['marketing', 'transactional']", r"consents\[1\]: transactional is not a consent"),
        ("consents = ['']", r"consents\[0\] is empty"),
        ("tracking = ['opened']", r"tracking must be some of opens, clicks, not 'opened'"),
        ("kafka = 3", r"kafka must be a group of keys"),
        ("x = [", r"cannot read"),
    ],
)
def test_a_wrong_setting_says_what_would_be_right(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(CannotStart, match=said):
        load(tmp_path, text)


@pytest.mark.parametrize(
    ("field", "value"),
    [("host", "u:hush-hush@mail.example"), ("host", ""), ("port", 70000), ("unsubscribe_url", "ftp://x"),
     ("sender_name", "x" * 1001), ("connections", 0), ("username", "u")],
)  # fmt: skip
def test_what_an_account_of_the_database_may_not_be_is_said_of_one_of_the_settings_which_starts(
    tmp_path: Path, field: str, value: str | int
) -> None:
    fields = {"host": "mail.example", "sender": "a@b.example", field: value}
    written = "".join(f"{name} = {json.dumps(one)}\n" for name, one in fields.items())
    settings = load_settings({}, _written(tmp_path, f"[email_accounts.main]\n{written}"))
    (problem,) = wrong_settings(settings)
    assert problem.startswith(f"email_accounts.main.{'password' if field == 'username' else field} ")
    assert "hush-hush" not in problem
    with pytest.raises(TidingsError, match=re.escape(problem)):
        examine_settings(settings)


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "t.toml"
    file.write_text("[sender]\nlease = '5s'\n[kafka]\nbootstrap = 'a:1'")
    settings = load_settings({"TIDINGS_SENDER_LEASE": "7s", "TIDINGS_KAFKA": "b:2"}, file)
    assert (settings.sender.lease, settings.kafka.bootstrap) == (timedelta(seconds=7), "b:2")


def test_a_secret_is_read_from_its_file_and_never_shown(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("hush\n")
    settings = load_settings({"TIDINGS_POSTGRES": f"file:{tmp_path / 's'}", "TIDINGS_KAFKA_SASL_PASSWORD": "hush"})
    assert settings.postgres.dsn.reveal() == "hush"
    assert "hush" not in repr(settings)


def test_hosts_and_addresses_are_in_ascii_as_every_client_reads_them(tmp_path: Path) -> None:
    text = (
        "[brand]\nlogo_url = 'https://faß.example/łogo.png'\n[wire]\nregistry_url = 'http://bücher.example'\n"
        "[email_accounts.main]\nhost = 'mail.faß.example'\nsender = 'a@faß.example'\n"
        "unsubscribe_url = 'https://faß.example/u/{delivery_id}'"
    )
    settings = load_settings({}, _written(tmp_path, text))
    account = settings.email_accounts["main"]
    assert settings.brand.logo_url == "https://xn--fa-hia.example/%C5%82ogo.png"
    assert settings.wire.registry_url == "http://xn--bcher-kva.example"
    assert (account.host, account.unsubscribe_url) == (
        "mail.xn--fa-hia.example",
        "https://xn--fa-hia.example/u/{delivery_id}",
    )


def test_sasl_and_tls_reach_the_client() -> None:
    kafka = load_settings(
        {
            "TIDINGS_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "TIDINGS_KAFKA_SASL_USERNAME": "u",
            "TIDINGS_KAFKA_SSL_CAFILE": "/ca",
        }
    ).kafka
    assert kafka.client()["sasl.username"] == "u"
    assert kafka.client()["ssl.ca.location"] == "/ca"
    assert kafka.uses_tls


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("TIDINGS_SENDER_LEESE", 'Did you mean "TIDINGS_SENDER_LEASE"'),
        ("TIDINGS_KAFKA_BOOTSTRAP_SERVERS", 'Did you mean "TIDINGS_KAFKA_BOOTSTRAP"'),
        ("TIDINGS_POSTGRESS", 'Did you mean "TIDINGS_POSTGRES"'),
        ("TIDINGS_sender_lease", 'Did you mean "TIDINGS_SENDER_LEASE"'),
        ("TIDINGS_X", "deploy/settings.example.toml names all"),
        ("TIDINGS_EMAIL_ACCOUNTS_MAIN_PASSWORD", "accounts are in the file"),
    ],
)
def test_a_variable_that_is_not_a_setting_is_refused_and_its_value_not_shown(name: str, said: str) -> None:
    with pytest.raises(CannotStart, match=f"{name} in the environment is not a setting.* {said}") as refused:
        load_settings({name: "hush", "TIDINGS_KAFKA": "b:1", "PATH": "/bin"})
    assert "hush" not in str(refused.value)


def test_all_variables_that_are_not_settings_are_named_at_once() -> None:
    with pytest.raises(CannotStart, match="TIDINGS_A in(.|\\n)*TIDINGS_B in"):
        load_settings({"TIDINGS_B": "", "TIDINGS_A": ""})


def test_every_setting_but_accounts_can_be_a_variable() -> None:
    from dataclasses import fields, is_dataclass

    settings = load_settings({})
    names = {
        f"TIDINGS_{group.name}_{key.name}".upper(): str(getattr(value, key.name))
        for group in fields(settings)
        if is_dataclass(value := getattr(settings, group.name))
        for key in fields(value)
        if isinstance(getattr(value, key.name), int) and key.name != "webhook_allow_private"
    }
    assert "TIDINGS_TOPICS_PARTITIONS" in names
    assert load_settings(names) == settings
    others = {"TIDINGS_SETTINGS": str(EXAMPLE), "TIDINGS_JAVA": "/usr/bin/java", "TIDINGS_CACHE": "/tmp"}  # noqa: S108
    assert load_settings(others).project_id == "default"


def _links(service: str) -> dict[str, str]:
    """Variables that Kubernetes sets in every pod of the namespace, for a Service with a named port."""
    port = f"{service}_PORT_8080_TCP"
    return {
        f"{service}_SERVICE_HOST": "10.96.0.17",
        f"{service}_SERVICE_PORT": "8080",
        f"{service}_SERVICE_PORT_HTTP_METRICS": "8080",
        f"{service}_PORT": "tcp://10.96.0.17:8080",
        port: "tcp://10.96.0.17:8080",
        f"{port}_PROTO": "tcp",
        f"{port}_PORT": "8080",
        f"{port}_ADDR": "10.96.0.17",
    }


@pytest.mark.parametrize("service", ["TIDINGS", "TIDINGS_HTTP", "TIDINGS_CONSOLE", "TIDINGS_KAFKA", "TIDINGS_SENDER_2"])
def test_the_links_of_a_service_in_kubernetes_are_no_settings(service: str) -> None:
    assert load_settings(_links(service)) == load_settings({})


def test_the_links_of_a_container_are_no_settings() -> None:
    """As Docker sets them for `--link`: with the environment of the other container."""
    link = {
        "TIDINGS_1_PORT": "tcp://172.17.0.2:6379",
        "TIDINGS_1_NAME": "/worker/tidings_1",
        "TIDINGS_1_ENV_TIDINGS_SENDER_LEASE": "7s",
        "TIDINGS_1_ENV_PATH": "/usr/bin",
    }
    assert load_settings(link) == load_settings({})
    assert (
        load_settings({"TIDINGS_BRAND_PORT": "tcp://[fd00::2]:80", "TIDINGS_BRAND_NAME": "Shop"}).brand.name == "Shop"
    )
    with pytest.raises(CannotStart, match="TIDINGS_1_NAME in the environment is not"):
        load_settings({"TIDINGS_1_NAME": "/worker/tidings_1"})


def test_a_setting_that_a_service_could_name_is_one_where_it_holds_no_address() -> None:
    assert load_settings({**_links("TIDINGS_CONSOLE"), "TIDINGS_HTTP_PORT": "9090"}).http.port == 9090
    with pytest.raises(CannotStart, match=r"http\.port must be a whole number, not a text"):
        load_settings({"TIDINGS_HTTP_PORT": "http://10.96.0.17:80"})
