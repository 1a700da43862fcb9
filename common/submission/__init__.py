"""Turn a blend into a validated CSV, record it in the ledger and show the leaderboard."""
