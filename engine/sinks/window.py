"""Annotated pictures in a window."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from ..errors import BackendUnavailable
from ..types import Image
from .base import PictureSink

TITLE = "fer-edge"
INSTALL = "no window toolkit: pip install 'fer-edge[gui]'"
# Drivers of SDL: of a screen without a window system, and of none at all.
CONSOLE = "kmsdrm"
NOWHERE = frozenset({"offscreen", "dummy", "evdev"})
NO_SCREEN = "no screen to open a window on; leave --show out or set DISPLAY"


def open_window(on_quit: Callable[[], None]) -> PictureSink:
    """A window from pygame, or from OpenCV where its build has one.

    Args:
        on_quit: called when the user presses q or closes the window.

    Raises:
        BackendUnavailable: neither toolkit is there, or no screen.
    """
    try:
        return PygameWindow(on_quit)
    except ImportError as missing:
        if isinstance(missing, BackendUnavailable):
            raise
        if _opencv_has_windows():
            return OpenCVWindow(on_quit)
        raise BackendUnavailable(INSTALL) from missing


class PygameWindow(PictureSink):
    """A window of pygame-ce; q, Escape or its close button quits."""

    def __init__(self, on_quit: Callable[[], None]) -> None:
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        asked = "SDL_VIDEODRIVER" in os.environ
        if sys.platform == "linux" and not {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys():
            # A console may have a screen by itself; looking for others writes to standard error.
            os.environ.setdefault("SDL_VIDEODRIVER", CONSOLE)
        import pygame

        self._pygame: Any = pygame
        self._on_quit = on_quit
        try:
            pygame.display.init()
            pygame.display.set_caption(TITLE)
        except pygame.error as error:
            raise BackendUnavailable(f"{NO_SCREEN} ({error})") from error
        # Where it finds no screen, SDL draws to nowhere and says nothing.
        if not asked and (driver := pygame.display.get_driver()) in NOWHERE:
            pygame.display.quit()
            raise BackendUnavailable(f"{NO_SCREEN} (SDL has {driver} alone)")
        self._surface: Any = None

    def show(self, image: Image, time_s: float) -> None:
        """Show one picture and look at the keys; see `PictureSink.show`."""
        pygame = self._pygame
        size = (image.shape[1], image.shape[0])
        if self._surface is None or self._surface.get_size() != size:
            try:
                self._surface = pygame.display.set_mode(size, pygame.SHOWN)
            except pygame.error as error:
                raise BackendUnavailable(f"{NO_SCREEN} ({error})") from error
        # pygame.surfarray wants (width, height, rgb).
        pygame.surfarray.blit_array(self._surface, np.swapaxes(image[..., ::-1], 0, 1))
        pygame.display.flip()
        for event in pygame.event.get():
            pressed = event.type == pygame.KEYDOWN and event.key in (pygame.K_q, pygame.K_ESCAPE)
            if event.type == pygame.QUIT or pressed:
                self._on_quit()

    def finish(self, complete: bool) -> None:
        """Close the window; see `Sink.finish`."""
        self._pygame.display.quit()


class OpenCVWindow(PictureSink):
    """A window of a full OpenCV build; q or Escape quits."""

    def __init__(self, on_quit: Callable[[], None]) -> None:
        self._on_quit = on_quit

    def show(self, image: Image, time_s: float) -> None:
        """Show one picture and look at the keys; see `PictureSink.show`."""
        cv2.imshow(TITLE, image)
        if cv2.waitKey(1) & 0xFF in (ord("q"), 27):
            self._on_quit()

    def finish(self, complete: bool) -> None:
        """Close the window; see `Sink.finish`."""
        cv2.destroyAllWindows()


def _opencv_has_windows() -> bool:
    gui = [line for line in cv2.getBuildInformation().splitlines() if "GUI:" in line]
    return bool(gui) and "NONE" not in gui[0]
