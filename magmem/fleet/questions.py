"""The questions a fleet is asked, each one SQL statement over its facts.

Builds come in the order in which they were first captured. A question asks of complete captures
where it needs exact numbers, and says how many it left out.
"""

from __future__ import annotations

import re
from typing import Any

from magmem.fleet.engine import Engine
from magmem.fleet.errors import FleetError

__all__ = [
    "MEASURES",
    "RULES",
    "Asked",
    "builds_of",
    "grew",
    "hidden",
    "leaks",
    "like",
    "outliers",
    "percentiles",
    "regressions",
]

RULES = {
    "exact": "exact_bytes",
    "magenta-2017": "magenta_2017_bytes",
    "linux": "linux_bytes",
    "memory_monitor": "memory_monitor_bytes",
    "rfc-0254": "rfc_0254_bytes",
    "treemap-2017": "treemap_2017_bytes",
    "private": "private_bytes",
    "uss": "uss_bytes",
    "handle-only": "handle_only_bytes",
    "reported": "reported_pss_bytes",
}
"""What a process may be measured by, and the column that has it."""

MEASURES = {
    "alloc": "alloc_bytes",
    "exact": "exact_bytes",
    "reported": "reported_bytes",
    "hidden": "hidden_bytes",
    "handle-only": "handle_only_bytes",
    "kernel-only": "kernel_only_bytes",
    "heap": "heap_in_use_bytes",
    "mmu": "mmu_bytes",
    "free": "free_bytes",
}
"""What a whole machine may be measured by, and the column of ``captures`` that has it."""

Asked = tuple[Any, int, int]
"""A question's rows as a DataFrame, the captures that were left out, and all of them."""


def column_of(table: dict[str, str], name: str) -> str:
    """The column of a rule or measure.

    Raises
    ------
    ValueError
        There is none of that name.
    """
    if name not in table:
        raise ValueError(f"expected one of {', '.join(table)}, found {name!r}")
    return table[name]


def builds_of(engine: Engine) -> list[str]:
    """Every build in the order in which it was first captured, else in natural order."""
    rows = engine.query(
        "SELECT build, min(captured_at) FROM captures WHERE build IS NOT NULL GROUP BY build"
    )
    if any(first is None for _, first in rows):
        rows = [(build, 0) for build, _ in rows]
    return [build for build, _ in sorted(rows, key=lambda row: (row[1], _natural(row[0])))]


def _natural(name: str) -> list[tuple[int, int, str]]:
    parts = re.findall(r"\d+|\D+", name)
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts]


def _left_out(engine: Engine, column: str, table: str) -> tuple[int, int]:
    """Captures in which the column is missing, and captures in all."""
    (every,), *_ = engine.query("SELECT count(*) FROM captures")
    if table == "captures":
        (known,), *_ = engine.query(f"SELECT count({column}) FROM captures")
        return every - known, every
    if column in ("reported_pss_bytes", "magenta_2017_bytes"):
        (known,), *_ = engine.query(
            f"SELECT count(DISTINCT capture_id) FROM processes WHERE {column} IS NOT NULL"
        )
        return every - known, every
    (complete,), *_ = engine.query("SELECT count(*) FILTER (complete) FROM captures")
    if complete == every:
        return 0, every
    (known,), *_ = engine.query(
        f"SELECT count(DISTINCT capture_id) FROM processes WHERE {column} IS NOT NULL"
    )
    (without,), *_ = engine.query("SELECT count(*) FROM captures WHERE complete AND processes = 0")
    return every - known - without, every


def grew(engine: Engine, since_build: str | None, rule: str, limit: int) -> Asked:
    """Per name: the median over devices of each device's median, before a build and from it on."""
    column = column_of(RULES, rule)
    builds = builds_of(engine)
    since = since_build if since_build is not None else (builds[-1] if builds else "")
    if since not in builds:
        known = ", ".join(builds) or "none"
        raise FleetError(f"expected a build of this fleet ({known}), found {since!r}")
    after = builds[builds.index(since) :]
    if len(after) == len(builds):
        raise FleetError(f"expected a build with another before it, found {since!r}, the first")
    frame = engine.typed(
        f"""
        WITH device AS (
            SELECT name, device, list_contains(?, build) AS is_new, median({column}) AS size
            FROM processes WHERE {column} IS NOT NULL AND build IS NOT NULL
            GROUP BY ALL
        ), both_sides AS (
            SELECT name, median(size) FILTER (NOT is_new) AS before, median(size) FILTER (is_new)
                AS after, count(DISTINCT device) AS devices FROM device GROUP BY name
        )
        SELECT name, round(before)::BIGINT AS before_bytes, round(after)::BIGINT AS after_bytes,
            (round(after) - round(before))::BIGINT AS growth_bytes,
            round(100 * (after / nullif(before, 0) - 1), 1) AS growth_percent, devices
        FROM both_sides WHERE before IS NOT NULL AND after IS NOT NULL
        ORDER BY growth_bytes DESC, name LIMIT ?
        """,
        [after, limit],
    )
    return (frame, *_left_out(engine, column, "processes"))


