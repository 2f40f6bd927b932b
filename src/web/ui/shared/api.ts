// Calls to this Hearth. Paths are relative, so that the page also works below a path of a proxy.
import { keep } from "./storage";
import { text } from "./text";

/** An answer that is not a success, with the server's own sentence. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** Leaves for the login page; it comes back to the same place. */
export function leave() {
  keep("in", null);
  location.replace("login" + location.hash);
}

const PATIENCE = 20_000;

async function call<T>(path: string, init: RequestInit): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(path, {
      ...init,
      headers: { accept: "application/json", ...init.headers },
      signal: init.signal ?? AbortSignal.timeout(PATIENCE),
    });
  } catch (e) {
    if (init.signal?.aborted) throw e;
    throw new Refusal(0, "offline", text.api.unreachable);
  }
  const body: unknown = await answer.json().catch(() => null);
  if (answer.ok) return body as T;
  if (answer.status === 401) leave();
  const error = (body as { error?: { code?: string; message?: string } } | null)?.error;
  throw new Refusal(
    answer.status,
    error?.code ?? "",
    error?.message ?? text.api.status(answer.status),
  );
}

export function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return call<T>(path, signal ? { signal } : {});
}

export function post<T>(path: string, body: unknown, method = "POST"): Promise<T> {
  return call<T>(path, {
    method,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
}
