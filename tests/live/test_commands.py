"""The commands `tapstack up` and `tapstack lab`: how they start, how they end, and what they say
when they cannot.
"""

from __future__ import annotations

import json
import os
import pty
import random
import re
import select
import shlex
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

import stack
from tests import modes
from tests.live.net import COMMAND, OURS, Namespace, Program, need, need_root, up, wait_until
from tests.live.unprivileged import UID, ordinary
from tests.requirements import rfc

READY = re.compile(r"ready: 10\.9\.0\.2 on tap0 \([0-9a-f]{2}(:[0-9a-f]{2}){5}\), offload [\w+]+")


def refusal(command: list[str], status: int = 1) -> str:
    """What a command says that must refuse: one line, and nothing on standard output."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


# --- up ---------------------------------------------------------------------------------------------------------------


def test_up_ends_when_its_tap_is_deleted(namespace: Namespace) -> None:
    with namespace.start(*COMMAND, "up", *modes.up_options()) as program:
        program.wait_for(b"ready: ")
        namespace.run("ip", "link", "del", "tap0")
        status, _, errors = program.wait()
    assert (status, errors) == (1, b"tapstack up: tap0 is gone: it was deleted\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_up_ends_cleanly_by_a_signal(namespace: Namespace, tmp_path: Path, number: int) -> None:
    """The TAP is gone, and the capture complete to the last frame."""
    need("ping", "tshark")
    capture = tmp_path / "all.pcapng"
    with namespace.start(*COMMAND, "up", *modes.up_options(), "--pcap", str(capture)) as program:
        assert READY.fullmatch(program.wait_for(b"ready: "))
        assert "tap0" in namespace.links()
        namespace.run("ping", "-q", "-c", "5", "-i", "0.01", OURS)
        status, output, errors = program.stop(number)
        assert (status, errors) == (0, b"")
        assert output.count(b"\n") == 1
    assert "tap0" not in namespace.links()
    command = ["tshark", "-n", "-r", str(capture), "-Y", "icmp", "-T", "fields", "-e", "icmp.type"]
    read = subprocess.run(command, capture_output=True, text=True, check=True)
    assert read.stdout.split() == ["8", "0"] * 5
    assert "cut short" not in read.stderr


def test_a_capture_carries_the_time_of_day(namespace: Namespace, tmp_path: Path) -> None:
    need("ping", "tcpdump")
    capture = tmp_path / "all.pcapng"
    with up(namespace, "--pcap", str(capture)):
        namespace.run("ping", "-q", "-c", "1", OURS)
    command = ["tcpdump", "-n", "-tt", "-r", str(capture), "icmp"]
    first = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[0]
    assert abs(float(first) - time.time()) < 60


def test_a_capture_carries_the_hosts_reasons(namespace: Namespace, tmp_path: Path) -> None:
    """As tshark reads them. For tcpdump it is an ordinary file."""
    need("nc", "tcpdump", "tshark")
    capture = tmp_path / "all.pcapng"
    with up(namespace, "--pcap", str(capture)):
        assert namespace.run("sh", "-c", f"echo hello | nc -N {OURS} 7") == b"hello\n"
        namespace.run("nc", "-z", "-w", "1", OURS, "81", check=False)
    fields = ["-T", "fields", "-E", "separator=|", "-e", "frame.number", "-e", "tcp.flags.reset", "-e", "frame.comment"]
    command = ["tshark", "-n", "-r", str(capture), "-Y", "tcp.port == 81", *fields]
    syn, reset = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    number, _, said = syn.split("|")
    assert said.startswith("dropped: tcp_no_connection: ")
    assert "9293-3.10.7.1-b" in said
    assert reset.split("|")[1] in ("1", "True")
    assert f"because of packet {number}" in reset
    command = ["tshark", "-n", "-r", str(capture), "-Y", "tcp.port == 7", *fields]
    assert "after=ESTABLISHED" in subprocess.run(command, capture_output=True, text=True, check=True).stdout
    read = subprocess.run(["tcpdump", "-n", "-r", str(capture), "tcp"], capture_output=True, text=True, check=True)
    assert read.stdout.count("Flags [S],") == 2


def test_a_trace_in_a_file_says_what_the_host_did(namespace: Namespace, tmp_path: Path) -> None:
    need("nc")
    path = tmp_path / "host.sqlog"
    with up(namespace, f"--trace={path}") as program:
        assert namespace.run("sh", "-c", f"echo hello | nc -N {OURS} 7") == b"hello\n"
        namespace.run("nc", "-z", "-w", "1", OURS, "81", check=False)
        status, output, errors = program.stop()
    assert (status, output.count(b"\n"), errors) == (0, 1, b"")
    with path.open("rb") as file:
        events = list(stack.read_trace(file))
    assert [event.n for event in events] == list(range(1, len(events) + 1))
    (drop,) = [each for each in events if each.name == "host:drop" and each.data["reason"] == "tcp_no_connection"]
    assert "9293-3.10.7.1-b" in drop.why
    frame = events[drop.frame - 1]
    assert (frame.name, frame.data["dir"]) == ("wire:frame", "in")
    assert any(", SYN, " in line for line in stack.show(cast(bytes, frame.data["octets"])))
    states = [event.data["after"] for event in events if event.name == "tcp:state" and event.group == "c1"]
    assert "ESTABLISHED" in states
    header = json.loads(path.read_bytes().splitlines()[0][1:])
    assert abs(header["trace"]["common_fields"]["reference_time"] / 1000 + events[0].at - time.time()) < 60


@rfc("drift-1")
def test_ping_gets_the_time_of_day_from_us(namespace: Namespace) -> None:
    """The kernel stamps the option as it goes out, and we as it comes in: both go by one clock."""
    need("ping")
    with up(namespace):
        output = namespace.run("ping", "-n", "-c", "1", "-T", "tsandaddr", OURS).decode()
    assert f"from {OURS}" in output
    stamps = dict(re.findall(r"(10\.9\.0\.\d+)\s+(-?\d+)", output[output.index("TS:") :]))
    assert abs(int(stamps[OURS])) < 10_000  # ping shows what each adds to the one before, in milliseconds


def test_trace_prints_a_line_for_each_layer(namespace: Namespace) -> None:
    need("ping")
    with up(namespace, "--trace") as program:
        namespace.run("ping", "-q", "-c", "1", OURS)
        program.wait_for(b"ICMP echo reply")
        assert b"ARP request, who has 10.9.0.2? tell 10.9.0.1" in program.output


def test_the_trace_says_what_a_super_frame_is(namespace: Namespace, tmp_path: Path) -> None:
    """Frames that could not be on a wire, and checksums that are not there, are named and not left to be guessed."""
    need("nc")
    sent = tmp_path / "sent"
    sent.write_bytes(random.Random(1).randbytes(300_000))
    with up(namespace, "--trace") as program:
        assert namespace.run("sh", "-c", f"nc -N {OURS} 7 < {sent}") == sent.read_bytes()
        program.wait_for(b"after=CLOSED")
        trace = program.output.decode()
    lengths = re.findall(
        r"IPv4 10\.9\.0\.\d > 10\.9\.0\.\d, TCP, length (\d+)( \(a super-frame, above the MTU of 1500\))?", trace
    )
    assert all((int(length) > 1500) == bool(named) for length, named in lengths)
    plain = "--no-offload" in modes.up_options()
    assert any(named for _, named in lengths) != plain
    assert (", checksum left to the device\n" in trace) != plain


@pytest.mark.parametrize("capture", [False, True])
def test_over_an_impaired_wire_a_transfer_completes_and_the_trace_shows_what_was_lost(
    namespace: Namespace, tmp_path: Path, capture: bool
) -> None:
    """Both directions lose frames. Those are single segments, though the kernel and the host offload by default."""
    need("nc")
    sent = tmp_path / "sent"
    sent.write_bytes(random.Random(1).randbytes(100_000))
    options = [
        "--impair",
        "loss=0.1,delay=2ms,seed=1",
        "--trace",
        *(["--pcap", str(tmp_path / "x")] if capture else []),
    ]
    with namespace.start(*COMMAND, "up", *options) as program:
        ready = program.wait_for(b"ready: ")
        assert ready.endswith("offload none, impaired loss=0.1,delay=2ms,seed=1")
        # The wire loses ARP requests, too, and after three in a row the kernel would give up.
        mac = ready.split("(")[1].split(")")[0]
        namespace.ip("neigh", "replace", OURS, "lladdr", mac, "dev", "tap0", "nud", "permanent")
        answer = namespace.run("sh", "-c", f"nc -N {OURS} 7 < {sent}", timeout_s=120)
        assert answer == sent.read_bytes()
        status, output, errors = program.stop()
    assert (status, errors) == (0, b"")
    trace = output.decode()
    assert re.search(r" c\d+: send seq=\d+ len=\d+ flags=\S+ again: ", trace)
    assert max(map(int, re.findall(r"IPv4 .* length (\d+),", trace))) <= 1500
    assert "super-frame" not in trace
    assert re.search(r"\nimpaired: to the kernel \d+ frames, \d+ lost; from it \d+ frames, \d+ lost\n$", trace)


def test_trace_ends_when_its_reader_is_gone(namespace: Namespace) -> None:
    need("ping")
    with namespace.start(*COMMAND, "up", *modes.up_options(), "--trace") as program:
        program.wait_for(b"ready: ")
        assert program.process.stdout is not None
        program.process.stdout.close()
        program.process.stdout = None
        namespace.run("ping", "-q", "-c", "1", "-w", "1", OURS, check=False)
        assert program.process.wait(20) == 0


def test_a_tap_that_was_there_stays(namespace: Namespace) -> None:
    need("ping")
    namespace.ip("tuntap", "add", "mode", "tap", "tap0")
    namespace.ip("addr", "add", "10.9.0.7/24", "dev", "tap0")
    with namespace.start(*COMMAND, "up", *modes.up_options()) as program:
        program.wait_for(b"ready: ")
        namespace.run("ping", "-q", "-c", "1", OURS)
        # It had an address, and so is given no other.
        addresses = namespace.ip("-o", "-4", "addr", "show", "tap0")
        assert "10.9.0.7/24" in addresses
        assert "10.9.0.1/24" not in addresses
        assert program.stop()[0] == 0
    assert "tap0" in namespace.links()


def test_every_option_of_the_link_is_obeyed(namespace: Namespace) -> None:
    need("ping", "ip")
    options = "--tap lab7 --address 172.20.5.9/28 --host-address 172.20.5.1/28 --mac 02:00:00:00:00:77 --mtu 900"
    with up(namespace, *options.split(), "--services", "echo=7007") as program:
        assert program.wait_for(b"ready").startswith("ready: 172.20.5.9 on lab7 (02:00:00:00:00:77), offload ")
        namespace.run("ping", "-q", "-c", "1", "-s", "3000", "172.20.5.9")
        assert "172.20.5.1/28 brd 172.20.5.15" in namespace.ip("-o", "addr", "show", "lab7")
        assert " mtu 900 " in namespace.ip("link", "show", "lab7")
        assert "02:00:00:00:00:77" in namespace.ip("neigh")
        with namespace.socket(socket.SOCK_STREAM) as client:
            client.connect(("172.20.5.9", 7007))
        with namespace.socket(socket.SOCK_STREAM) as client, pytest.raises(ConnectionRefusedError):
            client.connect(("172.20.5.9", 80))


def test_the_host_address_can_be_left_alone(namespace: Namespace) -> None:
    with up(namespace, "--host-address", "none"):
        assert namespace.ip("-o", "-4", "addr", "show", "tap0") == ""


def test_a_tap_in_use_is_refused(namespace: Namespace) -> None:
    with up(namespace):
        words = ["--address", "10.8.0.2/24"]  # the address is another, the TAP the same
        assert "another program is using this TAP" in refusal(namespace.command(*COMMAND, "up", *words))


def test_the_name_of_another_kind_of_interface_is_refused(namespace: Namespace) -> None:
    namespace.ip("link", "add", "tap0", "type", "bridge")
    assert "not a TAP" in refusal(namespace.command(*COMMAND, "up"))


def test_on_a_bridge_an_address_of_its_network_is_welcome(namespace: Namespace) -> None:
    need("ip", "ping")
    for words in (
        ["link", "add", "br0", "type", "bridge"],
        ["addr", "add", "10.9.0.1/24", "dev", "br0"],
        ["tuntap", "add", "mode", "tap", "tap0"],
        ["link", "set", "tap0", "master", "br0", "up"],
        ["link", "set", "br0", "up"],
    ):
        namespace.ip(*words)
    with namespace.start(*COMMAND, "up", *modes.up_options(), "--host-address", "none") as program:
        program.wait_for(b"ready: ")
        namespace.run("ping", "-q", "-c", "1", "10.9.0.2")
        assert program.stop()[0] == 0


@pytest.fixture
def neighbour(namespace: Namespace) -> None:
    """Another interface of the kernel's, with an address in the network we want."""
    namespace.ip("tuntap", "add", "mode", "tap", "other")
    namespace.ip("addr", "add", "10.9.0.200/25", "dev", "other")