def percentiles(engine: Engine, rule: str, limit: int) -> Asked:
    """Per name: how much its processes have, as values that were seen."""
    column = column_of(RULES, rule)
    frame = engine.typed(
        f"""
        WITH sorted AS (
            SELECT name, count(*) AS processes, quantile_disc({column}, [0.5, 0.9, 0.99, 1.0]) AS q
            FROM processes WHERE {column} IS NOT NULL GROUP BY name
        )
        SELECT name, processes, q[1] AS p50_bytes, q[2] AS p90_bytes, q[3] AS p99_bytes,
            q[4] AS max_bytes
        FROM sorted ORDER BY p50_bytes DESC, name LIMIT ?
        """,
        [limit],
    )
    return (frame, *_left_out(engine, column, "processes"))


def regressions(engine: Engine, rule: str, limit: int) -> Asked:
    """Per name and build: the median, against that of the build before in which it was seen."""
    column = column_of(RULES, rule)
    frame = engine.typed(
        f"""
        WITH medians AS (
            SELECT name, build, median({column}) AS size, count(*) AS processes
            FROM processes WHERE {column} IS NOT NULL AND build IS NOT NULL GROUP BY name, build
        ), pairs AS (
            SELECT *, lag(size) OVER w AS before, lag(build) OVER w AS from_build FROM medians
            WINDOW w AS (PARTITION BY name ORDER BY list_position(?, build))
        )
        SELECT name, from_build, build, round(before)::BIGINT AS before_bytes,
            round(size)::BIGINT AS after_bytes,
            (round(size) - round(before))::BIGINT AS growth_bytes,
            round(100 * (size / nullif(before, 0) - 1), 1) AS growth_percent, processes
        FROM pairs WHERE before IS NOT NULL ORDER BY growth_bytes DESC, name, build LIMIT ?
        """,
        [builds_of(engine), limit],
    )
    return (frame, *_left_out(engine, column, "processes"))


def leaks(engine: Engine, of: str, by: str, limit: int) -> Asked:
    """Per device and build: the slope of a measure over time, and how well a line fits it."""
    hours = "(epoch_us(captured_at) / 3.6e9)"
    tail = """
        SELECT * EXCLUDE (slope), round(slope)::BIGINT AS bytes_per_hour FROM slopes
        WHERE slope IS NOT NULL AND points > 2
        ORDER BY round(slope)::BIGINT * coalesce(fit, 0) DESC, device, build LIMIT ?
    """
    if by == "device":
        column = column_of(MEASURES, of)
        sql = f"""
        WITH slopes AS (
            SELECT device, build, count(*) AS points,
                round(max({hours}) - min({hours}), 1) AS hours,
                max_by({column}, captured_at) AS last_bytes,
                round(regr_r2({column}, {hours}), 3) AS fit,
                regr_slope({column}, {hours}) AS slope
            FROM captures WHERE {column} IS NOT NULL AND captured_at IS NOT NULL
            GROUP BY device, build
        ) {tail}"""
        return (engine.typed(sql, [limit]), *_left_out(engine, column, "captures"))
    if by not in ("holder", "process"):
        raise ValueError(f"expected device, holder or process, found {by!r}")
    column = "size" if by == "holder" else column_of(RULES, of if of in RULES else "exact")
    source = (
        "SELECT capture_id, device, build, captured_at, holder, sum(size_bytes)::BIGINT AS size "
        "FROM hidden WHERE holder IS NOT NULL GROUP BY ALL"
        if by == "holder"
        else f"SELECT device, build, captured_at, name AS process, sum({column})::BIGINT AS size "
        f"FROM processes WHERE {column} IS NOT NULL GROUP BY ALL"
    )
    sql = f"""
    WITH points AS ({source}), slopes AS (
        SELECT device, build, {by}, count(*) AS points,
            round(max({hours}) - min({hours}), 1) AS hours, max_by(size, captured_at) AS last_bytes,
            round(regr_r2(size, {hours}), 3) AS fit, regr_slope(size, {hours}) AS slope
        FROM points WHERE captured_at IS NOT NULL GROUP BY device, build, {by}
    ) {tail}"""
    return (engine.typed(sql, [limit]), *_left_out(engine, "hidden_bytes", "captures"))


