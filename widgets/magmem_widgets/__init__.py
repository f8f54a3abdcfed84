"""Explorers for JupyterLab, each a class with one screen (see the changelog for what is there)."""

__all__: list[str] = []
