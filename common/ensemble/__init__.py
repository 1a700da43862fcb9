"""Blending: several members' texts for a dialogue in, one text out."""

from common.ensemble.mbr import mbr
from common.ensemble.vote import Choice, vote

__all__ = ["Choice", "mbr", "vote"]
