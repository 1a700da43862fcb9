"""Check the stages that the argument lists as JSON (`python -m common.runs.start_planned JSON`); see `common.runs.planned`."""

import json
import sys

from common.core.errors import UserError
from common.runs.planned import Planned
from common.runs.start import check_start


def main() -> None:
    """Check the stages that the argument lists; print the first error on stderr."""
    for values in json.loads(sys.argv[1]):
        one = Planned(**values)
        try:
            check_start(
                one.stage, one.experiment, one.arguments, processes=one.processes, trained=one.trained
            )
        except UserError as error:
            print(f"{one.name}: {error}", file=sys.stderr)  # noqa: T201
            sys.exit(1)


if __name__ == "__main__":
    main()
