"""Kaggle as a source: data sets and competitions, downloaded once with Kaggle's own client."""

import contextlib
import io
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convscope.data.archive import ArchiveError, DamagedArchiveError, unpack
from convscope.errors import ConvscopeError
from convscope.files import locked, write_json

SITE = "https://www.kaggle.com"
_SLUG = re.compile(r"^(?:[A-Za-z0-9][\w-]*/)?[A-Za-z0-9][\w.-]*$")


@dataclass(frozen=True)
class Download:
    """A download: its folder, and `url`, `version` and `licence` as Kaggle states them."""

    folder: Path
    about: dict[str, Any]


@dataclass(frozen=True)
class _Item:
    """A data set OWNER/NAME or a competition NAME."""

    slug: str

    @property
    def is_competition(self) -> bool:
        return "/" not in self.slug

    @property
    def kind(self) -> str:
        return "competitions" if self.is_competition else "datasets"

    @property
    def url(self) -> str:
        return f"{SITE}/{self.kind}/{self.slug}"


def fetch(slug: str, downloads: Path, *, largest: int) -> Download:
    """Download and unpack an archive, or return an earlier download without asking the server.

    An interrupted download is resumed. Kaggle's client finds the credentials; public data sets need none.

    Args:
        slug: OWNER/NAME for a data set, NAME for a competition.
        downloads: the folder of all downloads.
        largest: maximum number of bytes of the unpacked files.

    Raises:
        ConvscopeError: the item does not exist, credentials are missing, its rules are not accepted, there
            is no connection, or the archive is damaged or unsafe.
    """
    if not _SLUG.match(slug):
        raise ConvscopeError(
            f"dataset.kaggle={slug!r} is not valid: expected OWNER/NAME for a data set or NAME for a "
            f"competition, as in its address at {SITE}"
        )
    item = _Item(slug)
    home = downloads / item.kind / slug
    marker, files, archive = home / "download.json", home / "files", home / "archive.zip"
    if marker.is_file():
        return Download(files, json.loads(marker.read_text("utf-8")))
    home.mkdir(parents=True, exist_ok=True)
    with locked(home / ".lock", f"another run is downloading {slug}"):
        if not archive.is_file():
            about = _download(item, home / "archive.zip.partial")
            write_json(home / "about.json", about)
            (home / "archive.zip.partial").rename(archive)
        about = json.loads((home / "about.json").read_text("utf-8"))
        unpacked = home / "files.partial"
        shutil.rmtree(unpacked, ignore_errors=True)
        try:
            unpack(archive, unpacked, largest=largest)
        except ArchiveError as error:
            shutil.rmtree(unpacked, ignore_errors=True)
            if not isinstance(error, DamagedArchiveError):
                raise
            archive.unlink()
            raise DamagedArchiveError(
                f"{error}; it was removed: run the command again to download it again"
            ) from None
        shutil.rmtree(files, ignore_errors=True)
        unpacked.rename(files)
        write_json(marker, about)
        archive.unlink()
    return Download(files, about)


def _download(item: _Item, path: Path) -> dict[str, Any]:
    """Download the archive to `path` and return its description; resume if `path` has its beginning."""
    import requests

    api, authenticated = _client()
    from kagglesdk.competitions.types.competition_api_service import ApiDownloadDataFilesRequest
    from kagglesdk.datasets.types.dataset_api_service import ApiDownloadDatasetRequest, ApiGetDatasetRequest

    about = {"url": item.url, "version": None, "licence": None}
    try:
        with api.build_kaggle_client() as client:
            if item.is_competition:
                about["licence"] = f"the competition's rules, {item.url}/rules"
                request = ApiDownloadDataFilesRequest()
                request.competition_name = item.slug
                response = client.competitions.competition_api_client.download_data_files(request)
            else:
                owner, name = item.slug.split("/")
                query = ApiGetDatasetRequest()
                query.owner_slug, query.dataset_slug = owner, name
                description = client.datasets.dataset_api_client.get_dataset(query)
                about["version"] = description.current_version_number
                about["licence"] = description.license_name
                download = ApiDownloadDatasetRequest()
                download.owner_slug, download.dataset_slug = owner, name
                response = client.datasets.dataset_api_client.download_dataset(download)
            print(f"downloading {item.url}")
            api.download_file(response, str(path), client.http_client(), quiet=False, resume=True)
    except requests.HTTPError as error:
        raise _refused(item, error, authenticated=authenticated) from None
    except (requests.RequestException, ValueError) as error:
        raise ConvscopeError(
            f"cannot download {item.url} ({type(error).__name__}): check the connection and run the command "
            "again to resume the download; or download it by hand and use dataset=folder "
            "dataset.source=DIR"
        ) from None
    return about


def _client() -> tuple[Any, bool]:
    """Return Kaggle's client and whether it found credentials; suppress its output and its SystemExit."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        from kaggle.api.kaggle_api_extended import KaggleApi

        api = KaggleApi()
        with _no_exit():
            api.authenticate()
            return api, True
    return api, False


@contextlib.contextmanager
def _no_exit() -> Iterator[None]:
    import requests

    try:
        yield
    except SystemExit:
        pass
    except requests.RequestException as error:
        raise ConvscopeError(f"cannot reach Kaggle ({type(error).__name__}): check the connection") from None


def _refused(item: _Item, error: Any, *, authenticated: bool) -> ConvscopeError:
    status = getattr(error.response, "status_code", None)
    if status == 404:
        return ConvscopeError(f"Kaggle has no page {item.url}: check the spelling of dataset.kaggle")
    if status in (401, 403) and not authenticated:
        return ConvscopeError(
            f"Kaggle requires a login for {item.url}, but no credentials were found: create a token at "
            f"{SITE}/settings and put it into ~/.kaggle/access_token or KAGGLE_API_TOKEN"
        )
    if status == 403 and item.is_competition:
        return ConvscopeError(
            f"Kaggle refuses {item.url} because you have not accepted its rules: accept them at "
            f"{item.url}/rules and run the command again"
        )
    if status in (401, 403):
        return ConvscopeError(
            f"Kaggle refuses {item.url} with your credentials ({status}): create a new token at "
            f"{SITE}/settings, or ask for access at {item.url}"
        )
    return ConvscopeError(f"Kaggle answered {status} for {item.url}: try again later")
