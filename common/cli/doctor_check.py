"""Define what `make doctor` finds about one thing, and run a check that may itself fail."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from common.core.errors import UserError, first_line
from common.core.messages import printable

INSTALL = ".venv/bin/pip install -c constraints.txt -e '.[{}]'"
"""The command that installs extras of this package into the environment of `make setup`."""


@dataclass(frozen=True)
class Check:
    """The state of one thing."""

    name: str
    status: Literal["ok", "missing", "wrong"]
    found: str
    """What is there, without any secret."""
    fix: str = ""
    """The command or step that fixes it; "" when nothing has to be done."""
    needed: bool = False
    """Whether training, inference or submission fails without it, also on a CPU without a network."""

    @property
    def stops(self) -> bool:
        """Whether the usual commands cannot work until this is fixed."""
        return self.needed and self.status != "ok"


def guarded(
    name: str, checks: Callable[[], Iterable[Check]], fix: str = "make setup", *, needed: bool = True
) -> list[Check]:
    """Return the checks, or one that is "wrong" with the reason when they cannot be made."""
    try:
        return list(checks())
    except UserError as error:
        return [Check(name, "wrong", " ".join(str(error).split()), "", needed)]
    except ModuleNotFoundError as error:
        return [Check(name, "missing", f"the package {error.name} is not installed", fix, needed)]
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        found = f"cannot be checked ({type(error).__name__}: {first_line(error)})"
        return [Check(name, "wrong", printable(found), fix, needed)]
