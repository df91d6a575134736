"""Find the best settings of a model: one task per point of a grid, the join keeps the best.

    python search.py run
    python search.py run --max-workers 2 --metric accuracy
    python search.py card view end

Shows ``foreach`` over a grid, a join that chooses, and a table in a card. scikit-learn is
imported once, at the top: tasks are forked from the process that holds it.
"""

from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import ParameterGrid, cross_val_score, train_test_split

from swell import FlowSpec, Parameter, card, current, step
from swell.cards import Markdown, Table


class SearchFlow(FlowSpec):
    """A grid search over random forests that read handwritten digits."""

    metric = Parameter("metric", default="f1_macro", help="what counts as better (scikit-learn)")
    folds = Parameter("folds", default=3, help="parts of cross-validation")
    trees = Parameter("trees", default=40, help="most trees of a forest")

    @step
    def start(self):
        x, y = load_digits(return_X_y=True)
        self.x, self.x_test, self.y, self.y_test = train_test_split(x, y, random_state=0)
        self.grid = list(
            ParameterGrid({"n_estimators": [self.trees // 4, self.trees], "max_depth": [4, 8, 16]})
        )
        self.next(self.train, foreach="grid")

    @step
    def train(self):
        model = RandomForestClassifier(random_state=0, **self.input)
        scores = cross_val_score(model, self.x, self.y, cv=self.folds, scoring=self.metric)
        self.settings, self.score, self.spread = self.input, scores.mean(), scores.std()
        self.next(self.choose)

    @step
    def choose(self, tried):
        self.merge_artifacts(tried, include=["x", "x_test", "y", "y_test"])
        self.tried = sorted(
            ((t.score, t.spread, t.settings) for t in tried), key=lambda row: -row[0]
        )
        self.best = self.tried[0][2]
        self.next(self.end)

    @card(type="blank")
    @step
    def end(self):
        """Train on everything with the best settings, and judge on data no task has seen."""
        self.model = RandomForestClassifier(random_state=0, **self.best).fit(self.x, self.y)
        self.accuracy = self.model.score(self.x_test, self.y_test)
        print(f"best settings {self.best}, {self.accuracy:.1%} right on unseen digits")
        current.card.append(Markdown(f"# {self.accuracy:.1%} right with {self.best}"))
        rows = [[f"{score:.4f} ± {spread:.4f}", str(s)] for score, spread, s in self.tried]
        current.card.append(Table(rows, headers=[self.metric, "settings"]))


if __name__ == "__main__":
    SearchFlow()
