"""The gateway as a process: a bundle's router behind an HTTP server."""

from pathlib import Path

from rl.common.errors import UserError


def gateway_command(bundle: Path, *, upstream: str, host: str, port: int, time_limit: float) -> None:
    """Serve until interrupted; the body of `heed gateway`. Raises UserError without the extra `gateway`."""
    try:
        import uvicorn

        from launch.serve.gateway import gateway
    except ModuleNotFoundError as error:
        raise UserError(f"heed gateway needs {error.name}; pip install 'heed[gateway]'") from error
    from launch.serve.route import RoutedPrompts

    app = gateway(RoutedPrompts(bundle).gates, upstream=upstream, time_limit=time_limit)
    uvicorn.run(app, host=host, port=port, log_level="warning")
