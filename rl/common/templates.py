"""Templates: how HTML pages are filled in; everything is escaped, and a missing value is an error."""

from jinja2 import Environment, PackageLoader, StrictUndefined


def page_environment(package: str, folder: str) -> Environment:
    """Return the environment of the templates in a package's folder, with the filter `signed`."""
    environment = Environment(
        loader=PackageLoader(package, folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["signed"] = "{:+.3f}".format
    return environment
