"""A site with many agents, for benches of the page."""

from pathlib import Path

from tests.kit.emulator import Emulator, coze

AGENT = """
[[agents]]
id = "agent{number}"
platform = "coze"
name = "智能体 {number}"
description = "Knows everything about the {number}th hall of the museum"
group = "Floor {floor}"
"""


def many_agents(folder: Path, count: int, emulator: str) -> dict[str, object]:
    """The settings of a site in this folder with so many agents, all of them the emulator's."""
    settings = coze(Emulator(emulator))
    if count > 1:
        agents = (AGENT.format(number=number, floor=number % 4) for number in range(2, count + 1))
        (folder / "agents.toml").write_text("".join(agents), encoding="utf-8")
        settings["AGENTS_FILE"] = "agents.toml"
    return settings
