"""Open a page in a browser on another machine: a web server for the files of one run."""

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from convscope.errors import ConvscopeError
from convscope.files import user_path
from convscope.render.page import PAGE

HOST, PORT = "127.0.0.1", 8000  # only this machine; a tunnel reaches it from others
_NAMES = (HOST, "localhost")  # of this machine


class _Files(SimpleHTTPRequestHandler):
    """Serves the files below one folder to its own page.

    Other pages in the same browser get no file. Symbolic links that lead out of the folder are not followed.
    """

    def send_head(self) -> Any:
        """Refuse requests that another page makes, also one whose host name leads to this machine."""
        host = self.headers.get("Host", "").rpartition(":")
        name = host[0] or host[2]
        if name not in _NAMES or self.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site"):
            self.send_error(403)
            return None
        return super().send_head()

    def end_headers(self) -> None:
        """Forbid other pages to show the files."""
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        super().end_headers()

    def translate_path(self, path: str) -> str:
        """Return the file of an address; a path that does not exist for files outside of the folder."""
        root, file = Path(self.directory).resolve(), Path(super().translate_path(path))
        is_inside = "\0" not in str(file) and file.resolve().is_relative_to(root)
        return str(file if is_inside else root / "outside" / "of" / "the" / "run")

    def list_directory(self, path: Any) -> None:
        """Refuse to list folders."""
        self.send_error(404)

    def log_message(self, format: str, *args: Any) -> None:  # the name in the base class
        """Print no line for each request."""


def server_of(directory: Path) -> ThreadingHTTPServer:
    """Return a server for the page of a run, on port 8000 or, if it is in use, on another one.

    Raises:
        ConvscopeError: there is no page.
    """
    if not (directory / PAGE).is_file():
        raise ConvscopeError(f"serve={directory}: no {PAGE} there; expected a run directory of stage 3")
    handler = partial(_Files, directory=str(directory))
    try:
        return ThreadingHTTPServer((HOST, PORT), handler)
    except OSError:
        return ThreadingHTTPServer((HOST, 0), handler)


def serve(run: str) -> Path:
    """Serve the page of a run directory until Ctrl-C; return its path."""
    directory = user_path(run)
    with server_of(directory) as server:
        print(f"http://{HOST}:{server.server_port}/{PAGE} shows {directory}; Ctrl-C stops", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("stopped")
    return directory / PAGE
