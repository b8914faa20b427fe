"""docs/openapi.yaml as Python reads it."""

from typing import Any

import yaml

from tests.kit.fork_server import ROOT

FILE = ROOT / "docs" / "openapi.yaml"
# The loader in C: the other one takes half a second, in every worker of every run.
DOCUMENT: dict[str, Any] = yaml.load(FILE.read_text(encoding="utf-8"), yaml.CSafeLoader)
