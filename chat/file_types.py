"""What a file is by its bytes: of visitors' files, agents' pictures and the owner's logo."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

Test = Callable[[bytes], bool]


@dataclass(frozen=True)
class Kind:
    """A kind of file: its content type, and whether bytes are of it."""

    content_type: str
    matches: Test


def content_type(ending: str, data: bytes) -> str | None:
    """The content type of a file with this ending (lower case, no dot).

    None when its bytes are of another kind, or when the ending is unknown here.
    """
    kind = KINDS.get(ending)
    return kind.content_type if kind and kind.matches(data) else None


def picture_ending(data: bytes) -> str | None:
    """The ending of a picture, by its bytes; None when it is none of those that are known here."""
    return next((ending for ending in PICTURES if KINDS[ending].matches(data)), None)


def recognize(data: bytes, kinds: Iterable[Kind]) -> str | None:
    """The content type of the first of these kinds that the bytes are of; None when of none."""
    return next((kind.content_type for kind in kinds if kind.matches(data)), None)


def _begins_with(*marks: bytes) -> Test:
    return lambda data: data.startswith(marks)


def _zip_with(name: bytes) -> Test:
    """A ZIP archive with a file or a folder of that name in it."""
    return lambda data: data.startswith(b"PK\x03\x04") and name in data


def _riff(form: bytes) -> Test:
    return lambda data: data[:4] == b"RIFF" and data[8:12] == form


def _box(*brands: bytes) -> Test:
    """The boxes of MPEG-4 and QuickTime; brands may be cut short."""
    return lambda data: data[4:8] == b"ftyp" and data[8:12].startswith(brands)


def _is_quicktime(data: bytes) -> bool:
    return data[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")


def _is_mpeg_audio(data: bytes) -> bool:
    """An ID3 tag, or a frame's eleven bits of ones: MP3, and AAC in ADTS."""
    return data[:3] == b"ID3" or (len(data) > 1 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0)


def _is_pdf(data: bytes) -> bool:
    return b"%PDF-" in data[:1024]


def _is_svg(data: bytes) -> bool:
    return _SVG.match(data) is not None


def _is_text(data: bytes) -> bool:
    """UTF-8, or GBK as older Chinese systems write it.

    In GBK even a picture might pass as text, were it not for its control characters.
    """
    if len(data.translate(None, CONTROLS)) != len(data):
        return False
    for encoding in ("utf-8", "gbk"):
        try:
            data.decode(encoding)
        except UnicodeDecodeError:
            continue
        return True
    return False


# Nothing is tried in a second way: of many comments without a drawing there are too many.
_SVG = re.compile(rb"\s*+(?:(?><\?xml.*?\?>)\s*+)?+(?:(?><!--.*?-->)\s*+)*+<svg[\s>]", re.DOTALL)
CONTROLS = bytes(set(range(32)) - set(b"\t\n\f\r"))
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
OFFICE = "application/vnd.openxmlformats-officedocument."
TEXT = Kind("text/plain", _is_text)
PNG = Kind("image/png", _begins_with(b"\x89PNG\r\n\x1a\n"))
JPEG = Kind("image/jpeg", _begins_with(b"\xff\xd8\xff"))
GIF = Kind("image/gif", _begins_with(b"GIF87a", b"GIF89a"))
WEBP = Kind("image/webp", _riff(b"WEBP"))
SVG = Kind("image/svg+xml", _is_svg)
HEIF = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
KINDS: dict[str, Kind] = {
    "png": PNG,
    "jpg": JPEG,
    "jpeg": JPEG,
    "gif": GIF,
    "webp": WEBP,
    "bmp": Kind("image/bmp", _begins_with(b"BM")),
    "tiff": Kind("image/tiff", _begins_with(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    "heic": Kind("image/heic", _box(*HEIF)),
    "heif": Kind("image/heif", _box(*HEIF)),
    "pdf": Kind("application/pdf", _is_pdf),
    "doc": Kind("application/msword", _begins_with(OLE, b"{\\rtf")),
    "xls": Kind("application/vnd.ms-excel", _begins_with(OLE)),
    "ppt": Kind("application/vnd.ms-powerpoint", _begins_with(OLE)),
    "docx": Kind(f"{OFFICE}wordprocessingml.document", _zip_with(b"word/")),
    "xlsx": Kind(f"{OFFICE}spreadsheetml.sheet", _zip_with(b"xl/")),
    "pptx": Kind(f"{OFFICE}presentationml.presentation", _zip_with(b"ppt/")),
    "numbers": Kind("application/vnd.apple.numbers", _zip_with(b"Index")),
    "epub": Kind("application/epub+zip", _zip_with(b"application/epub+zip")),
    "zip": Kind("application/zip", _begins_with(b"PK\x03\x04", b"PK\x05\x06")),
    "rar": Kind("application/vnd.rar", _begins_with(b"Rar!\x1a\x07")),
    "7z": Kind("application/x-7z-compressed", _begins_with(b"7z\xbc\xaf\x27\x1c")),
    "gz": Kind("application/gzip", _begins_with(b"\x1f\x8b")),
    "bz2": Kind("application/x-bzip2", _begins_with(b"BZh")),
    "wav": Kind("audio/wav", _riff(b"WAVE")),
    "mp3": Kind("audio/mpeg", _is_mpeg_audio),
    "aac": Kind("audio/aac", lambda data: _is_mpeg_audio(data) or data[:4] == b"ADIF"),
    "flac": Kind("audio/flac", _begins_with(b"fLaC", b"ID3")),
    "m4a": Kind("audio/mp4", _box(b"")),
    "ogg": Kind("audio/ogg", _begins_with(b"OggS")),
    "mp4": Kind("video/mp4", _box(b"")),
    "mov": Kind("video/quicktime", _is_quicktime),
    "avi": Kind("video/x-msvideo", _riff(b"AVI ")),
    "webm": Kind("video/webm", _begins_with(b"\x1a\x45\xdf\xa3")),
    "mkv": Kind("video/x-matroska", _begins_with(b"\x1a\x45\xdf\xa3")),
    "csv": Kind("text/csv", _is_text),
    "md": Kind("text/markdown", _is_text),
    **dict.fromkeys(("txt", "py", "java", "c", "cpp"), TEXT),
}
# Each kind of picture once, by its usual ending; `jpeg` and `heif` are other names.
PICTURES = ("png", "jpg", "gif", "webp", "bmp", "tiff", "heic")
PICTURE_ENDINGS = frozenset((*PICTURES, "jpeg", "heif"))
