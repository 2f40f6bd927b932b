"""Reads discovery messages as Home Assistant's Tasmota integration does, with HATasmota.

Each line is {mac, config, sensors}; for each it prints what HATasmota makes of it:
{mac, name, model, version, will, online, offline, entities: [[platform, name]], commands: [topic]}.
"""

import json
import sys

from hatasmota import discovery as d
from hatasmota import utils

for line in sys.stdin:
    said = json.loads(line)
    config = d.TasmotaDiscoveryMsg(said["config"])
    entities, commands = [], []
    for platform in ("switch", "light", "cover"):
        make = getattr(d, f"get_{platform}_entities")
        for entity, _ in make(config):
            if entity is None:
                continue
            entities.append([platform, entity.friendly_name])
            commands.append(getattr(entity, "command_topic", None))
    print(
        json.dumps(
            {
                "mac": config["mac"],
                "name": config["dn"],
                "model": config["md"],
                "version": config["sw"],
                "will": utils.get_topic_tele_will(config),
                "online": config["onln"],
                "offline": config["ofln"],
                "sleeps": bool(config["dslp"]),
                "entities": entities,
                "commands": [c for c in commands if c],
                "stat": utils.get_topic_stat_result(config),
                "tele": utils.get_topic_tele_sensor(config),
            }
        )
    )
