"""The command line: accepted arguments, and errors that name the argument and the rule."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path

import pytest

from tests.requirements import rfc
from tools import cli, options


def parse(*words: str) -> options.Options:
    """The options of `tapstack up WORDS`."""
    parser, parsers = cli.make_parser()
    return options.from_arguments(parser.parse_args(["up", *words]), parsers["up"])


def test_defaults_are_those_of_the_readme() -> None:
    chosen = parse()
    assert chosen.tap == "tap0"
    assert str(chosen.address) == "10.9.0.2/24"
    assert str(chosen.host_address) == "10.9.0.1/24"
    assert chosen.gateway is None
    assert chosen.mac is None
    assert chosen.mtu is None
    assert chosen.services == {
        "echo": 7,
        "discard": 9,
        "daytime": 13,
        "qotd": 17,
        "chargen": 19,
        "time": 37,
        "http": 80,
    }
    assert chosen.http_root is None
    assert chosen.pcap is None
    assert not chosen.trace
    assert chosen.acd == "optimistic"
    assert not chosen.status


def test_every_key_is_accepted(tmp_path: Path) -> None:
    chosen = parse(
        *"--tap lab7 --address 192.168.7.9/28 --gateway 192.168.7.1 --host-address 192.168.7.2/28".split(),
        *"--mac 02-AB-cd-00-00-09 --mtu 9000 --no-offload --services http=8080,echo --trace".split(),
        *f"--http-root {tmp_path} --pcap {tmp_path}/x.pcapng".split(),
    )
    assert chosen.tap == "lab7"
    assert chosen.address == ipaddress.IPv4Interface("192.168.7.9/28")
    assert chosen.gateway == ipaddress.IPv4Address("192.168.7.1")
    assert chosen.host_address == ipaddress.IPv4Interface("192.168.7.2/28")
    assert chosen.mac == bytes.fromhex("02abcd000009")
    assert chosen.mtu == 9000
    assert chosen.offload is False
    assert chosen.services == {"http": 8080, "echo": 7}
    assert chosen.http_root == tmp_path
    assert chosen.pcap == tmp_path / "x.pcapng"
    assert chosen.trace


def test_a_trace_goes_to_the_terminal_to_a_file_or_to_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "host.sqlog"
    for words, printed, file in (
        ([], False, None),
        (["--trace"], True, None),
        (["--trace=-"], True, None),
        ([f"--trace={path}"], False, path),
        (["--trace", f"--trace={path}"], True, path),
    ):
        chosen = parse(*words)
        assert (chosen.trace, chosen.trace_file) == (printed, file)
    assert not path.exists(), "nothing is touched yet"
    for words, said in (
        ([f"--trace={path}", "--trace=other"], "argument --trace: only one FILE"),
        ([f"--trace={path}", "--pcap", str(path)], "argument --trace: not the FILE of --pcap"),
        (["--trace="], "argument --trace: '' is not a file name"),
        ([f"--trace={tmp_path}"], "is a folder, not a file"),
        (["--trace=/no/such/folder/x"], "its folder does not exist"),
    ):
        with pytest.raises(SystemExit) as ended:
            parse(*words)
        assert ended.value.code == 2
        assert said in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--trace", "--trac"])
def test_a_trace_does_not_take_the_word_after_it_as_its_file(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the address of `ping` nor the command of `lab`."""
    seen: list[object] = []

    def see(chosen: options.Options, other: object) -> int:
        seen.append((chosen.trace, str(getattr(other, "target", other))))
        return 0

    monkeypatch.setattr("tools.ping.main", see)
    monkeypatch.setattr("tools.lab.main", see)
    assert cli.main(["ping", option, "10.9.0.1"]) == 0
    assert cli.main(["lab", option, "--", "nc", option, "10.9.0.2"]) == 0
    assert seen == [(True, "10.9.0.1"), (True, str(["nc", option, "10.9.0.2"]))]
    with pytest.raises(SystemExit):
        cli.main(["up", option, "host.sqlog"])


def test_the_kernels_address_follows_the_hosts_network() -> None:
    assert str(parse("--address", "10.77.0.2/24").host_address) == "10.77.0.1/24"
    assert str(parse("--address", "10.77.0.1/24").host_address) == "10.77.0.2/24"
    assert parse("--address", "10.77.0.2/24", "--host-address", "none").host_address is None
    assert parse("--services", "none").services == {}


