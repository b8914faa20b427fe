"""Access codes and API keys in the settings: every form, errors by number, hashes."""

import json
import re
from contextlib import chdir
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from chat.logs.redaction import Redaction
from chat.owner.commands import examine, hash_codes
from chat.settings import code_lists, hashes
from chat.settings import model as settings
from chat.settings.errors import SettingsError
from chat.visitors import codes
from chat.visitors.codes import CodeCache, Codes
from chat.visitors.matching import Matcher

KEY = "a key of this test"
LANTERN, KITE = "brass-lantern-42", "paper-kite-77"


def known(text: str, zone: str = "Asia/Shanghai") -> Codes:
    return Codes(code_lists.parse(text), KEY, zone)


def refusal(language: str = "en", **variables: str) -> str:
    """The one line that ends a start."""
    with pytest.raises(SettingsError) as raised, pytest.MonkeyPatch.context() as environment:
        for name, value in variables.items():
            environment.setenv(name, value)
        settings.load()
    return raised.value.say(language)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (LANTERN, [("", LANTERN, None, 0)]),
        (f"ann:{LANTERN}", [("ann", LANTERN, None, 0)]),
        (f":{LANTERN}", [("", LANTERN, None, 0)]),
        (f"ann:{LANTERN}:", [("ann", LANTERN, None, 0)]),
        (f"ann:{LANTERN}:2027-01-01", [("ann", LANTERN, date(2027, 1, 1), 0)]),
        (f"ann:{LANTERN}:2027-01-01:200", [("ann", LANTERN, date(2027, 1, 1), 200)]),
        (f"ann:{LANTERN}::200", [("ann", LANTERN, None, 200)]),
        (f":{LANTERN}::0", [("", LANTERN, None, 0)]),
        (
            f"七班：{LANTERN}：2027-01-01，{KITE}",
            [("七班", LANTERN, date(2027, 1, 1), 0), ("", KITE, None, 0)],
        ),
        (f"{LANTERN}, {KITE}", [("", LANTERN, None, 0), ("", KITE, None, 0)]),
        (f"\n  {LANTERN}\r\n{KITE},\n,", [("", LANTERN, None, 0), ("", KITE, None, 0)]),
    ],
)
def test_every_form_is_understood(
    text: str, wanted: list[tuple[str, str, date | None, int]]
) -> None:
    assert [(one.name, one.text, one.until, one.daily) for one in code_lists.parse(text)] == wanted


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("hunter2", "entry 1: it has to have 8 to 200 characters"),
        (f"{LANTERN} ann:hunter2", "entry 2: it has to have 8"),
        ("ann:" + "x" * 201, "entry 1: it has to have 8"),
        ("ann:", "entry 1 has no code"),
        ("ann:2027-01-01", "entry 1 has no code"),
        (f"ann:{LANTERN}:2027-13-01", "entry 1: a day is written"),
        (f"ann:{LANTERN}:9999-12-31", "entry 1: a day is written"),
        (f"ann:{LANTERN}:2027-01-01:many", "entry 1: the questions a day are a number"),
        (f"ann:{LANTERN}:2027-01-01:-1", "entry 1: the questions a day are a number"),
        (f"ann:{LANTERN}::1:2", "entry 1 has more than four parts"),
        (f"#x:{LANTERN}", "entry 1: a name has at most 40"),
        (f"{'n' * 41}:{LANTERN}", "entry 1: a name has at most 40"),
        (f"ann:{LANTERN},ann:{KITE}", "entries 1 and 2 have the same name"),
        (f"ann:{LANTERN},bea:{LANTERN}", "entries 1 and 2 are the same code"),
        ("scrypt$14$8$1$short", "entry 1: a damaged hash"),
        (" , ", "no code in it"),
    ],
)
def test_a_wrong_entry_is_named_by_its_number_and_not_repeated(
    text: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    line = refusal(ACCESS_CODES=text)
    assert line.startswith(f"ACCESS_CODES: {told}") and line.endswith(".") and "\n" not in line
    assert not any(secret in line for secret in ("hunter2", LANTERN, KITE, "xxxx", "nnnn", "short"))
    assert "unset" not in line, "a site without codes is open"
    chinese = refusal("zh", ACCESS_CODES=text)
    assert not re.search("[a-z]{3,} [a-z]{3,} [a-z]{3,}", chinese), chinese


def test_keys_are_longer_and_plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "16 to 200" in refusal(API_KEYS="fifteen-letters")
    assert "letters, digits and signs" in refusal(API_KEYS="十六个汉字不能放在请求头里面所以不行")


def test_each_code_by_itself_is_kept_out_of_logs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ACCESS_CODES", f"ann:{LANTERN}:2027-01-01，bea：{KITE}")
    monkeypatch.setenv("API_KEYS", "0123456789abcdef kiosk:fedcba9876543210::5")
    given = settings.load()
    redaction = Redaction(settings.secrets(given))
    for secret in (LANTERN, KITE, "0123456789abcdef", "fedcba9876543210"):
        assert redaction.blank(f"somebody said {secret}") == "somebody said ***"
        assert secret not in repr(given) and secret not in str(code_lists.parse(f"ann:{secret}"))


def test_a_code_is_found_however_it_is_typed() -> None:
    site = known(f"ann:{LANTERN},{KITE}")
    for typed in (LANTERN, f" {LANTERN}\n", "ｂｒａｓｓ－ｌａｎｔｅｒｎ－４２"):
        found = site.find(typed)
        assert found and (found.id, found.label) == ("ann", "ann")
    nameless = site.find(KITE)
    assert nameless and nameless.label == "#2" and re.fullmatch("#[0-9a-f]{12}", nameless.id)
    for wrong in (
        "",
        "ann",
        LANTERN.upper(),
        LANTERN + "x",
        "x" * 100_000,
        "\ud83d",
        f"ann:{LANTERN}",
    ):
        assert site.find(wrong) is None


def test_no_plain_code_stays_in_memory() -> None:
    site = known(f"ann:{LANTERN},{KITE}")
    for value in (vars(site), *(vars(code) for code in site.all)):
        assert LANTERN not in str(value) and KITE not in str(value)
    assert LANTERN not in repr(site.all) and str(site.all[0].hash) not in repr(site.all)
    assert site.all[0].mark not in repr(site.all)


def test_a_mark_is_the_code_s_and_the_name_s() -> None:
    mark = known(f"ann:{LANTERN}").all[0].mark
    assert known(f"x:{KITE},ann:{LANTERN}:2030-01-01:5").all[1].mark == mark
    others = (
        known(f"ann:{KITE}"),
        known(f"bea:{LANTERN}"),
        Codes(code_lists.parse(f"ann:{LANTERN}"), "other", "UTC"),
    )
    assert mark not in {one.all[0].mark for one in others}
    site = known(f"{LANTERN},{KITE}")
    assert site.all[1].id == known(KITE).all[0].id, "a nameless one is the same wherever it stands"


@pytest.mark.parametrize(
    ("zone", "ends"),
    [
        ("Asia/Shanghai", datetime(2027, 1, 1, 16, tzinfo=UTC)),
        ("UTC", datetime(2027, 1, 2, tzinfo=UTC)),
    ],
)
def test_a_code_is_good_to_the_end_of_its_day(zone: str, ends: datetime) -> None:
    (code,) = known(f"ann:{LANTERN}:2027-01-01", zone).all
    assert code.ends_at == ends
    assert code.is_good(datetime.fromtimestamp(ends.timestamp() - 1, UTC)) and not code.is_good(
        ends
    )


def test_a_hash_works_as_a_code() -> None:
    kept = [hashes.make_hash(text, hashes.new_recipe(10)) for text in (LANTERN, KITE)]
    site = known(f"ann:{kept[0]}:2027-01-01:3,{kept[1]},third-code-33")
    assert [site.find(one) for one in (LANTERN, KITE, "third-code-33")] == list(site.all)
    assert site.find(str(kept[0])) is None, "the hash itself opens nothing"
    assert hashes.make_hash(LANTERN, hashes.new_recipe()) != hashes.make_hash(
        LANTERN, hashes.new_recipe()
    )


@pytest.mark.parametrize(
    "text", ["scrypt$30$8$1$", "scrypt$14$99$1$", "scrypt$14$8$9$", "scrypt$9$8$1$"]
)
def test_a_too_expensive_hash_is_refused(text: str) -> None:
    good = str(hashes.make_hash(LANTERN, hashes.new_recipe(10)))
    assert hashes.parse_hash(good)
    with pytest.raises(ValueError, match="damaged"):
        hashes.parse_hash(text + "$".join(good.split("$")[4:]))


def test_every_recipe_is_followed_and_every_hash_compared() -> None:
    shared = hashes.new_recipe(10)
    kept = [hashes.make_hash(text, shared) for text in ("one-of-many", "two-of-many")]
    kept.append(hashes.make_hash("three-of-many", hashes.new_recipe(10)))
    matcher = Matcher(kept)
    assert matcher.match("two-of-many") == [False, True, False]
    assert matcher.match("nothing") == [False] * 3


def test_the_command_makes_hashes(tmp_path: Path) -> None:
    with chdir(tmp_path):
        done = CliRunner().invoke(hash_codes, input=f"{LANTERN}\n\n  {KITE}  \n")
    lines = done.output.split()
    assert done.exit_code == 0 and len(lines) == 2 and LANTERN not in done.output
    site = known(f"ann:{lines[0]},bea:{lines[1]}")
    assert [one and one.id for one in map(site.find, (LANTERN, KITE))] == ["ann", "bea"]
    assert len({code.hash.recipe for code in site.all}) == 1, "with one salt a try costs one"


@pytest.mark.parametrize("given", ["", "\n", "short\n", f"{LANTERN}\nshort\n"])
def test_a_too_short_text_is_not_hashed(given: str) -> None:
    done = CliRunner().invoke(hash_codes, input=given)
    assert done.exit_code == 2 and "8" in done.output and "scrypt" not in done.output


def test_the_command_takes_the_salt_of_the_settings(tmp_path: Path) -> None:
    recipe = hashes.new_recipe()
    stored = [hashes.make_hash(text, recipe) for text in ("code-one-1", "code-two-2")]
    other = hashes.make_hash("code-three-3", hashes.new_recipe())
    variables = {"ACCESS_CODES": f"{other},{stored[0]},{stored[1]}"}
    with chdir(tmp_path):
        done = CliRunner(env=variables).invoke(hash_codes, input=f"{LANTERN}\n")
        weak = {"ACCESS_CODES": str(hashes.make_hash("code-one-1", hashes.new_recipe(12)))}
        strong = CliRunner(env=weak).invoke(hash_codes, input=f"{LANTERN}\n")
    assert hashes.parse_hash(done.output.strip()).recipe == recipe, "the commonest one"
    assert hashes.parse_hash(strong.output.strip()).recipe.work == hashes.WORK_IN_FILES


def test_the_code_cache_is_by_address_and_bounded() -> None:
    cache, (code,) = CodeCache(), known(LANTERN).all
    cache.add(LANTERN, code, "192.0.2.1")
    assert cache.get(LANTERN, "192.0.2.1") is code
    assert cache.get(LANTERN, "192.0.2.2") is None and cache.get(KITE, "192.0.2.1") is None
    assert LANTERN not in str(vars(cache))
    for number in range(codes.MOST_CACHED_CODES):
        cache.add(LANTERN, code, str(number))
    assert cache.get(LANTERN, "192.0.2.1") is None and cache.get(LANTERN, "7") is code


# the doctor


@pytest.mark.parametrize(
    ("given", "level", "words"),
    [
        ({}, "ok", ["127.0.0.1"]),
        ({"HOST": "localhost"}, "ok", ["localhost"]),
        ({"HOST": "::1"}, "ok", ["::1"]),
        ({"HOST": "0.0.0.0"}, "warn", ["0.0.0.0", "ACCESS_CODES"]),
        ({"HOST": "::", "API_KEYS": "0123456789abcdef"}, "warn", ["::", "ACCESS_CODES"]),
        (
            {
                "HOST": "0.0.0.0",
                "ACCESS_CODES": f"{LANTERN},{KITE}",
                "API_KEYS": "0123456789abcdef",
            },
            "ok",
            ["2", "1"],
        ),
    ],
)
def test_the_doctor_says_what_rule_is_in_force(
    tmp_path: Path, given: dict[str, str], level: str, words: list[str]
) -> None:
    for language in ("zh", "en"):
        (found,) = _access(tmp_path, given, language)
        assert found["level"] == level
        for word in words:
            assert word in found["seen"] + found["to_do"]
        assert bool(found["to_do"]) == (level == "warn")


def test_the_doctor_names_what_has_expired_and_no_code(tmp_path: Path) -> None:
    given = {
        "ACCESS_CODES": f"ann:{LANTERN}:2020-01-01,bea:{KITE},last-year-99,:old-code-11:2021-01-01",
        "API_KEYS": "kiosk:0123456789abcdef:2020-01-01",
    }
    rule, expired = _access(tmp_path, given, "en")
    assert rule["level"] == "ok" and "access codes: 4, API keys: 1" in rule["seen"]
    assert expired["level"] == "warn" and expired["seen"].endswith(": ann, #4, kiosk")
    assert not re.search("lantern|kite|9999|01234|old-code", json.dumps([rule, expired]))


def test_the_doctor_says_how_to_make_a_try_cost_one_hash(tmp_path: Path) -> None:
    recipe = hashes.new_recipe(10)
    alike = [str(hashes.make_hash(text, recipe)) for text in (LANTERN, KITE)]
    other = str(hashes.make_hash("third-code-33", hashes.new_recipe(10)))
    (_,) = _access(tmp_path, {"ACCESS_CODES": ",".join(alike)}, "en")
    _, salts = _access(tmp_path, {"ACCESS_CODES": ",".join([*alike, other])}, "en")
    assert salts["level"] == "warn" and "2 different salts" in salts["seen"]
    assert "flask hash" in salts["to_do"]


def test_the_doctor_names_agents_that_need_no_code(tmp_path: Path) -> None:
    lines = ["[[agents]]", 'id = "free"', 'platform = "coze"', 'bot_id = "1"', 'access = "open"']
    (tmp_path / "agents.toml").write_text("\n".join([*lines, 'api_base = "http://127.0.0.1:9"']))
    given = {"AGENTS_FILE": "agents.toml", "COZE_API_TOKEN": "sat_demo", "ACCESS_CODES": LANTERN}
    (rule,) = _access(tmp_path, given, "en")
    assert rule["seen"].endswith("agents that need none: free")


def _access(folder: Path, given: dict[str, str], language: str) -> list[dict[str, str]]:
    with chdir(folder):
        done = CliRunner(env=given).invoke(examine, ["--json", "--lang", language])
    findings = [one for one in json.loads(done.output) if one["about"] == "access"]
    # What an address counts for is said of every site.
    return [one for one in findings if "ADDRESS_SHARE" not in one["seen"]]
