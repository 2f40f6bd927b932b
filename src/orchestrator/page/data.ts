// What the page knows: the sessions, and of one that is open its limits and its stderr.
import { get, loader, post } from "hearth/ui";

export interface Session {
  id: string;
  owner: string;
  state: "running" | "stopped" | "elsewhere" | "ended";
  image: string;
  epoch: number;
  node: string;
  level?: number;
  place?: string;
  sandbox?: string;
  server?: string;
  ttl: number;
  left: number;
  /** Seconds since 1970. */
  made: number;
  used: number;
  why?: string;
  receipt: { cpu_seconds: number; peak_memory: number; calls: number; sandboxes: number };
}

export interface Limit {
  name: string;
  asked: string;
  in_force: string | null;
  read_at: string;
}

export interface Inside {
  limits: Limit[];
  lines: string[];
  dropped: number;
}

const base = "api/orchestrator/sessions";

export const sessions = loader<{ sessions: Session[] }>(base);

export async function inside(id: string): Promise<Inside> {
  const path = `${base}/${encodeURIComponent(id)}`;
  const [limits, log] = await Promise.all([
    get<{ limits: Limit[] }>(`${path}/limits`),
    get<{ lines: string[]; dropped: number }>(`${path}/stderr`),
  ]);
  return { limits: limits.limits, lines: log.lines, dropped: log.dropped };
}

export const acquire = () => post<Session>(base, {});

export const end = (id: string) =>
  post<Session>(`${base}/${encodeURIComponent(id)}`, {}, "DELETE");