REFUSED = [
    ("--address", "10.9.0.2", "prefix length"),
    ("--address", "10.9.0/24", "four numbers"),
    ("--address", "10.9.0.256/24", "0 to 255"),
    ("--address", "10.9.0.02/24", "leading zeros"),
    ("--address", "::1/64", "IPv4"),
    ("--address", "10.9.0.2/33", "1 to 30"),
    ("--address", "10.9.0.2/0", "1 to 30"),
    ("--address", "10.9.0.2/x", "1 to 30"),
    ("--address", "10.9.0.2/-1", "1 to 30"),
    ("--address", "10.9.0.0/24", "network itself"),
    ("--address", "10.9.0.255/24", "broadcast"),
    ("--address", "224.0.0.1/24", "multicast"),
    ("--address", "127.0.0.2/8", "loopback"),
    ("--address", "0.0.0.1/8", "this network"),
    ("--address", "240.0.0.1/8", "reserved"),
    ("--address", "255.255.255.255/24", "reserved or broadcast"),
    ("--gateway", "10.8.0.1", "network of 10.9.0.2/24"),
    ("--gateway", "10.9.0.2", "another address"),
    ("--gateway", "10.9.0.255", "not a host"),
    ("--gateway", "router", "four numbers"),
    ("--host-address", "10.9.0.2/24", "another address"),
    ("--host-address", "10.9.0.3/25", "network of 10.9.0.2/24"),
    ("--host-address", "10.8.0.1/24", "network of 10.9.0.2/24"),
    ("--mac", "02:00:00:00:00", "six two-digit"),
    ("--mac", "02:00:00:00:00:0g", "six two-digit"),
    ("--mac", "01:00:5e:00:00:01", "group"),
    ("--mac", "00:00:00:00:00:00", "cannot be a station address"),
    ("--mtu", "67", "68 to 65521"),
    ("--mtu", "65522", "68 to 65521"),
    ("--mtu", "big", "whole number"),
    ("--mtu", "1500.0", "whole number"),
    ("--tap", "sixteen-letters-", "15"),
    ("--tap", "a b", "white space"),
    ("--tap", "", "1 to 15"),
    ("--tap", "tap%d", "percent"),
    ("--offload", "tso", "write --offload alone"),
    ("--services", "echo,telnet", "echo, discard, daytime"),
    ("--services", "", "choose from"),
    ("--services", "echo,echo", "twice"),
    ("--services", "http=0", "1 to 65535"),
    ("--services", "http=65536", "1 to 65535"),
    ("--services", "http=", "1 to 65535"),
    ("--services", "http=7,echo", "one port"),
    ("--http-root", "/no/such/folder", "not a folder"),
    ("--pcap", "/no/such/folder/x.pcapng", "folder does not exist"),
    ("--pcap", "/", "folder, not a file"),
    ("--pcap", "", "not a file name"),
    ("--pcap", "a" * 256, "at most 255 bytes"),
    ("--pcap", "/dev/full", "not a regular file"),
    ("--address", "", "four numbers"),
    ("--host-address", "None", "four numbers"),
    ("--tap", "all", "not an interface name"),
    ("--tap", "default", "not an interface name"),
    ("--tap", "\udcff", "unprintable characters"),
]


