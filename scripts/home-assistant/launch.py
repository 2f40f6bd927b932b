"""Starts Home Assistant so that it sees the loopback interface and no other.

Its mDNS resolver joins a multicast group on every interface it finds. A test house must stay
silent on the network of the house that it runs in.
"""

import sys
import types

import ifaddr

# The two sound packages of the voice pipeline must be compiled, and no test speaks to the house; but
# without them one integration cannot be imported, and with it fails the list of all services.
for name, part in (("pymicro_vad", "MicroVad"), ("pyspeex_noise", "AudioProcessor")):
    module = types.ModuleType(name)
    setattr(module, part, type(part, (), {}))
    sys.modules.setdefault(name, module)

every_adapter = ifaddr.get_adapters


def loopback_adapters(*args, **kwargs):
    """The machine's adapters that hold a 127.x address, with nothing but such addresses."""
    kept = []
    for adapter in every_adapter(*args, **kwargs):
        adapter.ips = [ip for ip in adapter.ips if ip.is_IPv4 and ip.ip.startswith("127.")]
        if adapter.ips:
            kept.append(adapter)
    return kept


ifaddr.get_adapters = loopback_adapters

from homeassistant.__main__ import main  # noqa: E402, after the changes above

sys.exit(main())
