"""Blending: several members' texts for a dialogue in, one text out."""
