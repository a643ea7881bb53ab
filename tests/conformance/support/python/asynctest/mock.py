from unittest.mock import *  # noqa: F401,F403
