"""Run a command: `python -m common COMMAND`."""

from common.core import signals

if __name__ == "__main__":
    signals.leave_at_once()
    from common.cli import main  # after the signal handlers, because it takes longer

    main()
