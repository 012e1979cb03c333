"""The live page: a Starlette application that reads the store and the live broadcast only."""

from latemiles.web.app import create_app
from latemiles.web.broadcast import LiveBoard, LiveBroadcast, LivePage
from latemiles.web.server import serve
from latemiles.web.view_model import LiveView

__all__ = ["LiveBoard", "LiveBroadcast", "LivePage", "LiveView", "create_app", "serve"]
