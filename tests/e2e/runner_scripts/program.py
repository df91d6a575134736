"""Parameters of every kind, a place in the world, and an end that waits or fails as it is told."""

import os
import time

from swell import Config, FlowSpec, JSONType, Parameter, current, step


class ProgramFlow(FlowSpec):
    n = Parameter("n", default=1)
    ratio = Parameter("ratio", default=0.5)
    word = Parameter("a-word", default="w")
    flag = Parameter("flag", is_flag=True)
    yes = Parameter("yes", default=False)
    data = Parameter("data", type=JSONType, default=None)
    names = Parameter("names", default="", separator=",")
    many = Parameter("many", type=int, multiple=True)
    settings = Config("settings", default_value={"depth": 1})

    @step
    def start(self):
        print("begun")
        self.cwd = os.getcwd()
        self.variable = os.environ.get("GIVEN_VARIABLE")
        self.profile = os.environ.get("SWELL_PROFILE")
        self.next(self.end)

    @step
    def end(self):
        if os.path.exists("wait"):
            print("waiting")
            with open("pid", "w") as file:
                file.write(str(os.getpid()))
            deadline = time.monotonic() + 60
            while os.path.exists("wait") and time.monotonic() < deadline:
                time.sleep(0.01)
        if os.path.exists("fail"):
            raise ValueError("told to fail")
        self.attempt = current.retry_count
        print("finally")


if __name__ == "__main__":
    ProgramFlow()
