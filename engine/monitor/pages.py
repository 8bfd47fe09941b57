"""The page and its languages, out of the package's own files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

FOLDER = Path(__file__).with_name("page")
LANGUAGES = Path(__file__).with_name("languages")
LOGIN = FOLDER / "login.html"


def languages() -> dict[str, dict[str, Any]]:
    """Language code to texts: every JSON file of the folder is a language."""
    return {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(LANGUAGES.glob("*.json"))
    }


def add_pages(app: FastAPI) -> None:
    """Add the pages, their files and texts."""
    texts = languages()

    @app.get("/", include_in_schema=False)
    def live() -> FileResponse:
        return FileResponse(FOLDER / "live.html")

    @app.get("/history", include_in_schema=False)
    def history() -> FileResponse:
        return FileResponse(FOLDER / "history.html")

    @app.get("/languages", include_in_schema=False)
    def all_languages() -> dict[str, dict[str, Any]]:
        return texts

    app.mount("/static", StaticFiles(directory=FOLDER), name="static")
