"""Run a command: `python -m common COMMAND`."""

from common.cli import main

if __name__ == "__main__":
    main()
