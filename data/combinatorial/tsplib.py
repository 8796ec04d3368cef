"""TSPLIB and VRPLIB: instances, tours and routes in the formats of these libraries."""

import re
from math import acos, cos, sqrt
from pathlib import Path

from rewards.errors import InputError
from rewards.feasibility.cvrp import Cvrp
from rewards.feasibility.instance import Solution
from rewards.feasibility.network import Point, Table
from rewards.feasibility.tsp import Tsp

EARTH_RADIUS, TSPLIB_PI = 6378.388, 3.141592
"""Those of TSPLIB's GEO distances, in kilometres."""
SECTION = re.compile(r"[A-Z_]+_SECTION")


def read_tsplib(path: Path) -> Tsp | Cvrp:
    """Read a .tsp or .vrp file. Raises InputError for a format that is not known."""
    fields, sections = _parts(path)
    network = _network(fields, sections, path)
    if fields.get("TYPE") != "CVRP":
        return Tsp(**network)
    demands = [int(number) for number in sections["DEMAND_SECTION"][1::2]]
    return Cvrp(**network, demands=tuple(demands), capacity=int(fields["CAPACITY"]))


def read_tour(path: Path) -> Solution:
    """Read a .tour file as a solution: cities from 0, and the tour from city 0 on."""
    _, sections = _parts(path)
    cities = [int(number) - 1 for number in sections["TOUR_SECTION"] if int(number) > 0]
    start = cities.index(0)
    return (tuple(cities[start + 1 :] + cities[:start]),)


def read_routes(path: Path) -> tuple[Solution, int]:
    """Read a VRPLIB .sol file: its routes, and the cost that it states."""
    text = path.read_text(encoding="utf-8")
    routes = re.findall(r"^Route #\d+:(.*)$", text, flags=re.MULTILINE)
    cost = re.search(r"^Cost\s+(\d+)", text, flags=re.MULTILINE)
    if not routes or cost is None:
        raise InputError(f"{path.name} should have lines such as 'Route #1: 3 5' and 'Cost 247'")
    return tuple(tuple(map(int, route.split())) for route in routes), int(cost[1])


def _parts(path: Path) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return the fields before the sections, and the words of each section."""
    fields: dict[str, str] = {}
    sections: dict[str, list[str]] = {}
    words: list[str] | None = None
    for line in path.read_text(encoding="utf-8").splitlines():
        name, colon, value = (part.strip() for part in line.partition(":"))
        if SECTION.fullmatch(name):
            words = sections.setdefault(name, [])
        elif colon:
            fields[name], words = value, None
        elif words is not None and name != "EOF":
            words += line.split()
    return fields, sections


def _network(fields: dict[str, str], sections: dict[str, list[str]], path: Path) -> dict[str, tuple]:
    """Return the points or the distances of a file."""
    kind = fields.get("EDGE_WEIGHT_TYPE")
    if kind == "EXPLICIT":
        size, form = int(fields["DIMENSION"]), fields.get("EDGE_WEIGHT_FORMAT", "")
        return {"distances": _table([int(word) for word in sections["EDGE_WEIGHT_SECTION"]], size, form, path)}
    words = sections["NODE_COORD_SECTION"]
    points = tuple((float(x), float(y)) for x, y in zip(words[1::3], words[2::3], strict=True))
    if kind == "EUC_2D":
        return {"points": points}
    if kind not in ("ATT", "GEO"):
        raise InputError(f"{path.name}: EDGE_WEIGHT_TYPE {kind} is not known; EUC_2D, ATT, GEO and EXPLICIT are")
    distance = _att if kind == "ATT" else _geo
    return {"distances": tuple(tuple(0 if a is b else distance(a, b) for b in points) for a in points)}


def _table(numbers: list[int], size: int, form: str, path: Path) -> Table:
    columns = {
        "FULL_MATRIX": lambda row: range(size),
        "UPPER_ROW": lambda row: range(row + 1, size),
        "UPPER_DIAG_ROW": lambda row: range(row, size),
        "LOWER_ROW": lambda row: range(row),
        "LOWER_DIAG_ROW": lambda row: range(row + 1),
    }
    if form not in columns:
        raise InputError(f"{path.name}: EDGE_WEIGHT_FORMAT {form} is not known; {', '.join(columns)} are")
    table = [[0] * size for _ in range(size)]
    cells = [(row, column) for row in range(size) for column in columns[form](row)]
    for (row, column), number in zip(cells, numbers, strict=True):
        table[row][column] = number
        if form != "FULL_MATRIX":
            table[column][row] = number
    return tuple(map(tuple, table))


def _att(a: Point, b: Point) -> int:
    length = sqrt(((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) / 10)
    rounded = int(length + 0.5)
    return rounded + 1 if rounded < length else rounded


def _geo(a: Point, b: Point) -> int:
    (north_a, east_a), (north_b, east_b) = (tuple(map(_radians, point)) for point in (a, b))
    q1, q2, q3 = cos(east_a - east_b), cos(north_a - north_b), cos(north_a + north_b)
    return int(EARTH_RADIUS * acos(0.5 * ((1 + q1) * q2 - (1 - q1) * q3)) + 1)


def _radians(degrees_and_minutes: float) -> float:
    degrees = int(degrees_and_minutes)
    return TSPLIB_PI * (degrees + 5 * (degrees_and_minutes - degrees) / 3) / 180
