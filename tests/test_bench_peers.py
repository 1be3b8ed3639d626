"""The other stacks of `scripts/bench --peers`: what is missing is told in a line, and what is built is kept."""

from __future__ import annotations

import argparse
import json
import stat
from pathlib import Path

import pytest

from scripts.measuring import __main__ as bench
from scripts.measuring import peers
from scripts.measuring.client import Ports


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """XDG_CACHE_HOME is an empty folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tapstack" / "peers"


@pytest.fixture
def compilers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """PATH is a folder with a go and a gcc that log their words and make what -o names; lwIP is there, too."""
    folder = tmp_path / "bin"
    folder.mkdir()
    lines = ["#!/bin/sh", 'echo "$@" >>"${0%/*}/calls"', 'while [ "$1" != -o ]; do shift; done', 'echo made >"$2"']
    for name in ("go", "gcc"):
        (folder / name).write_text("\n".join(lines) + "\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    endpoint, lwip = tmp_path / "endpoint.go", tmp_path / "tcp.h"
    endpoint.write_text("package fdbased\n" + peers.SOCKETS_ONLY + "\n")
    lwip.touch()
    monkeypatch.setattr(peers, "FDBASED", endpoint)
    for name, need in (("gvisor", endpoint), ("lwip", lwip)):
        compiler = peers.PEERS[name].needs[0]
        known = peers.PEERS[name]
        there = peers.Peer(known.source, (compiler, (str(need), "a-library")), known.build, known.columns)
        monkeypatch.setitem(peers.PEERS, name, there)
    return folder


def calls(compilers: Path) -> list[str]:
    """What the compilers were told, a line a call."""
    return (compilers / "calls").read_text().splitlines() if (compilers / "calls").exists() else []


def test_what_is_not_installed_is_told_in_one_line_with_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cache: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name, known in dict(peers.PEERS).items():
        needs = (known.needs[0], (str(tmp_path / "nothing"), known.needs[1][1]))
        monkeypatch.setitem(peers.PEERS, name, peers.Peer(known.source, needs, known.build, known.columns))
    monkeypatch.setattr("sys.argv", ["bench", "--peers", "--offloads", ""])
    with pytest.raises(SystemExit) as caught:
        bench.main()
    assert caught.value.code == (
        "scripts/bench: --peers: not installed: "
        "apt install --no-install-recommends golang-go golang-gvisor-gvisor-dev gcc liblwip-dev"
    )
    assert not cache.exists()


def test_a_peer_is_built_once_for_each_state_of_its_source(
    cache: Path, compilers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = peers.columns(["gvisor", "lwip"])
    assert [column.name for column in found] == ["gVisor TSO", "gVisor TSO again", "gVisor plain", "lwIP"]
    assert all(column.ports == Ports() and not column.http for column in found)
    assert [column.command[1:] for column in found if column.command] == [("-tso",), ("-tso",), (), ()]
    assert all(column.command and Path(column.command[0]).parent == cache for column in found)
    assert len(calls(compilers)) == 2
    assert peers.columns(["gvisor", "lwip"]) == found
    assert len(calls(compilers)) == 2
    sources = tmp_path / "peers"
    sources.mkdir()
    (sources / "lwip.c").write_text("other")
    monkeypatch.setattr(peers, "SOURCES", sources)
    assert peers.columns(["lwip"])[0].command != found[-1].command
    assert len(calls(compilers)) == 3
    assert {path.name.split("-")[0] for path in cache.iterdir()} == {"gvisor", "lwip"}  # no folder of a build


def test_tso_on_a_tap_is_one_condition_less_in_gvisors_link(compilers: Path, tmp_path: Path) -> None:
    command = peers.build_gvisor(tmp_path / "gvisor.go", tmp_path / "program")
    replaced = json.loads(Path(command[command.index("-overlay") + 1]).read_text())["Replace"]
    (patched,) = replaced.values()
    assert list(replaced) == [str(peers.FDBASED)]
    assert Path(patched).read_text() == "package fdbased\n" + peers.EVERYWHERE + "\n"


def test_another_version_of_gvisors_link_is_refused(compilers: Path, cache: Path) -> None:
    peers.FDBASED.write_text("package fdbased\n")
    with pytest.raises(peers.Missing, match="is of a version of gVisor that is not known here"):
        peers.columns(["gvisor"])
    assert not calls(compilers)


def test_a_compiler_that_fails_is_quoted_in_one_line(compilers: Path, cache: Path) -> None:
    (compilers / "gcc").write_text(
        "#!/bin/sh\nprintf 'In file\\nlwip.c:1: error: no such type\\nmore\\n' >&2\nexit 1\n"
    )
    with pytest.raises(peers.Missing) as caught:
        peers.columns(["lwip"])
    assert str(caught.value) == "lwip does not build: lwip.c:1: error: no such type"
    assert list(cache.iterdir()) == []


def test_a_folder_in_which_others_may_write_is_refused(cache: Path) -> None:
    assert peers.cache_folder() == cache
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    for folder in (cache, cache.parent):
        folder.chmod(0o777)
        with pytest.raises(peers.Missing, match=r"other users may write in .*/tapstack/peers"):
            peers.cache_folder()
        folder.chmod(0o700)


def test_a_relative_cache_folder_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert peers.cache_folder() == tmp_path / ".cache" / "tapstack" / "peers"


def test_a_cache_folder_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(peers.Missing, match=r"Not a directory .XDG_CACHE_HOME names another place"):
        peers.cache_folder()


def test_the_peers_are_chosen_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for words, names in (([], []), (["--peers"], ["gvisor", "lwip"]), (["--peers", "lwip"], ["lwip"])):
        monkeypatch.setattr("sys.argv", ["bench", *words, "--", "--cc", "newreno"])
        assert bench.arguments().peers == names
    with pytest.raises(argparse.ArgumentTypeError, match="'linux' is none of gvisor, lwip"):
        bench.peer_names("lwip,linux")


def test_the_second_instance_differs_in_its_name_alone() -> None:
    one = bench.tapstack("offload", Path("/"), [])
    assert (bench.again(one).name, bench.again(one).command) == ("offload again", one.command)
