"""The picture the course uses throughout: pages, VMOs, mappings and processes."""

from magmem.pictures.pages import PagePicture, picture

__all__ = ["PagePicture", "picture"]
