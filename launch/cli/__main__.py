"""Run the command line as `python -m launch.cli`."""

from launch.cli.main import main

main()
