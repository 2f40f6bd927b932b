// Small settings of this browser. Storage can be blocked; then nothing is remembered.
export function kept(key: string): string | null {
  try {
    return localStorage.getItem(`hearth.${key}`);
  } catch {
    return null;
  }
}

export function keep(key: string, value: string | null) {
  try {
    if (value === null) localStorage.removeItem(`hearth.${key}`);
    else localStorage.setItem(`hearth.${key}`, value);
  } catch {
    // not remembered
  }
}
