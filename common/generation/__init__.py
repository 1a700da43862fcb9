"""Decode a model into candidate summaries on disk; an interrupted decoding resumes."""