@pytest.mark.usefixtures("neighbour")
def test_a_network_that_is_taken_is_refused(namespace: Namespace) -> None:
    said = refusal(namespace.command(*COMMAND, "up"))
    assert "--address: 10.9.0.0/24 overlaps the network of other (10.9.0.200/25)" in said
    assert "tap0" not in namespace.links()


@pytest.mark.usefixtures("neighbour")
def test_an_address_that_is_taken_is_refused(namespace: Namespace) -> None:
    said = refusal(namespace.command(*COMMAND, "up", "--address", "10.9.0.200/24"))
    assert "--address: 10.9.0.200 belongs to this machine, on other" in said


def test_without_privilege_up_says_what_it_needs(namespace: Namespace) -> None:
    need("setpriv")
    limited = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-all"]
    said = refusal(namespace.command(*limited, *COMMAND, "up"))
    assert "CAP_NET_ADMIN" in said
    assert "tapstack lab" in said
    assert "--cap-add NET_ADMIN" in said


def without_node(*words: str) -> list[str]:
    """The command that runs `words` where there is no /dev/net/tun."""
    script = 'mount -t tmpfs tmpfs /dev/net && exec "$@"'
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", *words]


@pytest.mark.parametrize("program", ["up", "lab"])
def test_without_dev_net_tun_it_says_how_to_get_it(namespace: Namespace, program: str) -> None:
    need("unshare", "mount")
    said = refusal(namespace.command(*without_node(*COMMAND, program)))
    assert "/dev/net/tun is missing" in said
    assert "modprobe tun" in said
    assert "--device /dev/net/tun" in said


