"""A foreach inside a foreach: every city, every month, and the record of each.

    python nested.py run
    python nested.py logs 1/month

Shows how far down a task stands (``self.foreach_stack()``), and joins from the inside out.
"""

import random

from swell import FlowSpec, Parameter, step

CLIMATE = {"Bergen": (8, 9), "Cairo": (22, 9), "Lima": (19, 4)}  # mean and swing, in °C


class NestedFlow(FlowSpec):
    """The hottest month of three cities, from simulated days."""

    months = Parameter("months", default=4, help="how many months of the year")

    @step
    def start(self):
        self.cities = list(CLIMATE)
        self.next(self.city, foreach="cities")

    @step
    def city(self):
        self.name_of_city = self.input
        self.numbers = list(range(1, 1 + self.months))
        self.next(self.month, foreach="numbers")

    @step
    def month(self):
        (_, _, city), (_, _, month) = self.foreach_stack()
        mean, swing = CLIMATE[city]
        days = random.Random(f"{city} {month}")  # seeded: the same weather in every run
        self.hottest = max(days.gauss(mean, swing / 3) for _ in range(30))
        print(f"{city}, month {month}: {self.hottest:.1f} °C")
        self.next(self.year)

    @step
    def year(self, months):
        """One join per city: its inputs are the months of that city only."""
        self.merge_artifacts(months, include=["name_of_city"])
        self.hottest = max(month.hottest for month in months)
        self.next(self.world)

    @step
    def world(self, cities):
        self.hottest = {city.name_of_city: round(city.hottest, 1) for city in cities}
        self.next(self.end)

    @step
    def end(self):
        for city, degrees in self.hottest.items():
            print(f"{city:8} {degrees:5.1f} °C")


if __name__ == "__main__":
    NestedFlow()
