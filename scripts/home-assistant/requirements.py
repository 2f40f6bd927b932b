"""Prints the Python packages that the test house's integrations need.

Reads the names in configuration.yaml and follows the manifests of the installed release. The web
pages' package is left out: it is large and a stub stands in for it.
"""

import json
import pathlib
import re
import sys

import homeassistant
from homeassistant.const import Platform

COMPONENTS = pathlib.Path(homeassistant.__path__[0]) / "components"

# Set up by Home Assistant itself, by the seed or by a test, so they are not in the configuration;
# hassio is only read by the set-up of mqtt.
UNNAMED = [
    "hassio", "isal", "local_calendar", "local_todo", "mcp", "mcp_server", "mqtt", "tasmota"
]  # fmt: skip

# Its two sound packages must be compiled, and no test speaks to the house.
LEFT_OUT = {"assist_pipeline", "assist_satellite"}


def manifest(domain):
    """The manifest of an integration, or None where this release has no such integration."""
    path = COMPONENTS / domain / "manifest.json"
    return json.loads(path.read_text()) if path.exists() else None


def main():
    configured = re.findall(r"^(\w+):", pathlib.Path(sys.argv[1]).read_text(), re.MULTILINE)
    waiting = configured + UNNAMED + [kind.value for kind in Platform]
    seen, needed = set(LEFT_OUT), set()
    while waiting:
        domain = waiting.pop()
        facts = manifest(domain)
        if domain in seen or facts is None:
            continue
        seen.add(domain)
        needed.update(facts.get("requirements", []))
        waiting.extend(facts.get("dependencies", []))
    print("\n".join(sorted(n for n in needed if not n.startswith("home-assistant-frontend"))))


main()
