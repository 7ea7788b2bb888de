# SPDX-License-Identifier: Apache-2.0

"""The official Python client, for the tests of the stand-in: a list of questions as JSON in, answers out."""

import hashlib
import json
import sys
import tempfile
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, hf_hub_download, snapshot_download


def sha256(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def download(repo: str, path: str, revision: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        return sha256(hf_hub_download(repo, path, revision=revision, cache_dir=folder))


def snapshot(repo: str, revision: str) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(snapshot_download(repo, revision=revision, cache_dir=folder))
        files = [path for path in root.rglob("*") if path.is_file()]
        return {path.relative_to(root).as_posix(): sha256(str(path)) for path in files}


def upload(repo: str, folder: str, **options) -> str:
    api = HfApi()
    api.create_repo(repo, exist_ok=True)
    return api.upload_folder(repo_id=repo, folder_path=folder, **options).oid


def commit(repo: str, add: dict[str, str], delete: list[str], **options) -> dict:
    operations = [CommitOperationAdd(path, text.encode()) for path, text in add.items()]
    operations += [CommitOperationDelete(path) for path in delete]
    made = HfApi().create_commit(repo, operations, commit_message="from Python", **options)
    return {"oid": made.oid, "pr": made.pr_revision}


def look(repo: str) -> dict:
    """Everything that only reads."""
    api = HfApi()
    info = api.model_info(repo, files_metadata=True)
    refs = api.list_repo_refs(repo, include_pull_requests=True)
    paths = api.get_paths_info(repo, [entry.rfilename for entry in info.siblings])
    return {
        "user": api.whoami()["name"],
        "sha": info.sha,
        "private": info.private,
        "sizes": {entry.rfilename: entry.size for entry in info.siblings},
        "hashes": {entry.path: entry.lfs.sha256 if entry.lfs else entry.blob_id for entry in paths},
        "tree": [entry.path for entry in api.list_repo_tree(repo, recursive=True, expand=True)],
        "commits": [entry.title for entry in api.list_repo_commits(repo)],
        "branches": [entry.name for entry in refs.branches],
        "tags": [entry.name for entry in refs.tags],
        "pull_requests": [entry.ref for entry in refs.pull_requests],
    }


def mark(repo: str, branch: str, tag: str) -> None:
    api = HfApi()
    api.create_branch(repo, branch=branch)
    api.create_tag(repo, tag=tag, tag_message="a tag")


def failing(ask: str, arguments: dict) -> str:
    try:
        return f"no error, but {globals()[ask](**arguments)}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"


question = json.load(sys.stdin)
json.dump(globals()[question["ask"]](**question["arguments"]), sys.stdout)
