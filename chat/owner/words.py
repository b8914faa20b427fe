"""What the owner's commands say."""

from collections.abc import Mapping
from typing import Any

from chat.settings.words import Words

WORDS: dict[str, Words] = {
    "open_site": Words("智页已启动，请打开 {addresses}", "The site is running: open {addresses}"),
    "runs_demo": Words(
        "这是演示：没有设置任何平台，由内置模拟器作答",
        "This is a demo: no platform is set, and a built-in emulator answers",
    ),
    "runs_agents": Words("智能体：{names}", "Agents: {names}"),
    "desk_address": Words("管理后台：{address}", "The owner's desk: {address}"),
    "desk_link": Words(
        "管理后台：打开下面的链接设置密码（只能用一次）",
        "The owner's desk: open this link to choose a password (it works once)",
    ),
    "admin_link": Words(
        "在浏览器里打开这个链接，为管理后台设置新密码。链接只能用一次，一天内有效：\n{address}",
        "Open this link in a browser to choose a password for the desk. It works once, within a "
        "day:\n{address}",
    ),
    "codes_ended": Words(
        "登录管理后台不再需要动态验证码",
        "The desk asks for no one-time codes any more",
    ),
    "password_is_set": Words(
        "已经设置了 ADMIN_PASSWORD，管理后台用它登录。要在浏览器里设置密码，先去掉它再重新启动",
        "ADMIN_PASSWORD is set, and opens the desk. To choose a password in the browser, remove it "
        "and start the site again",
    ),
    "backed_up": Words(
        "已备份到 {path}：{size} 字节，{conversations} 个对话",
        "Backed up to {path}: {size} bytes, conversations: {conversations}",
    ),
    "restored": Words(
        "已恢复 {path}：{size} 字节，{conversations} 个对话。现在可以启动站点",
        "Restored {path}: {size} bytes, conversations: {conversations}. Start the site now",
    ),
    "kept_beside": Words(
        "原来的数据库保留在 {before}（可能还有同名的 -wal）；确认不再需要后一并删除",
        "The database that was there is kept as {before}, perhaps with a -wal beside it; delete "
        "both once you do not need them any more",
    ),
    "no_database": Words(
        "没有数据库 {path}。请在站点的目录里运行，或设置 DATABASE_URL",
        "There is no database {path}. Run this in the site's folder, or set DATABASE_URL",
    ),
    "use_pg_dump": Words(
        "数据库在 PostgreSQL 里：只有它自己的工具能在站点运行时取到同一时刻的全部数据。请运行\n"
        "  pg_dump --format=custom --file={file} {address}\n"
        "密码会另外询问，也可以写在 ~/.pgpass 里",
        "The database is in PostgreSQL: only its own tool copies all of one moment while the site "
        "runs. Run\n"
        "  pg_dump --format=custom --file={file} {address}\n"
        "It asks for the password, or reads it from ~/.pgpass",
    ),
    "use_pg_restore": Words(
        "数据库在 PostgreSQL 里，由它自己的工具恢复。先停止站点，再运行\n"
        "  pg_restore --clean --if-exists --no-owner --single-transaction "
        "--dbname={address} {file}\n"
        "密码会另外询问，也可以写在 ~/.pgpass 里",
        "The database is in PostgreSQL, whose own tool restores it. Stop the site, then run\n"
        "  pg_restore --clean --if-exists --no-owner --single-transaction "
        "--dbname={address} {file}\n"
        "It asks for the password, or reads it from ~/.pgpass",
    ),
    "no_tables": Words(
        "数据库 {place} 里还没有表。先启动一次站点，或检查 DATABASE_URL",
        "The database {place} has no tables yet. Start the site once, or check DATABASE_URL",
    ),
    "no_server": Words(
        "DATABASE_URL 不是 PostgreSQL 的地址。先在 .env 里写 "
        "DATABASE_URL=postgresql://用户:密码@主机:5432/数据库，要迁移的文件用 --from 指定",
        "DATABASE_URL is not the address of a PostgreSQL database. First write "
        "DATABASE_URL=postgresql://user:password@host:5432/name into .env; --from names the file "
        "to move",
    ),
    "not_a_file": Words(
        "--from 要写 SQLite 文件的路径，不是 {source}://",
        "--from takes the path of a SQLite file, not {source}://",
    ),
    "copied_table": Words("{table}：{count}", "{table}: {count}"),
    "other_rows": Words(
        "{place} 里已有别的数据（{table}：{count} 行不是 {path} 里的），没有改动。"
        "换一个空的数据库：createdb --encoding=UTF8 --template=template0 名字",
        "{place} has other data (rows of {table} that are not those of {path}: {count}); nothing "
        "was changed. Use an empty database: createdb --encoding=UTF8 --template=template0 name",
    ),
    "not_equal": Words(
        "{place} 里有 {count} 行与 {path} 不同（{table}）。确认没有别的程序在写，再运行一次",
        "Rows in {place} that differ from {path}: {count} ({table}). Make sure that nobody else "
        "writes, and run this again",
    ),
    "moved": Words(
        "{path} 的全部内容已复制到 {place}，每一行都核对过：{counts}。原文件没有改动。"
        "现在可以启动站点；不要更换 SECRET_KEY 或 instance/secret_key，访客靠它认出自己的对话",
        "All of {path} is in {place}, and every row was compared: {counts}. The file stays as it "
        "was. Start the site now, with the same SECRET_KEY or instance/secret_key: by it visitors "
        "get at their conversations",
    ),
    "no_backup": Words(
        "没有文件 {path}。请写出备份文件的路径",
        "There is no file {path}. Name the file of a backup",
    ),
    "exists": Words(
        "{path} 已经存在。换一个名字，或加 --force 覆盖",
        "{path} already exists. Choose another name, or add --force to overwrite it",
    ),
    "same": Words(
        "{path} 就是正在使用的数据库。请写出备份文件的路径",
        "{path} is the database in use. Name the file of a backup",
    ),
    "not_ours": Words(
        "{path} 不是本站的数据库，没有改动。请写出 {program} backup 生成的文件",
        "{path} is not a database of this site; nothing was changed. Name a file that {program} "
        "backup made",
    ),
    "newer": Words(
        "{path} 来自更新的版本（{version}），本版本只支持到 {newest}，没有改动。请先安装较新的版本",
        "{path} is of a newer version ({version}) than this one knows ({newest}); nothing was "
        "changed. Install the newer version first",
    ),
    "damaged": Words(
        "{path} 已损坏，没有改动：{reason}。请换一个备份",
        "{path} is damaged; nothing was changed: {reason}. Use another backup",
    ),
    "running": Words(
        "站点正在运行（进程 {pids}），没有改动。请先停止它，或加 --force",
        "The site is running (process {pids}); nothing was changed. Stop it first, or add --force",
    ),
    "unwritable": Words(
        "无法写入 {path}：{reason}。请换一个有空间、可写的文件夹",
        "{path} cannot be written: {reason}. Choose a folder that is writable and has room",
    ),
    "locked": Words(
        "数据库暂时不可用：{reason}。请稍后再试",
        "The database cannot be used at the moment: {reason}. Try again later",
    ),
    "nobody": Words(
        "没有这个访客，也没有这个对话：{named}。请写访客 ID，或对话的地址 /c/…",
        "There is neither a visitor nor a conversation {named}. Name a visitor's id, or a path "
        "/c/…",
    ),
    "forgotten": Words(
        "已删除访客 {visitor} 的全部内容：{counts}",
        "Everything of visitor {visitor} was deleted: {counts}",
    ),
    "traces": Words(
        "有别的程序在读数据库，痕迹还留在 {path}-wal 里。请在站点停止后再运行一次",
        "Another program is reading the database, so traces are left in {path}-wal. Run this again "
        "once the site has stopped",
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
    "blocked": Words(
        "已屏蔽 {subject}，一两秒内生效",
        "{subject} is blocked, within a second or two",
    ),
    "unblocked": Words("已解除屏蔽 {subject}", "{subject} is no longer blocked"),
    "nobody_blocked": Words("没有屏蔽任何人", "Nobody is blocked"),
    "already_blocked": Words("{subject} 已经在屏蔽名单里", "{subject} is blocked already"),
    "not_blocked": Words(
        "没有屏蔽 {who}。{program} block --list 会列出已屏蔽的",
        "{who} is not blocked. {program} block --list shows who is",
    ),
    "nobody_to_block": Words(
        "没有这个访客：{who}。请写日志里的访客标识（至少 8 位）、对话的地址 /c/…，或 IP 地址、网段",
        "There is no visitor {who}. Write the visitor's name in the log (at least 8 digits), a "
        "path /c/…, an address or a network",
    ),
    "blocks_loopback": Words(
        "{subject} 是这台机器自己，反向代理也从这里来，没有改动。前面有代理时请设置 "
        "TRUSTED_PROXIES，再屏蔽访客的地址",
        "{subject} is this machine itself, where its proxy comes from; nothing was changed. Behind "
        "a proxy set TRUSTED_PROXIES, and block the visitor's address",
    ),
    "blocks_private": Words(
        "{subject} 是内网地址，你的代理可能就在那里，没有改动。确实是访客的地址时加 --force",
        "{subject} is an address of a private network, where your proxy may be; nothing was "
        "changed. Add --force if it is a visitor's",
    ),
    "blocks_too_much": Words(
        "{subject} 范围太大，会挡住很多人，没有改动。IPv4 最大为 /8，IPv6 最大为 /16",
        "{subject} is so wide that it would block a great many people; nothing was changed. The "
        "widest are /8 for IPv4 and /16 for IPv6",
    ),
    "service_written": Words(
        "已写好 {path}：以用户 {user} 运行，数据和设置在 {home}。请用 root 执行：",
        "Wrote {path}: the user {user} runs the site; its data and settings are in {home}. "
        "As root:",
    ),
    "service_started": Words(
        "查看日志：journalctl -u zhiye -f。改了 .env 或更新之后：systemctl restart zhiye",
        "The log: journalctl -u zhiye -f. After a change of .env or an update: "
        "systemctl restart zhiye",
    ),
    "user_name": Words(
        "{user} 不能用作用户名，没有写文件。请用 --user 指定一个由字母、数字、- 和 _ 组成的名字",
        "{user} cannot be the name of a user; nothing was written. Name one with --user, of "
        "letters, digits, - and _",
    ),
    "closed_folder": Words(
        "用户 {user} 无权进入 {folder}，没有写文件。请把程序和数据放到别处（如 /opt/zhiye），"
        "或用 --user 指定能进入的用户",
        "The user {user} may not enter {folder}; nothing was written. Install the program and keep "
        "its data elsewhere, such as /opt/zhiye, or name with --user who may",
    ),
    "nothing_done": Words("还没有记录", "Nothing has been recorded yet"),
    "not_noted": Words(
        "这次操作没能写入操作记录：{reason}",
        "This could not be noted in the activity log: {reason}",
    ),
    "no_codes": Words(
        "每行一个，至少 {least} 个字符",
        "One per line, of at least {least} characters",
    ),
}
COUNTED = {
    "conversations": Words("对话", "conversations"),
    "answers": Words("回答", "answers"),
    "shares": Words("分享链接", "share links"),
    "uploads": Words("文件", "uploads"),
    "moves": Words("同步码", "sync codes"),
    "sessions": Words("登录", "sessions"),
    "drawings": Words("已排版的回答", "drawn answers"),
    "days": Words("每天的用量", "days of usage"),
    "secrets": Words("授权", "grants"),
    "blocks": Words("屏蔽", "blocks"),
    "owner_log": Words("操作记录", "entries of the log"),
    "owner_values": Words("后台的设置", "settings of the desk"),
    "owner_files": Words("后台的图片", "pictures of the desk"),
    "owner_agents": Words("后台的智能体", "agents of the desk"),
    "owner_sessions": Words("后台登录", "sessions of the desk"),
    "notices": Words("通知", "notices"),
    "outcomes": Words("结果", "outcomes"),
    "closed_days": Words("每日统计", "counted days"),
}


def say(id: str, language: str, **facts: Any) -> str:
    """One sentence of a command."""
    return WORDS[id].say(language, facts)


def counted(table: str) -> Words:
    """The rows of a table, as one calls them."""
    return COUNTED.get(table, Words(table, table))


def counts(numbers: Mapping[str, int]) -> Words:
    """How many rows of which table, such as `conversations 2, answers 5`."""
    rows = [(counted(name), number) for name, number in numbers.items()]
    return Words(
        "、".join(f"{name.zh} {number}" for name, number in rows),
        ", ".join(f"{name.en} {number}" for name, number in rows),
    )