@pytest.mark.parametrize(("argument", "value", "rule"), REFUSED)
def test_a_wrong_value_is_refused_with_name_and_rule(
    argument: str, value: str, rule: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(argument, value)
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert f"argument {argument}: " in said
    assert rule in said
    assert said.startswith(f"tapstack up: argument {argument}: ")
    assert said.count("\n") == 1
    assert len(said) < 300


@pytest.mark.parametrize("words", ["--services http", "--services echo,http=8080", "--http-root ."])
def test_http_that_is_asked_for_is_refused_without_h11(
    words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without these options the other services are served all the same."""
    monkeypatch.setattr(options, "find_spec", lambda name: None)
    assert "http" in parse().services
    assert parse("--services", "echo").services == {"echo": 7}
    with pytest.raises(SystemExit):
        parse(*words.split())
    assert f"{words.split()[0]}: http needs h11: pip install 'tapstack[tools]'" in capsys.readouterr().err


def test_acd_has_four_modes(capsys: pytest.CaptureFixture[str]) -> None:
    for mode in ("strict", "optimistic", "defend", "off"):
        assert parse("--acd", mode).acd == mode
    with pytest.raises(SystemExit):
        parse("--acd", "probed")
    assert "argument --acd: invalid choice: 'probed'" in capsys.readouterr().err


def test_dhcp_replaces_the_address(tmp_path: Path) -> None:
    chosen = parse("--dhcp", "--lease-file", f"{tmp_path}/lease")
    assert chosen.address is None
    assert chosen.lease_file == tmp_path / "lease"
    assert chosen.host_address is None  # which network it will be is not known
    assert str(parse("--dhcp", "--host-address", "10.9.0.1/24").host_address) == "10.9.0.1/24"


def test_in_a_lab_with_dhcp_the_kernel_has_an_address() -> None:
    parser, parsers = cli.make_parser()
    chosen = options.from_arguments(parser.parse_args(["lab", "--dhcp"]), parsers["lab"])
    assert chosen.address is None
    assert str(chosen.host_address) == "10.9.0.1/24"


@pytest.mark.parametrize(
    ("program", "default"),
    [
        ("up", "10.9.0.1/24, or the first one where --address is; none with --dhcp"),
        ("lab", "10.9.0.1/24, or the first one where --address is"),
        ("ping", "10.9.0.1/24, or the first one where --address is; none with --dhcp"),
        ("dhcp", "none"),
    ],
)
def test_the_help_gives_the_default_of_host_address(program: str, default: str) -> None:
    _, parsers = cli.make_parser()
    said = " ".join(parsers[program].format_help().split())
    assert f"'none' leaves it alone (default: {default})" in said


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        ("--dhcp --address 10.9.0.2/24", "not allowed with"),
        ("--dhcp --gateway 10.9.0.1", "argument --gateway: not with --dhcp"),
        ("--dhcp --acd defend", "argument --acd: not with --dhcp"),
        ("--lease-file lease", "argument --lease-file: only with --dhcp"),
        ("--dhcp --lease-file /", "argument --lease-file: '/' is a folder"),
        ("--dhcp --lease-file /no/such/folder/lease", "folder does not exist"),
    ],
)
def test_options_that_contradict_dhcp_are_refused(words: str, rule: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(*words.split())
    assert rule in capsys.readouterr().err


@rfc("page-1")
@pytest.mark.parametrize(
    ("words", "shown"),
    [("up", False), ("up --status", True), ("lab", True), ("lab --no-status", False), ("lab --http-root /", True)],
)
def test_status_is_shown_in_a_lab_or_on_request(words: str, shown: bool) -> None:
    parser, parsers = cli.make_parser()
    arguments = parser.parse_args(words.split())
    assert options.from_arguments(arguments, parsers[arguments.program]).status is shown


def test_status_contradicts_http_root(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse("--status", "--http-root", "/")
    assert "argument --status: not with --http-root" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        ("--request-address 10.9.0", "four numbers"),
        ("--timeout 0", "0.1 to 86400"),
        ("--timeout soon", "not a valid time to wait"),
        ("--address 10.9.0.2/24", "there is no --address"),
    ],
)
def test_the_dhcp_program_refuses_other_options(words: str, rule: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["dhcp", *words.split()])
    assert rule in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ([], True),
        (["--offload"], True),
        (["--offload=checksum"], "checksum"),
        (["--offload=software"], "software"),
        (["--no-offload"], False),
    ],
)
def test_offload_is_on_off_or_checksum_only(words: list[str], meant: bool | str) -> None:
    assert parse(*words).offload == meant


def test_a_capture_to_a_pipe_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SystemExit):
        parse("--pcap", str(tmp_path / "pipe"))
    assert "not a regular file" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["-i", "0"], ["-i", "x"], ["-s", "65508"], ["-c", "0"], ["-c", "-1"]])
def test_ping_refuses_wrong_values(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    parser, _ = cli.make_parser()
    with pytest.raises(SystemExit):
        parser.parse_args(["ping", "10.9.0.1", *words])
    assert f"argument {words[0]}: " in capsys.readouterr().err


def test_ping_accepts_the_largest_size() -> None:
    parser, _ = cli.make_parser()
    arguments = parser.parse_args(["ping", "10.9.0.1", "-c", "3", "-i", "0.01", "-s", "65507"])
    assert (str(arguments.target), arguments.count, arguments.interval, arguments.size) == ("10.9.0.1", 3, 0.01, 65507)
