"""requests, a session made while the script is read."""

import requests

SESSION = requests.Session()


def use():
    request = requests.Request("GET", "http://127.0.0.1/")
    return SESSION.prepare_request(request).url
