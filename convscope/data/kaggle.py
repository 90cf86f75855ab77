"""Kaggle as a source: data sets and competitions, downloaded once, by Kaggle's own client."""

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
    """What was downloaded: the folder it is in, and `url`, `version` and `licence` as Kaggle states them."""

    folder: Path
    about: dict[str, Any]


@dataclass(frozen=True)
class _Work:
    """One thing of Kaggle's: a data set OWNER/NAME, or a competition NAME."""

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
    """Download and unpack, or find again what an earlier run did; that asks the server nothing.

    A download that was cut off is resumed. Credentials are looked for where Kaggle's client looks;
    public data sets need none.

    Args:
        slug: OWNER/NAME for a data set, NAME for a competition.
        downloads: the folder that keeps downloads.
        largest: how many bytes it may take when unpacked.

    Raises:
        ConvscopeError: no such thing, no credentials, rules not accepted, no connection, or an archive
            that is damaged or not to be trusted.
    """
    if not _SLUG.match(slug):
        raise ConvscopeError(
            f"dataset.kaggle={slug!r}: expected OWNER/NAME for a data set, NAME for a competition, as in its "
            f"address under {SITE}"
        )
    work = _Work(slug)
    home = downloads / work.kind / slug
    marker, files, archive = home / "download.json", home / "files", home / "archive.zip"
    if marker.is_file():
        return Download(files, json.loads(marker.read_text("utf-8")))
    home.mkdir(parents=True, exist_ok=True)
    with locked(home, f"another run is downloading {slug}"):
        if not archive.is_file():
            about = _download(work, home / "archive.zip.partial")
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
                f"{error}; it was removed, so that the next run downloads it anew"
            ) from None
        shutil.rmtree(files, ignore_errors=True)
        unpacked.rename(files)
        write_json(marker, about)
        archive.unlink()
    return Download(files, about)


def _download(work: _Work, path: Path) -> dict[str, Any]:
    """Bring the archive to `path`, which may hold its beginning; returns what Kaggle says of it."""
    import requests

    api, authenticated = _client()
    from kagglesdk.competitions.types.competition_api_service import ApiDownloadDataFilesRequest
    from kagglesdk.datasets.types.dataset_api_service import ApiDownloadDatasetRequest, ApiGetDatasetRequest

    about = {"url": work.url, "version": None, "licence": None}
    try:
        with api.build_kaggle_client() as client:
            if work.is_competition:
                about["licence"] = f"the competition's rules, {work.url}/rules"
                request = ApiDownloadDataFilesRequest()
                request.competition_name = work.slug
                response = client.competitions.competition_api_client.download_data_files(request)
            else:
                owner, name = work.slug.split("/")
                asked = ApiGetDatasetRequest()
                asked.owner_slug, asked.dataset_slug = owner, name
                described = client.datasets.dataset_api_client.get_dataset(asked)
                about["version"] = described.current_version_number
                about["licence"] = described.license_name
                wanted = ApiDownloadDatasetRequest()
                wanted.owner_slug, wanted.dataset_slug = owner, name
                response = client.datasets.dataset_api_client.download_dataset(wanted)
            print(f"downloading {work.url}")
            api.download_file(response, str(path), client.http_client(), quiet=False, resume=True)
    except requests.HTTPError as error:
        raise _refused(work, error, authenticated=authenticated) from None
    except (requests.RequestException, ValueError) as error:
        raise ConvscopeError(
            f"cannot download {work.url} ({type(error).__name__}): look at the connection and run it "
            "again, it goes on where it stopped; or download it by hand and say dataset=folder "
            "dataset.source=FOLDER"
        ) from None
    return about


def _client() -> tuple[Any, bool]:
    """Kaggle's client and whether it found credentials; what it prints and its SystemExit are kept back."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
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
        raise ConvscopeError(
            f"cannot reach Kaggle ({type(error).__name__}): look at the connection"
        ) from None


def _refused(work: _Work, error: Any, *, authenticated: bool) -> ConvscopeError:
    status = getattr(error.response, "status_code", None)
    if status == 404:
        return ConvscopeError(f"Kaggle has nothing at {work.url}: look for a typing error in dataset.kaggle")
    if status in (401, 403) and not authenticated:
        return ConvscopeError(
            f"Kaggle gives {work.url} to known people only, and no credentials were found: make a token at "
            f"{SITE}/settings, and put it into ~/.kaggle/access_token or KAGGLE_API_TOKEN"
        )
    if status == 403 and work.is_competition:
        return ConvscopeError(
            f"Kaggle refuses {work.url} until you have accepted its rules: do so at {work.url}/rules "
            "and run this again"
        )
    if status in (401, 403):
        return ConvscopeError(
            f"Kaggle refuses {work.url} with your credentials ({status}): make a new token at "
            f"{SITE}/settings, or ask for access at {work.url}"
        )
    return ConvscopeError(f"Kaggle answered {status} for {work.url}: try again later")
