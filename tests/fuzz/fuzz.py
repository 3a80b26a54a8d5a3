"""Fuzz the sources with atheris: `fuzz.py packets|scripts SECONDS`; `make fuzz` calls it for both.

The corpus grows in build/fuzz, from what the captures give; an input that breaks something is left
there, too, and libFuzzer says under which name.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PLACE = ROOT / "build" / "fuzz"
MEMORY = 2048  # MiB
LONGEST = {"packets": 400, "scripts": 6_000}  # octets of an input
SLOWEST = 20  # seconds for one of them

# The sources, not what is compiled of them: instrumented, they tell which ways an input went.
sys.path[:0] = [str(ROOT / "spec"), str(ROOT / "model")]


def main() -> None:
    """Run until the time is up or something breaks."""
    try:
        import atheris
    except ImportError:
        sys.exit("mptcp: fuzzing needs atheris; pip install atheris, where there is one for this Python")
    kind, seconds = sys.argv[1], int(sys.argv[2])
    with atheris.instrument_imports(include=["mptcp"]):
        import mptcp.host
    from mptcp_model.fuzzing import try_packet, try_script, write_corpus

    assert mptcp.build() == "interpreted"
    write_corpus(ROOT / "tests" / "traces", PLACE / "packets", PLACE / "scripts")
    options = [f"-max_total_time={seconds}", f"-max_len={LONGEST[kind]}", f"-timeout={SLOWEST}"]
    options += [f"-rss_limit_mb={MEMORY}", f"-artifact_prefix={PLACE}/found-in-{kind}-", str(PLACE / kind)]
    atheris.Setup([sys.argv[0], *options], {"packets": try_packet, "scripts": try_script}[kind])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
