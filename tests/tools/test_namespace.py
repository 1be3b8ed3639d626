"""The message on a machine that forbids namespaces: the reason, and what to do."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tools import cli, namespace

FORBIDDEN = OSError(errno.EPERM, os.strerror(errno.EPERM))


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder in which the settings of a machine that forbids nothing can be written."""
    bans = {str(tmp_path / Path(path).name): ban for path, ban in namespace.BANS.items()}
    monkeypatch.setattr(namespace, "BANS", bans)
    monkeypatch.setattr(namespace, "CONTAINER_MARKS", (str(tmp_path / "dockerenv"),))
    return tmp_path


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("apparmor_restrict_unprivileged_userns", "1", "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"),
        ("unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged_userns_clone=1"),
        ("max_user_namespaces", "0", "sysctl -w user.max_user_namespaces="),
    ],
)
def test_a_forbidding_setting_is_named_with_its_remedy(machine: Path, setting: str, value: str, said: str) -> None:
    (machine / setting).write_text("7\n")
    assert said not in namespace.why_forbidden(FORBIDDEN)
    (machine / setting).write_text(f"{value}\n")
    assert said in namespace.why_forbidden(FORBIDDEN)


def test_the_message_in_a_container_says_how_to_start_it(machine: Path) -> None:
    (machine / "dockerenv").touch()
    assert "--device /dev/net/tun --cap-add NET_ADMIN" in namespace.why_forbidden(FORBIDDEN)


@pytest.mark.usefixtures("machine")
def test_without_a_known_reason_the_message_has_the_errno_text() -> None:
    assert os.strerror(errno.EPERM) in namespace.why_forbidden(FORBIDDEN)
    assert "the limit on user namespaces is reached" in namespace.why_forbidden(OSError(errno.ENOSPC, "full"))


def test_a_setting_that_every_kernel_has_exists() -> None:
    """The path of the one setting that every kernel has is right."""
    assert "/proc/sys/user/max_user_namespaces" in namespace.BANS
    assert Path("/proc/sys/user/max_user_namespaces").exists()


def test_capabilities_are_read_from_the_kernel() -> None:
    if os.geteuid() == 0:
        assert namespace.has_capability(namespace.CAP_NET_ADMIN)
    assert not namespace.has_capability(63)  # there is none of this number


@pytest.mark.parametrize("words", [["lab"], ["ping", "10.9.0.1"]], ids=["lab", "ping"])
def test_a_refused_user_gets_the_reason(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def enter() -> None:
        raise namespace.Forbidden("user namespaces are switched off")

    monkeypatch.setattr(namespace, "has_capability", lambda number: False)
    monkeypatch.setattr(namespace, "enter", enter)
    assert cli.main(words) == 1
    assert capsys.readouterr().err == f"tapstack {words[0]}: user namespaces are switched off\n"
