// What each client wants to have pasted. Their own documents are the source of these forms.
export interface Client {
  key: string;
  name: string;
  /** Where the text goes. */
  where: string;
  note?: string;
  words: (at: { url: string; token: string; host: string; command: string }) => string;
}

const json = (value: unknown) => JSON.stringify(value, null, 2);
const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });

const ssh = (host: string, run: string) =>
  json({ mcpServers: { hearth: { command: "ssh", args: [`USER@${host}`, run] } } });
const sshNote =
  "Needs no token: the client starts “hearth mcp” on that machine through SSH and acts as “local”. Put your login name there for USER.";

export const clients: Client[] = [
  {
    key: "cursor",
    name: "Cursor",
    where: "~/.cursor/mcp.json",
    words: ({ url, token }) => json({ mcpServers: { hearth: { url, headers: bearer(token) } } }),
  },
  {
    key: "claude-code",
    name: "Claude Code",
    where: "In a terminal",
    words: ({ url, token }) =>
      `claude mcp add --transport http hearth ${url} \\\n  --header "Authorization: Bearer ${token}"`,
  },
  {
    key: "vscode",
    name: "VS Code",
    where: ".vscode/mcp.json",
    words: ({ url, token }) =>
      json({ servers: { hearth: { type: "http", url, headers: bearer(token) } } }),
  },
  {
    key: "other",
    name: "Others",
    where: "JSON",
    note: "Most clients take this form. Some call the transport “http”, some “streamable-http”, some find it out.",
    words: ({ url, token }) =>
      json({ mcpServers: { hearth: { type: "streamable-http", url, headers: bearer(token) } } }),
  },
  {
    key: "ssh",
    name: "Over SSH",
    where: "JSON",
    note: sshNote,
    words: ({ host, command }) => ssh(host, command),
  },
  {
    key: "ssh-container",
    name: "SSH, container",
    where: "JSON",
    note: sshNote,
    words: ({ host }) => ssh(host, "docker exec -i hearth /hearth mcp"),
  },
];
