"""`heed bench`: what a feature costs or brings, and what a model can do, measured."""

import typer

from launch.cli import bench_learning, bench_models, bench_speed

app = typer.Typer(help="Measure what a feature costs or brings, or what a model can do.", no_args_is_help=True)
app.command()(bench_speed.probes)
app.command()(bench_speed.sparse)
app.command()(bench_models.calibration)
app.command()(bench_models.confusion)
app.command()(bench_speed.verifiers)
app.command()(bench_models.levels)
app.command()(bench_learning.credit)
app.command()(bench_learning.routing)
app.command()(bench_learning.combinatorial)
app.command()(bench_speed.feasibility)
app.command()(bench_speed.gates)
app.command()(bench_speed.rollouts)
app.command()(bench_speed.gpu)
app.command()(bench_speed.rules)
app.command()(bench_speed.step)
