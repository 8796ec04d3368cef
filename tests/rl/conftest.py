"""Property tests of `rl` run torch on a shared machine: slow is no failure there."""

from hypothesis import settings

settings.register_profile("steady", deadline=None)
settings.load_profile("steady")
