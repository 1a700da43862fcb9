"""Import packages that are slow or may crash, and print what each can do as a JSON line.

`make doctor` runs this file as a script of its own: a crash of a package then is a finding, not the end of the command.
"""

import json
import sys
import warnings
from importlib import import_module
from typing import Any


def _torch() -> dict[str, Any]:
    torch = import_module("torch")
    gpus: list[dict[str, Any]] = []
    for number in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        with torch.cuda.device(number):
            free, total = torch.cuda.mem_get_info()
            gpu = {"name": torch.cuda.get_device_name(number), "free": free, "total": total, "error": ""}
            try:
                gpu["bf16"] = bool(torch.cuda.is_bf16_supported(including_emulation=False))
                float((torch.ones(8, 8, device="cuda") @ torch.ones(8, 8, device="cuda")).sum())
            except RuntimeError as error:  # for example a GPU that this build has no code for
                gpu["error"] = _line(error)
            gpus.append(gpu)
    return {"version": torch.__version__, "cuda": torch.version.cuda, "gpus": gpus}


def _bitsandbytes() -> dict[str, Any]:
    torch, functional = import_module("torch"), import_module("bitsandbytes.functional")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    packed, state = functional.quantize_4bit(torch.ones(64, 64, device=device), quant_type="nf4")
    if not bool((functional.dequantize_4bit(packed, state) == 1).all()):
        raise RuntimeError("4-bit weights do not keep their values")
    return {"device": device}


def _line(error: BaseException) -> str:
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {text}"[:300]


def main() -> None:
    """Print a line for each module named on the command line, in that order."""
    for name in sys.argv[1:]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                known = {"torch": _torch, "bitsandbytes": _bitsandbytes}
                found = known[name]() if name in known else {"module": import_module(name).__name__}
            except ModuleNotFoundError as error:
                found = {"missing": error.name or name}
            except Exception as error:
                found = {"error": _line(error)}
        told = [str(warning.message).splitlines()[0] for warning in caught if "CUDA" in str(warning.message)]
        sys.__stdout__.write(json.dumps({"name": name, **found, "warnings": told}) + "\n")  # type: ignore[union-attr]
        sys.__stdout__.flush()  # type: ignore[union-attr]


if __name__ == "__main__":
    main()
