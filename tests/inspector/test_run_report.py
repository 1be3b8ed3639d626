"""`--report FILE`: the last events of a run, written when it ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from trio.testing import MockClock

import stack
from tests.inspector.report_files import packed_log
from tests.inspector.served import served
from tests.tools.capture_files import tcp_frame
from tools import cli, options
from tools.inspector import run_report
from tools.inspector.report import About
from tools.inspector.run_report import RunReport, report_of


def event(n: int) -> stack.Event:
    """A frame with a password."""
    data: dict[str, object] = {"dir": "in", "link": "ethernet", "octets": tcp_frame(b"PASS secret\r\n", seq=1)}
    return stack.Event(n, n, n, "wire:frame", "tap0", n, "frame", data, ("own",))


def test_the_events_are_written_at_the_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "run.html"
    with RunReport(path, name="10.9.0.2", epoch_s=5.0) as report:
        assert path.read_bytes() == b"", "the file is made at once"
        report(event(1))
        report(event(2))
    assert report.error is None
    hello, events = packed_log(path.read_text())
    assert (hello["host"], hello["epoch_ms"], hello["lost"]) == ("10.9.0.2", 5000, 0)
    assert [told["n"] for told in events] == [1, 2]
    assert "what looks like a password" in capsys.readouterr().err


def test_what_is_no_longer_kept_is_told() -> None:
    recorder = stack.Recorder(max_events=3)
    for n in range(1, 11):
        recorder(event(n))
    document = report_of(recorder, About("host")).html().decode()
    hello, events = packed_log(document)
    assert hello["lost"] == 7
    assert [told["n"] for told in events] == [8, 9, 10]
    assert "7 older events are not in this report" in document


def test_a_link_is_refused_before_the_run(tmp_path: Path) -> None:
    link = tmp_path / "link.html"
    link.symlink_to(tmp_path / "other")
    with pytest.raises(OSError, match="cannot write the report") as caught:
        RunReport(link, name="host", epoch_s=0)
    assert caught.value.filename == str(link)
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    "words", [["--payload", "all"], ["--report", "FILE", "--pcap", "FILE"], ["--report", "FILE", "--trace=FILE"]]
)
def test_options_that_do_not_fit_are_refused(
    tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    parser, parsers = cli.make_parser("lab")
    named = [word.replace("FILE", str(tmp_path / "a")) for word in words]
    with pytest.raises(SystemExit):
        options.from_arguments(parser.parse_args(["lab", *named]), parsers["lab"])
    assert "only with --report" in (said := capsys.readouterr().err) or "not the FILE of" in said


async def test_the_page_gives_a_report_of_what_is_kept(autojump_clock: MockClock) -> None:
    async with served() as page:
        run_report.add(page.inspector)
        page.tell(3)
        page.host.tell("mark", text="</script><img src=x>")
        status, headers, body = await page.get("report.html")
    assert status == 200
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert "report.html" in headers["content-disposition"]
    _, events = packed_log(body.decode())
    marks = [told["data"]["text"] for told in events if told["name"].endswith("mark")]
    assert marks == ["mark 0", "mark 1", "mark 2", "</script><img src=x>"]
    assert b"<img" not in body
