"""Property tests run whole models on a shared machine: slow is no failure there."""

from hypothesis import settings

settings.register_profile("steady", deadline=None)
settings.load_profile("steady")
