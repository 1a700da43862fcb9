"""Train a model on rows and save its best checkpoint; an interrupted training resumes."""
