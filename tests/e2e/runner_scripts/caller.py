"""A program that runs a flow, blocking or not, and says how it was interrupted."""

import asyncio
import sys

from swell import Runner


async def beside() -> None:
    with Runner("program.py") as runner:
        running = await runner.async_run()
        await running.wait()


def main() -> None:
    try:
        if sys.argv[1] == "blocking":
            with Runner("program.py", show_output=False) as runner:
                runner.run()
        else:
            asyncio.run(beside())
    except KeyboardInterrupt:
        print("interrupted")


if __name__ == "__main__":
    main()
