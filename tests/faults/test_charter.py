"""A charter is received while reception is killed in the middle: nothing is lost, nothing is there
twice.
"""

import asyncio

import pytest
from rich.console import Console

from cli.simulate import Flight, Simulation
from tests.platform import running_platform

pytestmark = pytest.mark.slow


async def test_reception_is_killed_twice_while_tablets_send_their_logs():
    async with running_platform(patience=240) as platform:
        flight = Flight(passengers=80, devices=4, duplicates=0.3, shuffle=True, batch=5)
        simulation = Simulation(platform.client, lambda: platform.log("reception"), flight)
        running = asyncio.create_task(simulation.run(Console(quiet=True)))
        answered = simulation.report.outcomes
        for share in (1, 2):
            while not running.done() and answered.total() < share * flight.passengers:  # noqa: ASYNC110 - a count
                await asyncio.sleep(0.01)
            assert not running.done()
            await platform.restart("reception")
        report = await running
        assert report.lost == []
        assert report.double == []
        assert report.outcomes["invalid"] == 0
        # What was applied as its answer was cut off is known already when it is sent again.
        assert report.outcomes["applied"] <= report.entries <= sum(report.outcomes.values())
        assert report.outcomes["already_applied"] > 0
