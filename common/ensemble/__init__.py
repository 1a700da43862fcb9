"""Choose one summary for each dialogue from the candidates of several runs."""