def test_a_capture_that_cannot_be_written_is_refused(namespace: Namespace) -> None:
    said = refusal(namespace.command(*COMMAND, "up", "--pcap", "/proc/no-such-file"))
    assert said == "tapstack up: --pcap: cannot write the capture /proc/no-such-file: No such file or directory\n"
    assert "tap0" not in namespace.links()
    said = refusal(namespace.command(*COMMAND, "up", "--trace=/proc/no-such-file"))
    assert said == "tapstack up: --trace: cannot write the trace /proc/no-such-file: No such file or directory\n"
    assert "tap0" not in namespace.links()


@pytest.mark.parametrize("words", [["up"], ["ping", "-c", "1", "10.9.0.1"]])
def test_when_the_output_cannot_be_written_one_line_says_so(namespace: Namespace, words: list[str]) -> None:
    with open("/dev/full", "w") as full:
        command = namespace.command(*COMMAND, *words)
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert done.stderr == f"tapstack {words[0]}: standard output cannot be written: No space left on device\n"


def test_a_bad_argument_is_refused_before_anything_is_touched(namespace: Namespace) -> None:
    done = subprocess.run(namespace.command(*COMMAND, "up", "--mtu", "1"), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "argument --mtu: the MTU of a TAP is 68 to 65521" in done.stderr
    assert "Traceback" not in done.stderr


# --- lab, as an ordinary user -----------------------------------------------------------------------------------------


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may write in; pytest's own are closed to others."""
    with tempfile.TemporaryDirectory(prefix="tapstack-test-") as name:
        os.chmod(name, 0o777)
        yield Path(name)


def lab(*words: str) -> list[str]:
    """`tapstack lab WORDS` as an ordinary user."""
    return ordinary(*COMMAND, "lab", *words)


def in_lab(script: str, *options: str, status: int = 0) -> str:
    """The output of a shell script in a lab; its exit status must be this one."""
    command = lab(*options, "--", "sh", "-c", script)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL)
    assert READY.fullmatch(done.stderr.splitlines()[0]), done.stderr
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def test_a_user_fetches_the_page() -> None:
    need("curl")
    command = lab("--", "curl", "-sS", f"http://{OURS}/")
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.startswith("<!doctype html>")
    assert "10.9.0.2/24" in done.stdout
    assert done.stderr.count("\n") == 1


