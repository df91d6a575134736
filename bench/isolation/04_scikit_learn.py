"""scikit-learn, a model fitted while the script is read."""

from sklearn.datasets import make_regression
from sklearn.linear_model import Ridge

X, Y = make_regression(n_samples=500, n_features=20, random_state=0)
MODEL = Ridge().fit(X, Y)


def use():
    return float(Ridge().fit(X, Y).score(X, Y))
