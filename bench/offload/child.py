"""One run in a process of its own: `python -m kithnet.bench.offload.child` reads a `Job` and prints an `Outcome`.

It enters its control group before anything large is imported.
"""

import json
import sys

from kithnet.bench.offload.cage import enter
from kithnet.bench.offload.job import Job


def main() -> int:
    """Exit status 0 with an outcome on stdout, 1 with a KithnetError's message there."""
    job = Job(**json.loads(sys.stdin.read()))
    if job.cage:
        enter(job.cage)
    from kithnet.bench.offload.running import run
    from kithnet.runtime.errors import KithnetError

    try:
        print(json.dumps(run(job)))
    except KithnetError as error:
        print(json.dumps({"error": error.message}))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
