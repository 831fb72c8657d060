"""A crowd at the door does not keep waiting what is done for those inside."""

import socket
from contextlib import ExitStack

from gateway.process import fair_loop


def test_a_turn_of_the_loop_serves_few_of_many_that_are_ready() -> None:
    """Of 400 descriptors ready at once, what the first sets off is done after 64, not after all; all are served."""
    served: list[int] = []
    followed: list[int] = []
    loop = fair_loop()
    with ExitStack() as stack:
        stack.callback(loop.close)
        for number in range(400):
            near, far = socket.socketpair()
            stack.enter_context(near)
            stack.enter_context(far)
            far.send(b"x")

            def take(near: socket.socket = near, number: int = number) -> None:
                near.recv(1)
                served.append(number)
                if len(served) == 1:
                    loop.call_soon(lambda: followed.append(len(served)))
                if len(served) == 400:
                    loop.stop()

            loop.add_reader(near, take)
        loop.call_later(30, loop.stop)
        loop.run_forever()

    assert [64] == followed
    assert set(range(400)) == set(served)


def test_writers_timers_and_closed_descriptors_are_as_on_any_loop() -> None:
    """A descriptor that became writable is told; one that is gone harms nobody; a timer comes on time."""
    seen: list[str] = []
    loop = fair_loop()
    near, far = socket.socketpair()
    with near, far:
        loop.add_writer(near, lambda: (seen.append("writable"), loop.remove_writer(near)))
        loop.call_later(0.01, lambda: seen.append("timer"))
        loop.call_later(0.02, loop.stop)
        loop.run_forever()
        loop.close()

    assert ["writable", "timer"] == seen
