"""Coze's file upload (platforms/coze.md §4)."""

import time
from pathlib import PurePath

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from emulator.coze.checks import caller, require_strings
from emulator.coze.format import Refused, answer
from emulator.coze.store import File, store
from emulator.state import here

bp = Blueprint("coze_files", __name__, url_prefix="/v1/files")

_KINDS = {
    *"doc docx xls xlsx ppt pptx pdf numbers csv cpp py java c rar zip 7z gz gzip bz2".split(),
    *"jpg jpeg jpg2 png gif webp heic heif bmp pcd tiff wav mp3 flac m4a aac ogg wma midi".split(),
    *"mp4 avi mov 3gp 3gpp flv webm wmv rmvb m4v mkv".split(),
}


@bp.post("/upload")
def upload() -> ResponseReturnValue:
    token = caller("uploadFile")
    parts = [part for _, part in request.files.items(multi=True)]
    if len(parts) > 1:
        raise Refused(4301)
    if "file" not in request.files or not parts[0].filename:
        raise Refused(4300)
    name, size = str(parts[0].filename), len(parts[0].read())
    if size == 0:
        raise Refused(4300)
    if size > here().settings.coze_upload_limit:
        raise Refused(4302)
    if PurePath(name).suffix.lower().lstrip(".") not in _KINDS:
        raise Refused(4303)
    with here().lock:
        file = File(store().new_id(), token.account, name, size, int(time.time()))
        store().files[file.id] = file
    return answer(_as_json(file))


@bp.get("/retrieve")
def retrieve() -> ResponseReturnValue:
    token = caller("retrieveFile")
    (file_id,) = require_strings(request.args, "file_id")
    file = store().files.get(file_id)
    if file is None or file.account != token.account:
        raise Refused(4200, f"Requested resource file_id={file_id} does not exist.")
    return answer(_as_json(file))


def _as_json(file: File) -> dict[str, object]:
    return {
        "id": file.id,
        "bytes": file.bytes,
        "file_name": file.file_name,
        "created_at": file.created_at,
    }