def hidden(engine: Engine, every: str) -> Asked:
    """Per day, hour or build and reason: hidden bytes a capture, on average and at most."""
    units = {
        "day": "date_trunc('day', captured_at)::TIMESTAMP",
        "hour": "date_trunc('hour', captured_at)::TIMESTAMP",
        "build": "build",
    }
    unit = column_of(units, every)
    frame = engine.typed(
        f"""
        WITH known AS (
            SELECT {unit} AS {every}, count(*) AS captures
            FROM captures WHERE hidden_bytes IS NOT NULL GROUP BY 1
        ), sums AS (
            SELECT {unit} AS {every}, why, sum(size_bytes) AS size, sum(vmos) AS vmos
            FROM hidden GROUP BY 1, 2
        )
        SELECT known.{every}, why, captures, (vmos // captures)::BIGINT AS vmos,
            round(size / captures)::BIGINT AS mean_bytes, size::BIGINT AS total_bytes
        FROM sums JOIN known ON sums.{every} IS NOT DISTINCT FROM known.{every}
        ORDER BY 1, mean_bytes DESC, why
        """
    )
    return (frame, *_left_out(engine, "hidden_bytes", "captures"))


def outliers(engine: Engine, of: str, limit: int) -> Asked:
    """Per device: the capture that is farthest from its build's median, in robust deviations."""
    column = column_of(MEASURES, of)
    frame = engine.typed(
        f"""
        WITH sizes AS (
            SELECT capture_id, device, coalesce(build, '') AS build, captured_at, {column} AS size
            FROM captures WHERE {column} IS NOT NULL
        ), middles AS (
            SELECT build, median(size) AS middle FROM sizes GROUP BY build
        ), spread AS (
            SELECT build, any_value(middle) AS middle, median(abs(size - middle)) AS mad,
                avg(abs(size - middle)) AS mean
            FROM sizes JOIN middles USING (build) GROUP BY build
        ), scored AS (
            SELECT sizes.*, middle, (size - middle) / nullif(if(mad > 0, 1.4826 * mad,
                1.2533 * mean), 0) AS z
            FROM sizes JOIN spread USING (build)
        ), farthest AS (
            SELECT device, max(abs(z)) AS most FROM scored GROUP BY device
            ORDER BY most DESC NULLS LAST, device LIMIT ?
        )
        SELECT scored.device, nullif(build, '') AS build, round(z, 1) AS z, size AS size_bytes,
            round(middle)::BIGINT AS median_bytes, captured_at, capture_id
        FROM scored JOIN farthest
            ON scored.device IS NOT DISTINCT FROM farthest.device AND abs(z) = most
        QUALIFY row_number() OVER (
            PARTITION BY scored.device ORDER BY captured_at, capture_id) = 1
        ORDER BY abs(scored.z) DESC, scored.device
        """,
        [limit],
    )
    return (frame, *_left_out(engine, column, "captures"))


def like(engine: Engine, capture_id: str, rule: str, limit: int) -> Asked:
    """Captures by weighted Jaccard over names: bytes in common, of bytes in either."""
    column = column_of(RULES, rule)
    found = engine.query(
        "SELECT capture_id FROM captures WHERE starts_with(capture_id, ?) LIMIT 2", [capture_id]
    )
    if len(found) != 1 or not capture_id:
        many = "several that begin so" if found else "no such capture"
        raise FleetError(f"expected the id of a capture, found {capture_id!r}: {many}")
    ((one,),) = found
    frame = engine.typed(
        f"""
        WITH mine AS (
            SELECT name, sum({column})::BIGINT AS size FROM processes
            WHERE capture_id = ? AND {column} IS NOT NULL GROUP BY name
        ), total AS (SELECT sum(size)::BIGINT AS size FROM mine),
        -- An id is 32 hex digits: as 128 bits it is grouped quicker and in less memory.
        theirs AS (
            SELECT capture_id::UUID AS id, name, sum({column})::BIGINT AS size FROM processes
            WHERE {column} IS NOT NULL GROUP BY id, name
        ), alike AS (
            SELECT id, sum(least(theirs.size, coalesce(mine.size, 0)))::BIGINT AS common,
                sum(theirs.size)::BIGINT AS size
            FROM theirs LEFT JOIN mine USING (name) GROUP BY id
        ), best AS (
            SELECT id, common, common / nullif(alike.size + total.size - common, 0) AS likeness
            FROM alike CROSS JOIN total
        )
        SELECT round(likeness, 4) AS likeness, common AS common_bytes, device, build, captured_at,
            capture_id
        FROM best JOIN captures ON id = capture_id::UUID
        WHERE capture_id <> ?
        ORDER BY 1 DESC, device, captured_at, capture_id LIMIT ?
        """,
        [one, one, limit],
    )
    if not len(frame) and not engine.query(
        f"SELECT 1 FROM processes WHERE capture_id = ? AND {column} IS NOT NULL LIMIT 1",
        [one],
    ):
        raise FleetError(
            f"this capture has no {rule} PSS of processes: there is nothing to compare"
        )
    return (frame, *_left_out(engine, column, "processes"))
