"""`--impair`: which values it accepts, how it refuses others, and that a seed repeats a run."""

from __future__ import annotations

import pytest

import stack
from tests.link.frames import Wire, drain, udp_frame
from tools import bad_wire, cli, options

FRAMES = [udp_frame(number.to_bytes(2, "big") * 30) for number in range(200)]


def parse(*words: str) -> options.Options:
    """The options of `tapstack lab WORDS`."""
    parser, parsers = cli.make_parser()
    return options.from_arguments(parser.parse_args(["lab", *words]), parsers["lab"])


def test_every_key_is_accepted() -> None:
    text = "loss=0.1,duplicate=5%,reorder=.25,corrupt=0.001,delay=20ms,jitter=1500us,seed=7"
    wire = bad_wire.bad_wire(text)
    assert wire.impairment == stack.Impairment(
        loss=0.1, duplicate=0.05, reorder=0.25, corrupt=0.001, delay_s=0.02, jitter_s=0.0015
    )
    assert (wire.seed, wire.text) == (7, text)
    assert bad_wire.bad_wire("delay=1.5s") == bad_wire.BadWire(stack.Impairment(delay_s=1.5), 0, "delay=1.5s")
    assert bad_wire.bad_wire("loss=100%").impairment.loss == 1


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "'' is not known: choose from loss, duplicate, reorder, corrupt, delay, jitter, seed, as in loss=0.1,"),
        ("bandwidth=3", "'bandwidth' is not known: choose from loss, "),
        ("los=0.1", "'los' is not known: did you mean loss?"),
        ("loss=0.1,", "'' is not known"),
        ("LOSS=0.1", "'LOSS' is not known"),
        ("loss", "loss has no value: write KEY=VALUE, as in loss=0.1,delay=20ms,seed=1"),
        ("delay=", "delay has no value"),
        ("loss=0.1,loss=0.2", "loss is given twice"),
        ("seed=1", "a seed alone changes nothing: add what is to go wrong"),
        *(
            (
                f"loss=0.1,corrupt={value}",
                f"corrupt={value} is not a probability: a number from 0 to 1, or from 0% to 100%",
            )
            for value in ("2", "-0.1", "101%", "nan", "1e-3", "x", "0.1ms", "0.1 ", "\u0661")
        ),
        *(
            (
                f"delay={value}",
                f"delay={value} is not a time: a number with its unit, us, ms or s, as in 20ms, and at most 60s",
            )
            for value in ("20", "-1ms", "61s", "20min", "ms", "infs", "20 ms")
        ),
        *(
            (f"loss=1,seed={value}", f"seed={value} is not a seed: a whole number from 0 to 999999999")
            for value in ("x", "-1", "1.5", "1000000000")
        ),
    ],
)
def test_each_mistake_has_its_message(text: str, rule: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse("--impair", text)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith(f"tapstack lab: argument --impair: {rule}")
    assert said.count("\n") == 1


def test_an_impaired_wire_has_no_offload(capsys: pytest.CaptureFixture[str]) -> None:
    """Losses should hit single segments, not super-frames of forty."""
    assert parse("--impair", "loss=0.1").offload is False
    assert parse("--impair", "loss=0.1", "--no-offload").offload is False
    for word in ("--offload", "--offload=checksum"):
        with pytest.raises(SystemExit):
            parse("--impair", "loss=0.1", word)
        assert "argument --impair: not with --offload: a bad wire carries single segments" in capsys.readouterr().err


def passed(text: str) -> list[bytes]:
    """What comes through a wire as `--impair` makes it, of the frames from the kernel and then of those to it."""
    wire = Wire(FRAMES)
    chosen = parse("--impair", text).impair
    assert chosen is not None
    link = chosen.wrap(wire)  # type: ignore[arg-type]
    link.open(lambda: None)
    got = drain(link)
    for frame in FRAMES:
        link.write([frame], 0.0)
    return [*got, *(frame for _, frame in wire.sent)]


def test_a_seed_repeats_the_impairment() -> None:
    assert passed("loss=0.3,seed=5") == passed("loss=0.3,seed=5") != passed("loss=0.3,seed=6")
    assert len(passed("loss=0.3")) < 2 * len(FRAMES)


def test_the_summary_of_the_wire_is_one_line() -> None:
    link = stack.Impaired(stack.Ethernet().attach(), outgoing=stack.Impairment(loss=1))
    assert bad_wire.summary(link) == "impaired: to the kernel 0 frames; from it 0 frames"
    link.open(lambda: None)
    link.write([FRAMES[0]], 0.0)
    assert bad_wire.summary(link) == "impaired: to the kernel 1 frame, 1 lost; from it 0 frames"
    link.incoming.frames, link.incoming.queue_dropped = 3, 2
    assert bad_wire.summary(link).endswith("from it 3 frames, 2 dropped by a full queue")
