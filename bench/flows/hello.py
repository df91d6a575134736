"""Two steps and one line of output."""

from swell import FlowSpec, step


class HelloFlow(FlowSpec):
    @step
    def start(self):
        print("hello")
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    HelloFlow()
