"""Run one agent of a W&B sweep, as `wandb agent` does: python -m common.sweep.wandb_agent ENTITY/PROJECT/SWEEP COUNT."""

import socket
import sys

from common.core.launch import end_with_parent
from common.runs import wandb_mode


def main(path: str, count: int) -> None:
    """Run trials one after the other until `count` have ended, or W&B has no more.

    A signal goes on to the running trial, which saves its state; the agent waits for it.
    """
    wandb = wandb_mode.wandb()
    # The agent would send the host's name, which nobody needs there.
    socket.gethostname = lambda: "agent"
    wandb.agent(path, count=count, forward_signals=True)


if __name__ == "__main__":
    end_with_parent()
    main(sys.argv[1], int(sys.argv[2]))
