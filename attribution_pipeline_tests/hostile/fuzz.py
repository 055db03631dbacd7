"""``make fuzz``: every target with as many inputs as wanted, each target in a process that may die.

By atheris where it is there (``build/atheris``), which looks for inputs that reach new code; else by
seeded mutations alone. A finding is kept as a file that ``--replay`` gives to its target again.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import random
import subprocess
import sys
import time
from pathlib import Path

HANG_S = 30
"""One input: the slowest honest one takes milliseconds."""
FOUND = Path("build/fuzz")


def main() -> int:
    """Status 1 where there is a finding."""
    arguments = _arguments()
    if arguments.replay:
        from attribution_pipeline_tests.hostile.targets import TARGETS

        TARGETS[arguments.target[0]].run(Path(arguments.replay).read_bytes())
        return 0
    if arguments.alone:
        return _one(arguments.target[0], arguments.inputs, arguments.seed, arguments.engine)
    from attribution_pipeline_tests.hostile.targets import TARGETS

    failed = []
    for name in arguments.target or TARGETS:
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "attribution_pipeline_tests.hostile.fuzz", "--alone", "--target", name,
             "--inputs", str(arguments.inputs), "--seed", str(arguments.seed),
             "--engine", arguments.engine],
            capture_output=True, text=True,
        )  # fmt: skip
        word = "ok" if done.returncode == 0 else "FOUND"
        print(
            f"{name:16} {arguments.inputs:>9,} inputs  {time.monotonic() - began:7.1f} s  {word}",
            flush=True,
        )
        if done.returncode:
            failed.append(name)
            print(done.stderr[-3_000:])
    return 1 if failed else 0


def _one(name: str, inputs: int, seed: int, engine: str) -> int:
    if engine == "atheris":
        return _by_atheris(name, inputs, seed)
    from attribution_pipeline_tests.hostile.mutations import mutate
    from attribution_pipeline_tests.hostile.targets import TARGETS

    target = TARGETS[name]
    seeds = target.seeds()
    folder = FOUND / name
    folder.mkdir(parents=True, exist_ok=True)
    current = folder / "current"
    for data in seeds:
        target.run(data)
    rng = random.Random(f"{name}/{seed}")
    for number in range(inputs):
        data = mutate(rng, seeds)
        current.write_bytes(data)  # a parser that dies leaves it behind
        faulthandler.dump_traceback_later(HANG_S, exit=True)
        try:
            target.run(data)
        except BaseException:
            current.rename(folder / f"finding-{seed}-{number}")
            raise
    faulthandler.cancel_dump_traceback_later()
    current.unlink(missing_ok=True)
    return 0


def _by_atheris(name: str, inputs: int, seed: int) -> int:
    import atheris  # type: ignore[import-not-found]

    with atheris.instrument_imports(include=["attribution_pipeline"]):
        from attribution_pipeline_tests.hostile.targets import TARGETS
    target = TARGETS[name]
    corpus = FOUND / name / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(target.seeds()):
        (corpus / f"seed-{number}").write_bytes(data)
    os.environ.setdefault("PYTHONMALLOC", "malloc")
    atheris.Setup(
        [name, f"-runs={inputs}", f"-seed={seed}", "-max_len=65536", f"-timeout={HANG_S}",
         "-rss_limit_mb=4096", f"-artifact_prefix={FOUND / name}/finding-", "-verbosity=0", str(corpus)],
        target.run,
    )  # fmt: skip
    atheris.Fuzz()  # ends the process
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", action="append", default=[])
    parser.add_argument("--engine", choices=("atheris", "mutations"), default="mutations")
    parser.add_argument("--replay", help="a finding's file; needs --target")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
