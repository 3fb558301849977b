"""What the exchange and the hardware agent get: settings, and the first users."""

import copy
import json
from collections.abc import Mapping

from first_boot.accounts import SERVICE_USER
from first_boot.boot_text import TAKEN_OVER
from first_boot.machine import Machine, Outcome, Owner
from first_boot.merging import Settings, leaves, merged, without, without_paths
from first_boot.notes import LANGUAGES, Note, note
from first_boot.toml_source import read_toml, write_toml
from first_boot.wishes import FirstUser

PROGRAM = "/usr/bin/minisipserver-cli"
DATA_FOLDER = ".minisipserver"
SETTINGS = "minisip.toml"
HARDWARE = "hardware.toml"
FIRST_USERS = "first-users.json"
FIRST_COUNTRY = "first-country"

_EX_CONFIG = 78
_LOCALES = {"en": "C.UTF-8", "zh": "zh_CN.UTF-8"}


def data_folder(machine: Machine) -> tuple[str, Owner] | None:
    """Return the exchange's data folder and whose it is; None where there is no such user."""
    owner = machine.owner(SERVICE_USER)
    if owner is None:
        return None
    folder = f"{owner.home}/{DATA_FOLDER}"
    machine.make_folder(folder, 0o700, owner)
    return folder, owner


def set_exchange(
    machine: Machine,
    wished: Mapping[str, object],
    before: Mapping[str, object],
    home: str | None = None,
) -> tuple[Settings, list[Note]]:
    """Bring the wished settings into the exchange's own file, as far as the exchange takes them.

    Settings there that came by another way stay; the ones that came from here `before` and aren't
    wished any more go.

    Args:
        machine: the box.
        wished: the settings.
        before: what of such has been taken the last time.
        home: the country whose tones the exchange plays where no setting says so.

    Returns:
        What has been taken, and what has not been.
    """
    place = data_folder(machine)
    if place is None:
        return {}, [note("account-missing", name=SERVICE_USER)] if wished else []
    folder, owner = place
    name = f"{folder}/{SETTINGS}"
    try:
        there = read_toml(machine.read(name))
    except (ValueError, RecursionError):
        # a person wrote it there, and the exchange says at its start what is wrong with it
        return {}, [note("exchange-file-broken", path=name)]
    wishes: Settings = copy.deepcopy(dict(wished))
    notes = _keep_secret(wishes, there)
    base = without(there, before)
    _set_country(wishes, base, home)
    if wishes == before:
        return wishes, notes
    while wishes:
        sentences = _refusal(machine, folder, owner, merged(base, wishes))
        if sentences is None:
            notes.append(note("exchange-unchecked"))
            wishes = {}
            break
        if not sentences:
            break
        notes.append(note("exchange-setting", why=sentences))
        named = [path for path in leaves(wishes) if ".".join(path) in _words(sentences["en"])]
        # a sentence that names no setting leaves no better guess than all of them
        wishes = without_paths(wishes, named) if named else {}
    result = merged(base, wishes)
    if result != there:
        machine.write(name, write_toml(result), 0o600, owner)
    return wishes, notes


def _keep_secret(wishes: Settings, there: Settings) -> list[Note]:
    """Put the database that the exchange has where its URL was taken over from the card."""
    if wishes.get("database") != TAKEN_OVER:
        return []
    if "database" in there:
        wishes["database"] = there["database"]
        return []
    del wishes["database"]
    return [note("secret-gone", setting="database")]


def _set_country(wishes: Settings, there: Settings, home: str | None) -> None:
    """Wish for the tones of the country where the box is, unless somebody has said whose."""
    said = there.get("media")
    if not home or (isinstance(said, dict) and "country" in said):
        return
    media = wishes.setdefault("media", {})
    if isinstance(media, dict):
        media.setdefault("country", home)


def _refusal(
    machine: Machine, folder: str, owner: Owner, settings: Settings
) -> dict[str, str] | None:
    """Return why the exchange doesn't take these settings, in each language.

    Empty where it takes them, None where it can't be asked.
    """
    name = f"{folder}/.checked.toml"
    machine.write(name, write_toml(settings), 0o600, owner)
    try:
        path = str(machine.path(name))
        first = _check(machine, path, "en")
        if first.code == 0:
            return {}
        if first.code != _EX_CONFIG:
            return None
        outcomes = {"en": first, "zh": _check(machine, path, "zh")}
        return {
            spoken: outcomes[spoken].error.strip().replace(path, SETTINGS).partition(": ")[2]
            for spoken in LANGUAGES
        }
    finally:
        machine.remove(name)


def _check(machine: Machine, path: str, spoken: str) -> Outcome:
    return machine.run(
        *("runuser", "-u", SERVICE_USER, "--", "env", f"LC_ALL={_LOCALES[spoken]}"),
        *(PROGRAM, "--check-config", "--config", path),
    )


def _words(sentence: str) -> set[str]:
    """Return the words of a sentence, without the marks around them and without ``[0]``."""
    return {word.strip(".,:;()'\"").partition("[")[0] for word in sentence.split()}


def set_hardware(
    machine: Machine, wished: Mapping[str, object], before: Mapping[str, object]
) -> list[Note]:
    """Bring the wished settings of lamp and button into the hardware agent's file."""
    if wished == before:
        return []
    place = data_folder(machine)
    if place is None:
        return [note("account-missing", name=SERVICE_USER)]
    folder, owner = place
    name = f"{folder}/{HARDWARE}"
    try:
        there = read_toml(machine.read(name))
    except (ValueError, RecursionError):
        return [note("exchange-file-broken", path=name)]
    text = write_toml(merged(without(there, before), dict(wished)))
    machine.write(name, text, 0o600, owner)
    return []


def set_first_users(machine: Machine, users: tuple[FirstUser, ...]) -> list[Note]:
    """Write the users that the exchange makes at its first start, instead of 100, 101, 102."""
    if not users:
        return []
    place = data_folder(machine)
    if place is None:
        return [note("account-missing", name=SERVICE_USER)]
    folder, owner = place
    name = f"{folder}/{FIRST_USERS}"
    known = _known_passwords(machine.read(name))
    rows = []
    for user in users:
        row = {"number": user.number, "name": user.name}
        # after a power cut in the first boot the card may be blanked already
        password = known.get(user.number, "") if user.password == TAKEN_OVER else user.password
        rows.append({**row, "password": password} if password else row)
    text = json.dumps(rows, indent=1, ensure_ascii=False) + "\n"
    machine.write(name, text, 0o600, owner)
    return []


def set_first_country(machine: Machine, country: str | None) -> None:
    """Write the country whose emergency numbers the exchange begins with."""
    place = data_folder(machine) if country else None
    if place is not None:
        folder, owner = place
        machine.write(f"{folder}/{FIRST_COUNTRY}", f"{country}\n", 0o600, owner)


def _known_passwords(text: str) -> dict[str, str]:
    try:
        return {row["number"]: row.get("password", "") for row in json.loads(text)}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}
