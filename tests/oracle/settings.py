"""The daemon's INI configuration, read with the types and defaults of config.def."""
import os
import re

TABLE = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                     "../../include/freshet/tables/config.def")
UNITS_MS = {"ms": 1, "s": 1000, "m": 60000, "h": 3600000, "d": 86400000, "w": 604800000}
SIZES = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30,
         "k": 1000, "M": 10 ** 6, "G": 10 ** 9}


class SettingsError(ValueError):
    """A file that the daemon would refuse, or that this oracle does not understand."""


def parse_duration(text):
    """Milliseconds of `30m`, `1h30m`, `250ms`; a bare number is milliseconds."""
    text = text.strip()
    if re.fullmatch(r"\d+", text):
        return int(text)
    parts = re.findall(r"(\d+)\s*(ms|[smhdw])", text)
    if not parts or "".join(n + u for n, u in parts) != re.sub(r"\s", "", text):
        raise SettingsError(f"not a duration: {text!r}")
    return sum(int(n) * UNITS_MS[u] for n, u in parts)


def parse_size(text):
    m = re.fullmatch(r"(\d+)\s*([A-Za-z]*)", text.strip())
    if not m or m[2] not in SIZES:
        raise SettingsError(f"not a size: {text!r}")
    return int(m[1]) * SIZES[m[2]]


def parse_bool(text):
    word = text.strip().lower()
    if word in ("yes", "true", "on", "1"):
        return True
    if word in ("no", "false", "off", "0"):
        return False
    raise SettingsError(f"not yes or no: {text!r}")


def parse_time_of_day(text):
    """Milliseconds since midnight, or -1 for off."""
    if text.strip().lower() == "off":
        return -1
    m = re.fullmatch(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", text.strip())
    if not m:
        raise SettingsError(f"not a time of day: {text!r}")
    return (int(m[1]) * 3600 + int(m[2]) * 60 + int(m[3] or 0)) * 1000


def parse_zone(text):
    if text.strip() in ("Z", "UTC"):
        return 0
    m = re.fullmatch(r"([+-])(\d{1,2}):?(\d{2})", text.strip())
    if not m:
        raise SettingsError(f"not an offset to UTC: {text!r}")
    ms = (int(m[2]) * 60 + int(m[3])) * 60000
    return -ms if m[1] == "-" else ms


PARSERS = {"BOOL": parse_bool, "INT": int, "SIZE": parse_size, "DURATION": parse_duration,
           "TIME_OF_DAY": parse_time_of_day, "ZONE": parse_zone,
           "STRING": str, "PATH": str, "SECRET": str, "CHOICE": str}


def read_table(path=TABLE):
    """{section.key: (type, default text)} from config.def."""
    row = re.compile(r'^CONFIG\((\w+), ([\w.]+), \w+, (\w+), "((?:[^"\\]|\\.)*)",')
    with open(path, encoding="utf-8") as file:
        found = [row.match(line) for line in file]
    return {f"{m[1]}.{m[2]}": (m[3], m[4]) for m in found if m}


def read_ini(path):
    """[(section, key, value, line number)], by inih's rules as far as they matter here."""
    entries, section = [], ""
    with open(path, encoding="utf-8-sig") as file:
        for number, raw in enumerate(file, 1):
            line = raw.strip()
            if not line or line[0] in "#;":
                continue
            if line[0] == "[":
                if "]" not in line:
                    raise SettingsError(f"{path}:{number}: no ] after the section's name")
                section = line[1:line.index("]")].strip()
                continue
            line = re.split(r"\s;", line, maxsplit=1)[0].rstrip()
            m = re.match(r"([^=:]*)[=:](.*)$", line)
            if not m or raw[0] in " \t":
                raise SettingsError(f"{path}:{number}: not `key = value`: {line!r}")
            entries.append((section, m[1].strip(), m[2].strip(), number))
    return entries


def expand(text):
    """${env:NAME}, ${file:/path} and ${cred:name} as the daemon takes secrets."""
    def one(m):
        kind, name = m[1], m[2]
        if kind == "env":
            return os.environ.get(name, "")
        if kind == "cred":
            name = os.path.join(os.environ.get("CREDENTIALS_DIRECTORY", ""), name)
        with open(name, encoding="utf-8") as file:
            return file.read().rstrip("\n")
    return re.sub(r"\$\{(env|file|cred):([^}]*)\}", one, text)


class Settings:
    """Values by `section.key`; `passed` holds librdkafka's own properties."""

    def __init__(self, values=None, passed=None, folder="."):
        table = read_table()
        self.folder = folder
        self.passed = dict(passed or {})
        self.values = {name: self._typed(kind, text, name)
                       for name, (kind, text) in table.items()}
        for name, text in (values or {}).items():
            if name not in table:
                if name.startswith("kafka."):
                    self.passed[name[len("kafka."):]] = text
                    continue
                raise SettingsError(f"unknown configuration key {name}")
            self.values[name] = self._typed(table[name][0], str(text), name)

    @staticmethod
    def _typed(kind, text, name):
        try:
            return PARSERS[kind](text)
        except ValueError as error:
            raise SettingsError(f"{name}: {error}") from error

    def __getitem__(self, name):
        return self.values[name]

    def field(self, name):
        """A field path of the reader schema as its steps; none if it is not set."""
        return self.values[name].split(".") if self.values[name] else []

    def path(self, name):
        """A path of the configuration: relative to the working directory, else to the file."""
        value = self.values[name]
        return self.find(value) if value else ""

    def find(self, value):
        beside = os.path.join(self.folder, value)
        return value if os.path.exists(value) or not os.path.exists(beside) else beside

    @property
    def window_lateness(self):
        least = self["session.lateness"] + self["session.gap"]
        return max(self["time.window_lateness"] or 3600000, least)


def load(path, overrides=()):
    """Settings from a file, FRESHET_SECTION_KEY of the environment, then (name, text) pairs."""
    values = {f"{section}.{key}": expand(value) for section, key, value, _ in read_ini(path)}
    for name in read_table():
        variable = "FRESHET_" + name.replace(".", "_").upper()
        if variable in os.environ:
            values[name] = expand(os.environ[variable])
    values.update(overrides)
    return Settings(values, folder=os.path.dirname(os.path.abspath(path)))
