"""What aioamqp's suite uses of asynctest, which Debian has not: a test case whose loop is there, and not running, while
setUp and tearDown are called, and whose tests may be coroutines."""

import asyncio
import functools
import inspect
import unittest


class TestCase(unittest.TestCase):
    def run(self, result=None):
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        test = getattr(self, self._testMethodName)
        if inspect.iscoroutinefunction(test):
            @functools.wraps(test)
            def run_on_loop():
                self.loop.run_until_complete(test())

            setattr(self, self._testMethodName, run_on_loop)
        try:
            return super().run(result)
        finally:
            self.loop.close()
            asyncio.set_event_loop(None)
