"""What the owner's commands say."""

from collections.abc import Mapping
from typing import Any

from chat.settings.words import Words

WORDS: dict[str, Words] = {
    "backed_up": Words(
        "已备份到 {path}：{size} 字节，{conversations} 个对话",
        "Backed up to {path}: {size} bytes, {conversations} conversations",
    ),
    "restored": Words(
        "已恢复 {path}：{size} 字节，{conversations} 个对话。现在可以启动站点",
        "Restored {path}: {size} bytes, {conversations} conversations. Start the site now",
    ),
    "kept_beside": Words(
        "原来的数据库保留在 {before}（可能还有同名的 -wal）；确认不再需要后一并删除",
        "The database that was there is kept as {before}, perhaps with a -wal beside it; delete "
        "both once you do not need them any more",
    ),
    "no_database": Words(
        "没有数据库 {path}。在站点的目录里运行，或设 DATABASE_URL",
        "There is no database {path}. Run this in the site's folder, or set DATABASE_URL",
    ),
    "no_place": Words(
        "DATABASE_URL 不是 sqlite:///路径。不填则用 instance/chat.db",
        "DATABASE_URL is no sqlite:///path. Unset it to use instance/chat.db",
    ),
    "no_backup": Words(
        "没有文件 {path}。写出备份文件的路径",
        "There is no file {path}. Name the file of a backup",
    ),
    "exists": Words(
        "{path} 已经存在。换一个名字，或加 --force 覆盖",
        "{path} is there already. Choose another name, or add --force to overwrite it",
    ),
    "same": Words(
        "{path} 就是正在使用的数据库。写出备份文件的路径",
        "{path} is the database in use. Name the file of a backup",
    ),
    "not_ours": Words(
        "{path} 不是本站的数据库，没有改动。写出 flask backup 生成的文件",
        "{path} is no database of this site, nothing was changed. Name a file that flask backup "
        "made",
    ),
    "newer": Words(
        "{path} 来自更新的版本（{version}），本版本只认到 {newest}，没有改动。先安装较新的版本",
        "{path} is of a newer version ({version}) than this one knows ({newest}), nothing was "
        "changed. Install the newer version first",
    ),
    "damaged": Words(
        "{path} 已损坏，没有改动：{reason}。换一个备份",
        "{path} is damaged, nothing was changed: {reason}. Take another backup",
    ),
    "running": Words(
        "站点正在运行（进程 {pids}），没有改动。先停止它，或加 --force",
        "The site is running (process {pids}), nothing was changed. Stop it first, or add --force",
    ),
    "unwritable": Words(
        "写不进 {path}：{reason}。换一个有空间、可写的文件夹",
        "{path} cannot be written: {reason}. Choose a folder that can be written and has room",
    ),
    "locked": Words(
        "数据库现在不能使用：{reason}。稍后再试",
        "The database cannot be used at the moment: {reason}. Try again later",
    ),
    "nobody": Words(
        "没有这个访客，也没有这个对话：{named}。写访客编号，或对话的地址 /c/…",
        "There is neither a visitor nor a conversation {named}. Name a visitor's id, or a path "
        "/c/…",
    ),
    "forgotten": Words(
        "已删除访客 {visitor} 的全部内容：{counts}",
        "Everything of the visitor {visitor} was deleted: {counts}",
    ),
    "traces": Words(
        "有别的程序在读数据库，痕迹还留在 {path}-wal 里；站点停止后再运行一次",
        "Somebody is reading the database, so traces are left in {path}-wal. Run this again "
        "once the site has ended",
    ),
    "copies": Words(
        "备份里的副本不受影响",
        "Copies in backups are not touched",
    ),
    "copies_before": Words(
        "升级前的副本里也还有：{paths}。不再需要时请删除",
        "Copies from before an upgrade are not touched either: {paths}. Delete them once you do "
        "not need them any more",
    ),
    "no_codes": Words(
        "每行一个，至少 {least} 个字符",
        "One a line, of at least {least} characters",
    ),
}
COUNTED = {
    "conversations": Words("对话", "conversations"),
    "answers": Words("回答", "answers"),
    "shares": Words("链接", "shares"),
    "uploads": Words("文件", "uploads"),
    "moves": Words("换设备代码", "moves"),
    "sessions": Words("登录", "sessions"),
}


def say(id: str, language: str, **facts: Any) -> str:
    """One sentence of a command."""
    return WORDS[id].say(language, facts)


def counts(numbers: Mapping[str, int]) -> Words:
    """How many rows of which table, such as `conversations 2, answers 5`."""
    rows = [(COUNTED.get(name, Words(name, name)), number) for name, number in numbers.items()]
    return Words(
        "、".join(f"{name.zh} {number}" for name, number in rows),
        ", ".join(f"{name.en} {number}" for name, number in rows),
    )
