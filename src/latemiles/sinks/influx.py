"""InfluxDB 1.x, 2 and 3: rows as line protocol, posted by the client's synchronous API from our own loop.

The client's background batching is not used: it loses points without an exception when the token is wrong,
when an outage lasts, and when the process ends without ``close``. Here a batch is confirmed before the
cursor moves, and a line that the server will never take is found and set aside.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write.point import Point as LinePoint
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.domain.write_precision import WritePrecision
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from latemiles.errors import ConfigError
from latemiles.metrics.catalogue import COLUMN_INDEX
from latemiles.signals.events import RunReplaced, Stride
from latemiles.sinks.outbox import Rejected, Row, SinkError, SinkRefused, SinkUnavailable
from latemiles.sinks.points import Point, points
from latemiles.sinks.secrets import Secret

__all__ = ["InfluxSettings", "InfluxSink", "line"]

log = logging.getLogger(__name__)

_BAD_LINE: Final = (400, 413, 422)
"""Answers that are about the lines themselves; sending them again unchanged is of no use."""
_LATER: Final = (408, 425, 429)
"""Answers below 500 that ask to come back."""
_FIRST_TIME: Final = "1970-01-01T00:00:00Z"
_LAST_TIME: Final = "2200-01-01T00:00:00Z"
_RUNS_KNOWN: Final = 256
"""Runs whose distance is remembered; more athletes than one server has."""


@dataclass(frozen=True, slots=True)
class InfluxSettings:
    """Table ``[influx]`` of the settings, with its secret."""

    url: str
    api: str = "v2"
    """``v2``: /api/v2/write (InfluxDB 1.8, 2, 3); ``v1``: /write (InfluxDB 1.x)."""
    bucket: str = "latemiles"
    """Bucket of v2; database of v1."""
    org: str = ""
    retention_policy: str = ""
    username: str = ""
    secret: Secret = Secret("")  # noqa: RUF009 - frozen, and empty
    """Token of v2; password of v1."""
    ca_file: str = ""
    timeout_s: float = 10.0

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(
                "influx.url",
                f"expected an address like http://127.0.0.1:8086, got '{parts.hostname or ''}'. Change it.",
            )
        if parts.username or parts.password or parts.query:
            raise ConfigError(
                "influx.url", "holds a user name, password or query. Use username and token_file instead."
            )
        if self.api not in ("v1", "v2"):
            raise ConfigError("influx.api", f"takes v1 or v2, got '{self.api}'. Change it.")
        if not self.bucket:
            raise ConfigError("influx.bucket", "is empty. Name the bucket (v2) or the database (v1).")


class InfluxSink:
    """Delivers rows to one bucket or database.

    Parameters
    ----------
    settings : InfluxSettings
        Where, and as whom.
    """

    resend_rows = 500
    """A killed server may lose seconds that it had confirmed; the same points overwrite themselves."""

    def __init__(self, settings: InfluxSettings) -> None:
        self._settings = settings
        self.name = f"influx {settings.url} {settings.bucket}"
        self.label = f"InfluxDB at {settings.url}"
        self._client: InfluxDBClient | None = None
        self._distances: dict[str, float] = {}

    async def open(self) -> None:
        """Make the client; the first batch is the first thing that is said over the line."""
        s = self._settings
        token = s.secret.reveal() if s.api == "v2" else ""
        self._client = InfluxDBClient(
            s.url,
            token=token,
            org=s.org or "-",
            timeout=round(s.timeout_s * 1e3),
            enable_gzip=True,
            ssl_ca_cert=s.ca_file or None,
            # Our own loop tries again, with its own waits.
            retries=False,
        )

    async def deliver(self, rows: Sequence[Row]) -> Sequence[Rejected]:
        """Post rows as one request; where the server refuses lines, find them by halves.

        Raises
        ------
        SinkError
            If the server does not answer, or refuses more than single lines.
        """
        rejected: list[Rejected] = []
        lines: list[tuple[int, list[str]]] = []
        for row in rows:
            if isinstance(row.event, RunReplaced):
                # In the order of the rows: what came before it is deleted, what comes after it is kept.
                rejected += await asyncio.to_thread(self._post, lines)
                lines = []
                self._distances.pop(row.run, None)
                await asyncio.to_thread(self._forget, row)
            elif made := points(row, self._distance_at(row)):
                lines.append((row.id, [line(point) for point in made]))
        return rejected + await asyncio.to_thread(self._post, lines)

    def _distance_at(self, row: Row) -> float:
        """Distance at the newest stride of the row's run; NaN before the first."""
        if isinstance(row.event, Stride):
            # Moved to the end, so that the run that goes on is never the one forgotten.
            self._distances.pop(row.run, None)
            self._distances[row.run] = row.event.values[COLUMN_INDEX["distance_m"]]
            if len(self._distances) > _RUNS_KNOWN:
                del self._distances[next(iter(self._distances))]
        return self._distances.get(row.run, math.nan)

    async def idle(self) -> None:
        """Nothing to notice: every request stands alone."""

    async def close(self) -> None:
        """Close the connection pool."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    async def check(self) -> None:
        """Write nothing, but ask the server whether it would take something.

        Raises
        ------
        SinkError
            With what to mend.
        """
        await self.open()
        try:
            # An empty body names bucket and token and stores nothing.
            await asyncio.to_thread(self._send, [""])
        except ApiException as error:
            # That the empty body is bad is the answer of a server that would take a good one.
            if error.status not in _BAD_LINE:
                raise self._in_our_words(error) from error
        finally:
            await self.close()

    def _post(self, lines: list[tuple[int, list[str]]]) -> list[Rejected]:
        """Post lines of rows; runs in a worker thread."""
        if not lines:
            return []
        try:
            self._send([text for _, texts in lines for text in texts])
        except ApiException as error:
            if error.status not in _BAD_LINE:
                raise self._in_our_words(error) from error
            if len(lines) == 1:
                return [Rejected(lines[0][0], f"{_said(error)}.")]
            half = len(lines) // 2
            return self._post(lines[:half]) + self._post(lines[half:])
        return []

    def _forget(self, row: Row) -> None:
        """Delete the points of a run that is sent anew: a contact that has moved would stand there twice.

        A server that cannot delete keeps them, as InfluxDB 3 and VictoriaMetrics do.
        """
        client, s = self._open(), self._settings
        try:
            if s.api == "v2":
                athlete, run = _quoted(row.athlete, '"'), _quoted(row.run, '"')
                where = f'athlete="{athlete}" AND run="{run}"'
                client.delete_api().delete(_FIRST_TIME, _LAST_TIME, where, s.bucket, s.org or "-")
            else:
                athlete, run = _quoted(row.athlete, "'"), _quoted(row.run, "'")
                where = f"DELETE WHERE \"athlete\" = '{athlete}' AND \"run\" = '{run}'"
                self._call_v1(client, "/query", [("db", s.bucket), ("q", where)])
        except ApiException as error:
            if error.status in (400, 404, 405, 501):
                log.debug("%s keeps the older points of run %s: %s", self.label, row.run, _said(error))
                return
            raise self._in_our_words(error) from error
        except HTTPError as error:
            raise self._silent(error) from error

    def _send(self, lines: list[str]) -> None:
        client, s = self._open(), self._settings
        body = "\n".join(lines)
        try:
            if s.api == "v2":
                # A generator would be cut into batches; one string is one request.
                client.write_api(write_options=SYNCHRONOUS).write(
                    bucket=s.bucket,
                    org=s.org or "-",
                    record=body,
                    write_precision=WritePrecision.NS,  # type: ignore[arg-type]
                )
            else:
                self._send_v1(client, body)
        except HTTPError as error:
            raise self._silent(error) from error

    def _open(self) -> InfluxDBClient:
        if self._client is None:
            raise SinkUnavailable(f"{self.label} is not open.")
        return self._client

    def _silent(self, error: HTTPError) -> SinkUnavailable:
        return SinkUnavailable(
            f"{self.label} does not answer ({_short(error)}). Check that it runs and can be reached."
        )

    def _send_v1(self, client: Any, body: str) -> None:
        query = [("db", self._settings.bucket), ("precision", "ns")]
        if self._settings.retention_policy:
            query.append(("rp", self._settings.retention_policy))
        self._call_v1(client, "/write", query, body)

    def _call_v1(self, client: Any, path: str, query: list[tuple[str, str]], body: str = "") -> None:
        s = self._settings
        headers = {"Content-Type": "text/plain; charset=utf-8", "Accept": "application/json"}
        if s.username:
            # In a header, not in the address, which proxies and debug logs write down.
            pair = f"{s.username}:{s.secret.reveal()}".encode()
            headers["Authorization"] = "Basic " + b64encode(pair).decode("ascii")
        client.api_client.call_api(
            path, "POST", query_params=query, header_params=headers, body=body, auth_settings=[]
        )

    def _in_our_words(self, error: ApiException) -> SinkError:
        s, status = self._settings, int(error.status or 0)
        what = "bucket" if s.api == "v2" else "database"
        if status == 0:
            # The client's way to say that TLS failed.
            return SinkRefused(
                f"{self.label} cannot be trusted or does not speak TLS ({_said(error)}). "
                "Set ca_file of [influx] to the file of its certificate authority, and check the address."
            )
        if status in (401, 403):
            secret = "token" if s.api == "v2" else "user name or password"
            return SinkRefused(
                f"{self.label} refuses the {secret} ({status}). Give one that may write to {what} "
                f"'{s.bucket}': LATEMILES_INFLUX_TOKEN or token_file of [influx]."
            )
        if status == 404:
            other = "v1" if s.api == "v2" else "v2"
            return SinkRefused(
                f"{self.label} has no {what} '{s.bucket}' or no {s.api} interface (404: {_said(error)}). "
                f'Make the {what}, or set api = "{other}" in [influx].'
            )
        if status >= 500 or status in _LATER:
            return SinkUnavailable(
                f"{self.label} cannot take rows now ({status}: {_said(error)}). Look at the server's log."
            )
        return SinkRefused(
            f"{self.label} answers {status}: {_said(error)}. Check url, org and {what} of [influx]."
        )


def _quoted(text: str, quote: str) -> str:
    return text.replace("\\", "\\\\").replace(quote, f"\\{quote}")


def line(point: Point) -> str:
    """A point as line protocol, by the client's own `Point`."""
    out = LinePoint(point.measurement)
    for name, value in point.tags.items():
        out.tag(name, value)
    for name, field in point.fields.items():
        # A Python integer would make the column an integer for ever.
        out.field(name, field if isinstance(field, str) else float(field))
    out.time(point.time_ns, WritePrecision.NS)
    return str(out.to_line_protocol())


def _said(error: ApiException) -> str:
    """What the server said, in one short line."""
    body = error.body or b""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body)
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    if isinstance(answer, dict):
        text = str(answer.get("message") or answer.get("error") or text)
    return " ".join((text or str(error.reason or "")).split())[:200].rstrip(".") or "no reason given"


def _short(error: Exception) -> str:
    """The last cause of an error of urllib3, in one short line and without the object's address."""
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    text = " ".join(str(cause).split()).rpartition(">: ")[2]
    return text[:160].rstrip(".") or type(cause).__name__
