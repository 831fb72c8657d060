"""Geometry, not incidents: places, and later numbering, grids, levels, importers, drawing and printing.

- `place`: a spot on a plan, as doors and responders name it.
"""

from floorplans.place import Place, spoken

__all__ = ["Place", "spoken"]
