"""A short label for a device, so that people recognise it in the list of their sessions."""

# For the sake of old sites, each also names most of those below it, so the first match is used.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Vivaldi/", "Vivaldi"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("Wget/", "Wget"),
    ("hubbub", "Hubbub for Python"),
    ("aiohttp/", "a Python program"),
    ("python-", "a Python program"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
    ("FreeBSD", "FreeBSD"),
)


def label_of(user_agent: str) -> str:
    """A label such as "Firefox on Linux", which contains no text from the User-Agent header."""
    browser = next((shown for sign, shown in _BROWSERS if sign in user_agent), None)
    system = next((shown for sign, shown in _SYSTEMS if sign in user_agent), None)
    if browser and system:
        return f"{browser} on {system}"
    return browser or system or "Unknown device"