def test_a_user_takes_the_tour(open_folder: Path) -> None:
    need("ping", "nc", "tcpdump", "id")
    said = in_lab(
        f"""id -u; cd {open_folder}
        tcpdump -n -l -i tap0 -c 2 icmp >dump 2>log &
        until grep -q listening log; do :; done
        ping -q -c 1 {OURS}
        wait
        cat dump
        echo hello | nc -N -w 5 {OURS} 7
        """
    )
    lines = said.splitlines()
    assert lines[0] == str(UID if os.geteuid() == 0 else os.geteuid())
    assert any(line.startswith("1 packets transmitted, 1 received, 0% packet loss") for line in lines)
    assert any("IP 10.9.0.1 > 10.9.0.2: ICMP echo request" in line for line in lines)
    assert any("IP 10.9.0.2 > 10.9.0.1: ICMP echo reply" in line for line in lines)
    assert lines[-1] == "hello"


def test_the_kernel_speaks_no_ipv6_in_a_lab() -> None:
    assert in_lab("cat /proc/sys/net/ipv6/conf/tap0/disable_ipv6 2>/dev/null || echo 1") == "1\n"


@pytest.mark.parametrize(("script", "status"), [("exit 7", 7), ("kill -KILL $$", 137), ("kill -INT $$", 130)])
def test_a_lab_ends_with_the_commands_status(script: str, status: int) -> None:
    in_lab(script, status=status)


