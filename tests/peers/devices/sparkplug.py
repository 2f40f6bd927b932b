"""Prints what a Sparkplug edge node and its devices say: {topic, hex, metrics, seq} to a line.

Encoded by pysparkplug; `metrics` are [name, type, value] as they must be read. Numbers at the ends of
their ranges are among them.
"""

import json

import pysparkplug as psp

NOW = 1_700_000_000_000
VALUES = [
    ("int8", psp.DataType.INT8, -128),
    ("int16", psp.DataType.INT16, -32768),
    ("int32", psp.DataType.INT32, -(2**31)),
    ("int64", psp.DataType.INT64, -(2**63)),
    ("uint8", psp.DataType.UINT8, 255),
    ("uint16", psp.DataType.UINT16, 65535),
    ("uint32", psp.DataType.UINT32, 2**32 - 1),
    ("uint64", psp.DataType.UINT64, 2**64 - 1),
    ("float", psp.DataType.FLOAT, -1.5),
    ("double", psp.DataType.DOUBLE, 1e300),
    ("yes", psp.DataType.BOOLEAN, True),
    ("no", psp.DataType.BOOLEAN, False),
    ("text", psp.DataType.STRING, "Grüße / \u202e"),
    ("long text", psp.DataType.TEXT, "x" * 300),
    ("Properties/Hardware Make", psp.DataType.STRING, "Anvil"),
    ("Properties/Hardware Model", psp.DataType.STRING, "A1"),
]
WORDS = {
    "INT8": "Int8", "INT16": "Int16", "INT32": "Int32", "INT64": "Int64", "UINT8": "UInt8",
    "UINT16": "UInt16", "UINT32": "UInt32", "UINT64": "UInt64", "FLOAT": "Float",
    "DOUBLE": "Double", "BOOLEAN": "Boolean", "STRING": "String", "TEXT": "Text",
}  # fmt: skip


def metrics(values, alias=None, named=True):
    made = []
    for n, (name, kind, value) in enumerate(values):
        made.append(
            psp.Metric(
                timestamp=NOW,
                name=name if named else None,
                datatype=kind,
                value=value,
                alias=None if alias is None else alias + n,
            )
        )
    return tuple(made)


def say(topic, payload, values, seq, types=True):
    raw = payload.encode(include_dtypes=types)
    shown = [[name, WORDS[kind.name], value] for name, kind, value in values]
    print(json.dumps({"topic": topic, "hex": raw.hex(), "metrics": shown, "seq": seq}))


def node(group, name, devices):
    sequence = [("bdSeq", psp.DataType.INT64, 3)]
    birth = sequence + VALUES
    say(
        f"spBv1.0/{group}/NBIRTH/{name}",
        psp.NBirth(timestamp=NOW, seq=0, metrics=metrics(birth, alias=100)),
        birth,
        0,
    )
    for n, device in enumerate(devices):
        path = f"{name}/{device}"
        say(
            f"spBv1.0/{group}/DBIRTH/{path}",
            psp.DBirth(timestamp=NOW, seq=n + 1, metrics=metrics(VALUES, alias=200)),
            VALUES,
            n + 1,
        )
    say(
        f"spBv1.0/{group}/DDATA/{name}/{devices[0]}",
        psp.DData(
            timestamp=NOW, seq=len(devices) + 1, metrics=metrics(VALUES[:8], alias=200, named=False)
        ),
        VALUES[:8],
        len(devices) + 1,
        types=False,
    )
    return sequence


def main():
    node("plant", "edge one", ["press", "oven"])
    node("plant", "edge-2", ["pump"])
    say(
        "spBv1.0/plant/DDEATH/edge one/oven",
        psp.DDeath(timestamp=NOW + 1, seq=4),
        [],
        4,
    )
    bdseq = (psp.Metric(timestamp=NOW, name="bdSeq", datatype=psp.DataType.INT64, value=3),)
    death = psp.NDeath(timestamp=NOW + 1, bd_seq_metric=bdseq[0])
    say("spBv1.0/plant/NDEATH/edge-2", death, [("bdSeq", psp.DataType.INT64, 3)], None)


main()
