"""Blending: choose one text per dialogue from the texts of several members."""