@pytest.mark.parametrize("privileged", [False, True], ids=["user", "root"])
def test_a_second_terminal_enters_a_lab(privileged: bool) -> None:
    """The third line of the lab is the command. What is started there may use tcpdump, as in the lab itself.

    The lab's shell has a terminal on which nothing is typed, and which does not end: at the end of its own
    input script(1) types ^D, and the shell would leave, sooner or later.
    """
    need("nc", "ip", "tcpdump", "script")
    script = f"""mkfifo typed && exec 3<>typed
        script -qfc '{shlex.join([*COMMAND, "lab", *modes.up_options()])}' /dev/null >said <&3 &
        until grep -q 'a second terminal' said; do sleep 0.1; done
        enter=$(sed -n 's/.*enters it with  //p' said | tr -d '\r')
        $enter -- sh -c 'id -u; ip -br addr show tap0; echo hello | nc -N -w 5 {OURS} 7
            tcpdump -n -i tap0 -c 1 2>&1 & sleep 1; ping -q -c 1 {OURS}; wait'
        $enter -- no-such-command; echo $?
        kill $(echo $enter | sed 's/.* //')
        wait
        $enter; echo $?
    """
    script = f"cd $(mktemp -d); {script}"
    command = ["sh", "-c", script]
    if not privileged:
        command = ordinary(*command)
    else:
        need_root()
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.stdout.startswith("0" if privileged else str(UID if os.geteuid() == 0 else os.geteuid()))
    for expected in ("10.9.0.1/24", "\nhello\n", "listening on tap0", "1 packet captured", "1 received"):
        assert expected in done.stdout
    assert re.findall(r"^\d+$", done.stdout, re.MULTILINE)[-2:] == ["127", "1"]
    assert "there is no process" in done.stderr


def test_only_a_lab_can_be_entered() -> None:
    said = refusal([*COMMAND, "enter", str(os.getpid())])
    assert "is in your own network: it is not a lab" in said
    assert "'x' is not a valid process id: a whole number from 1 to 4194304" in refusal([*COMMAND, "enter", "x"], 2)


