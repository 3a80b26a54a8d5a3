"""All benchmarks, or those named: ``python tests/bench [NAME ...] [--json FILE] [--strict]``.

Each runs in a process of its own. The file has one object of the tables by name, and what machine it was.
With ``--strict`` a figure that is not what it should be fails.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from figures import write_json

import mptcp
from mptcp_stack.lab import SYSCTLS

HERE = Path(__file__).resolve().parent
PREFIX = "bench_"


def read_processor() -> str:
    """Its model, as the kernel calls it."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def describe_machine() -> dict[str, str]:
    """What figures depend on; no name of the machine."""
    control = Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text(encoding="utf-8").strip()
    return {
        "Processor": read_processor(),
        "Cores": str(len(os.sched_getaffinity(0))),
        "Kernel": platform.release().split("-")[0],
        "Python": platform.python_version(),
        "Build": mptcp.build(),
        "Congestion control": f"{SYSCTLS['net.ipv4.tcp_congestion_control']} in every namespace "
        f"(this kernel's own choice is {control})",
        "MTU": "1,500 octets",
        "Offloads": "as each row says; segmentation and checksums, or none",
    }


def main() -> None:
    """Run them one after the other."""
    names = [path.stem.removeprefix(PREFIX) for path in sorted(HERE.glob(f"{PREFIX}*.py"))]
    parser = argparse.ArgumentParser(prog="make bench ARGS=", description="Print how fast it is.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of: {', '.join(names)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="add the figures to this file")
    parser.add_argument("--strict", action="store_true", help="fail if one is not what it should be")
    options = parser.parse_args()
    for name in options.names:
        if name not in names:
            parser.error(f"there is no benchmark {name}")
    tables, failed = {}, []
    for name in options.names or names:
        print(f"==> {name}", flush=True)
        with tempfile.NamedTemporaryFile() as file:
            command = [sys.executable, str(HERE / f"{PREFIX}{name}.py"), "--json", file.name]
            if subprocess.run(command).returncode != 0:
                failed.append(name)
            else:
                tables[name] = json.load(file)
    if options.json is not None:
        before = json.loads(options.json.read_text(encoding="utf-8")) if options.json.exists() else {}
        whole = {"machine": describe_machine(), "tables": {**before.get("tables", {}), **tables}}
        write_json(options.json, whole)
    if options.strict:
        for name, table in tables.items():
            failed += [f"{name}: {one['name']}" for one in table["figures"] if one["met"] is False]
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
