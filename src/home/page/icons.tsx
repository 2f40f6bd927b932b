// A picture per kind of thing.
import { Icon } from "hearth/ui";
import { domainOf, type Entity } from "./model";

const bulb =
  "M9 18h6M10 21h4M8.6 14.6a6 6 0 1 1 6.8 0c-.6.500-.9 1.200-.9 2V18h-5v-1.400c0-.8-.300-1.500-.9-2z";
const paths: Record<string, string> = {
  light: bulb,
  switch: "M7.500 7h9a5 5 0 0 1 0 10h-9a5 5 0 0 1 0-10zM16.500 9.500a2.500 2.500 0 1 0 0 5 2.500 2.500 0 0 0 0-5z",
  fan: "M12 10.500a1.500 1.500 0 1 0 0 3 1.500 1.500 0 0 0 0-3zM12 10.500c-3-3-1-7 2-6.500 2.500.5 2 4-2 6.500zM13.300 12.700c4-1 6.500 2.300 4.600 4.700-1.700 2-4.400-.2-4.600-4.700zM10.700 12.700c-1 4-5 4.600-6.200 1.800-1-2.400 2.200-4 6.200-1.800z",
  climate: "M10 4.500a2 2 0 0 1 4 0v9a4 4 0 1 1-4 0zM12 9v7",
  cover: "M4 4.500h16M5.500 4.500v13M18.500 4.500v13M5.500 8.500h13M5.500 12.500h13M5.500 17.500h13M12 17.500v3",
  garage: "M4 20V9.500L12 5l8 4.500V20M7.500 20v-8h9v8M7.500 15h9M7.500 17.500h9",
  lock: "M6 11h12v9H6zM8.500 11V8a3.500 3.500 0 0 1 7 0v3M12 14.500v2",
  unlock: "M6 11h12v9H6zM8.500 11V8a3.500 3.500 0 0 1 6.800-1.200M12 14.500v2",
  media_player: "M5 4.500h14v10H5zM9 19.500h6M12 14.500v5",
  speaker: "M7 3.500h10v17H7zM12 10.500a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM12 7v.1",
  person: "M12 4.500a3.500 3.500 0 1 0 0 7 3.500 3.500 0 0 0 0-7zM5 20c.500-4 3-6 7-6s6.500 2 7 6",
  binary_sensor: "M12 9.500a2.500 2.500 0 1 0 0 5 2.500 2.500 0 0 0 0-5zM7.500 16.500a6.400 6.400 0 0 1 0-9M16.500 7.500a6.400 6.400 0 0 1 0 9M4.700 19.300a10.300 10.300 0 0 1 0-14.600M19.300 4.700a10.300 10.300 0 0 1 0 14.600",
  door: "M6 20.500V4h12v16.500M4 20.500h16M14.500 12.500v.2",
  window: "M5 4h14v16H5zM12 4v16M5 12h14",
  sensor: "M4 18.500a8 8 0 1 1 16 0M12 18.500l3.500-6",
  temperature: "M10 4.500a2 2 0 0 1 4 0v9a4 4 0 1 1-4 0zM12 9v7",
  humidity: "M12 3.500c3.500 4.500 6 7.500 6 11a6 6 0 0 1-12 0c0-3.500 2.500-6.500 6-11z",
  power: "M13 3 5.500 13.500H11L10.500 21 18.500 10H13z",
  battery: "M4 8h14v8H4zM20.500 10.500v3M7 11v2",
  scene: "M12 4l2 5.500L20 11l-5 3.500 1 6-4-3.500-4 3.500 1-6-5-3.500 6-1.500z",
  script: "M6 4.500h12v15H6zM9 9h6M9 12.500h6M9 16h3",
  automation: "M12 8.500a3.500 3.500 0 1 0 0 7 3.500 3.500 0 0 0 0-7zM12 3.500v3M12 17.500v3M3.500 12h3M17.500 12h3M6 6l2 2M16 16l2 2M6 18l2-2M16 8l2-2",
  vacuum: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 8.500a3.500 3.500 0 1 0 0 7 3.500 3.500 0 0 0 0-7z",
  alarm_control_panel: "M12 3.500l7 2.500v5.500c0 4.500-3 7.500-7 9-4-1.500-7-4.500-7-9V6z",
  weather: "M7 17.500a4 4 0 0 1-.500-8 5.500 5.500 0 0 1 10.600 1A3.600 3.600 0 0 1 17 17.500z",
  camera: "M4 8h4l1.500-2.500h5L16 8h4v11H4zM12 10.500a3 3 0 1 0 0 6 3 3 0 0 0 0-6z",
  other: "M12 4.500a7.500 7.500 0 1 0 0 15 7.500 7.500 0 0 0 0-15zM12 8.500v4l2.500 2",
};

const same: Record<string, string> = {
  input_boolean: "switch",
  siren: "binary_sensor",
  humidifier: "humidity",
  water_heater: "climate",
  valve: "cover",
  device_tracker: "person",
  remote: "media_player",
  button: "scene",
  input_button: "scene",
};

function pick(e: Entity): string {
  const domain = domainOf(e.id);
  const device = String(e.attributes.device_class ?? "");
  if (domain === "lock" && e.state !== "locked") return "unlock";
  if (domain === "cover" && device.startsWith("garage")) return "garage";
  if (domain === "media_player" && device !== "tv") return "speaker";
  if (domain === "binary_sensor" && (device === "door" || device === "window")) return device;
  if (domain === "sensor" && device in paths) return device;
  if (domain === "sensor" && device === "energy") return "power";
  const name = same[domain] ?? domain;
  return name in paths ? name : "other";
}

export function Picture({ of }: { of: Entity }) {
  return <Icon path={paths[pick(of)] ?? ""} />;
}
