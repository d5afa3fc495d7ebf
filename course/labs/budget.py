"""How long a lab trains, and the bars that its results must clear.

The environment variable COURSE_REDUCED=1 asks for a run that only shows that every cell works: a fiftieth of the steps,
no bars.
"""

import json
import math
import os


def reduced() -> bool:
    """Say whether this run is reduced."""
    return os.environ.get("COURSE_REDUCED", "") not in ("", "0")


def steps(full: int) -> int:
    """Return the number of training steps to take: full, or a fiftieth of it (at least 20) in a reduced run."""
    return max(20, full // 50) if reduced() else full


def seed_of_run() -> int:
    """Return the seed of this run: 0, or what the environment variable COURSE_SEED says."""
    return int(os.environ.get("COURSE_SEED", "0"))


def bar(name: str, value: float, *, above: float = -math.inf, below: float = math.inf) -> None:
    """Print whether a trained model's number clears its bar; raise AssertionError if it does not.

    A number that is not finite clears no bar. A reduced run prints the number and asserts nothing, since its models are not
    trained. The environment variable COURSE_BARS names a file to which every number is added, one JSON object a line, and
    then asserts nothing either: that is how the benchmark measures what the bars may ask for.
    """
    if file := os.environ.get("COURSE_BARS"):
        with open(file, "a", encoding="utf-8") as lines:
            lines.write(json.dumps({"seed": seed_of_run(), "name": name, "value": value}) + "\n")
        return
    wanted = " and ".join(
        f"{word} {limit:g}" for word, limit in (("above", above), ("below", below)) if math.isfinite(limit)
    )
    if reduced():
        print(f"- {name}: {value:.3g} (wanted: {wanted}; not asserted in a reduced run)")
        return
    if not math.isfinite(value) or not above < value < below:
        raise AssertionError(f"{name} is {value:.3g}; every seed that the benchmark tried gave a number {wanted}.")
    print(f"✓ {name}: {value:.3g} ({wanted})")