def test_a_lab_says_when_there_is_no_such_command() -> None:
    done = subprocess.run(lab("--", "no-such-command"), capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 127
    assert done.stderr.splitlines()[-1] == "tapstack lab: no-such-command: there is no such command"


def test_a_lab_leaves_no_log_when_there_is_nothing_to_say(open_folder: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(open_folder)}
    for options, logs in (((), 0), (("--trace",), 1)):
        command = lab(*options, "--", "ping", "-c", "1", OURS)
        subprocess.run(command, capture_output=True, check=True, timeout=60, env=environment)
        assert len(list(open_folder.glob("tapstack-lab-*.log"))) == logs
    assert "ICMP echo reply" in next(open_folder.glob("*.log")).read_text()


def test_a_lab_writes_a_trace(open_folder: Path) -> None:
    path = open_folder / "lab.sqlog"
    command = lab(f"--trace={path}", "--", "ping", "-c", "1", OURS)
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert "1 received" in done.stdout
    assert "lab: the host's output" not in done.stderr, "nothing is printed"
    with path.open("rb") as file:
        assert any(event.name == "host:done" for event in stack.read_trace(file))


def test_sigterm_ends_the_command_and_the_lab(open_folder: Path) -> None:
    need("tshark")
    capture = open_folder / "lab.pcapng"
    script = "ping -q -c 2 -i 0.01 10.9.0.2 && echo pinged $$ && exec sleep 1000"
    with Program(lab("--pcap", str(capture), "--", "sh", "-c", script)) as program:
        child = int(program.wait_for(b"pinged").split()[1])
        status, _, errors = program.stop(signal.SIGTERM)
        assert status == 128 + signal.SIGTERM
        assert b"Traceback" not in errors
        assert not Path(f"/proc/{child}").exists()
    command = ["tshark", "-n", "-r", str(capture), "-Y", "icmp", "-T", "fields", "-e", "icmp.type"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() == ["8", "0"] * 2


def test_a_lab_that_is_killed_takes_the_command_with_it(open_folder: Path) -> None:
    """A lab's command without its host is in a network where nothing answers; and an empty log is of no use."""

    def runs(process: int) -> bool:
        try:
            return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except FileNotFoundError:
            return False

    environment = {**os.environ, "TMPDIR": str(open_folder)}
    script = "trap '' HUP INT TERM; echo running $$; while :; do read -t 100 x; done"
    with Program(lab("--", "bash", "-c", script), env=environment, stdin=subprocess.PIPE) as program:
        child = int(program.wait_for(b"running").split()[1])
        assert runs(child)
        program.process.kill()
        program.process.wait(20)
        wait_until(lambda: not runs(child), "the command has ended, too")
    assert list(open_folder.iterdir()) == []


def test_the_keyboard_belongs_to_the_command() -> None:
    """In a terminal: interrupt ends what runs in the shell, and neither the host nor the lab."""
    need("bash", "ping", "setsid")
    master, slave = pty.openpty()
    environment = {**os.environ, "SHELL": "/bin/bash", "PS1": "$ ", "HISTFILE": ""}
    # setsid(1) makes the terminal that of a new session.
    command = ["setsid", "--ctty", "--wait", *lab()]
    program = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment)
    os.close(slave)
    screen = Screen(master)
    try:
        screen.wait_for("this shell is the kernel's side")
        screen.type("ping -i 0.2 10.9.0.2\n")
        screen.wait_for("icmp_seq=2 ")
        screen.type("\x03")
        screen.wait_for("ping statistics")
        screen.type("ping -c 1 10.9.0.2; echo sta''tus $?\n")
        screen.wait_for("status 0")
        screen.type("exit 3\n")
        assert program.wait(20) == 3
    finally:
        os.close(master)  # which hangs up on the programs that are left
        program.wait(20)


class Screen:
    """The keyboard and the screen of a terminal."""

    def __init__(self, master: int) -> None:
        self.master = master
        self.seen = ""

    def type(self, text: str) -> None:
        """Press these keys."""
        os.write(self.master, text.encode())

    def wait_for(self, text: str) -> None:
        """Read until this is shown."""

        def shown() -> bool:
            if select.select([self.master], [], [], 0)[0]:
                self.seen += os.read(self.master, 65536).decode(errors="replace")
            return text in self.seen

        try:
            wait_until(shown, text)
        except OSError:
            pytest.fail(f"the terminal was closed before {text!r}: {self.seen}")
        self.seen = self.seen.partition(text)[2]


def test_where_user_namespaces_are_switched_off_a_lab_says_so() -> None:
    """The switch is one of the namespace around, so that it can be turned without touching the machine."""
    need_root()
    need("unshare", "setpriv")
    script = 'echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-all --inh-caps=-all "$@"'
    command = ["unshare", "--user", "--map-root-user", "sh", "-c", script, "sh", *COMMAND, "lab", "--", "true"]
    said = refusal(command)
    assert "user namespaces are switched off" in said
    assert "user.max_user_namespaces" in said


def test_a_closed_node_is_named_with_its_remedy() -> None:
    need_root()
    need("setpriv", "unshare", "mount")
    closing = "mount -t tmpfs -o dev tmpfs /dev/net && mknod -m 0600 /dev/net/tun c 10 200"
    command = ordinary(*COMMAND, "lab", "--", "true")
    command[-1] = command[-1].replace("exec setpriv", f"{closing}\nexec setpriv", 1)
    said = refusal(command)
    assert "/dev/net/tun may not be opened by you" in said
    assert "chmod 0666 /dev/net/tun" in said


def test_root_may_have_a_lab_too() -> None:
    need_root()
    need("curl")
    done = subprocess.run([*COMMAND, "lab", "--", "curl", "-sS", f"http://{OURS}/"], capture_output=True, check=True)
    assert done.stdout.startswith(b"<!doctype html>")
