// Lights that can be lamps: what the house, the broker and the network offer, each added by a button.
import { Empty, post, tell } from "hearth/ui";
import { useState } from "preact/hooks";
import { act, type Lamp } from "./data";
import { t } from "./text";

interface Device {
  entity_id?: string;
  name?: string;
  kind: string;
  area?: string;
  address?: string;
  refused?: string;
  away?: string;
  /** What is added for a lamp that was found on the network. */
  lamp?: Record<string, unknown> | string;
  found?: boolean;
}

/** A device as a lamp of Aurora; nothing when there is nothing to add. */
function asLamp(device: Device): Record<string, unknown> | null {
  if (device.refused) return null;
  if (device.kind === "home" && device.entity_id) {
    return { name: device.name ?? device.entity_id, kind: "home", address: device.entity_id };
  }
  if (device.kind === "mqtt" && device.address) {
    return { name: device.name ?? device.address, kind: "mqtt", address: device.address };
  }
  return device.found && typeof device.lamp === "object" ? device.lamp : null;
}

export function Found(props: { known: Lamp[] }) {
  const [devices, show] = useState<Device[] | null>(null);
  const [busy, work] = useState(false);
  const look = async () => {
    work(true);
    try {
      const all: Device[] = [];
      let cursor = "";
      do {
        const part = await post<{ devices: Device[]; next?: string }>("api/aurora/find", { network: true, cursor });
        all.push(...part.devices);
        cursor = part.next ?? "";
      } while (cursor);
      show(all);
    } catch (e) {
      tell(e instanceof Error ? e.message : String(e));
    }
    work(false);
  };
  const known = new Set(props.known.map((lamp) => `${lamp.kind} ${lamp.address}`));
  const fresh = (devices ?? []).filter((device) => {
    const lamp = asLamp(device);
    return lamp ? !known.has(`${String(lamp.kind)} ${String(lamp.address)}`) : device.refused || device.found;
  });
  return (
    <>
      <button type="button" class="button quiet" disabled={busy} aria-busy={busy} onClick={() => void look()}>
        {busy ? t.finding : t.find}
      </button>
      {devices && (
        <div class="au-found">
          {fresh.length === 0 && (
            <Empty title={t.nothingNew}>
              <p>{t.nothingNewBody}</p>
            </Empty>
          )}
          {fresh.length > 0 && (
            <ul class="card rows">
              {fresh.map((device) => {
                const lamp = asLamp(device);
                const name = device.name ?? device.entity_id ?? device.address ?? device.kind;
                return (
                  <li key={`${device.kind} ${device.entity_id ?? device.address ?? name}`}>
                    <div class="grow">
                      <h3>{name}</h3>
                      <p class="small soft">
                        {[device.kind, device.entity_id ?? device.address, device.area, device.refused ?? device.away]
                          .filter(Boolean)
                          .join(" · ")}
                      </p>
                    </div>
                    {lamp && (
                      <button
                        type="button"
                        class="button"
                        aria-label={t.add(name)}
                        onClick={() => void act("lamps", { action: "add", lamp })}
                      >
                        {t.addShort}
                      </button>
                    )}
                  </li>
                );
              })}
            </ul>
          )}
        </div>
      )}
    </>
  );
}
