"""Names of the models that come with Heed, which are neither folders nor on the hub."""

BUILTIN = "smollm2-135m-instruct"
TINY = "tiny"
