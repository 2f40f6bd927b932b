// Drives an MCP server with the official TypeScript client, version 2.
//   node typescript2.mjs PLAN        PLAN is JSON; see steps.mjs. "lifecycle" picks the protocol:
// "legacy" for sessions, "modern" for 2026-07-28.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { readPlan, run } from "./steps.mjs";

const plan = readPlan();
const modern = plan.lifecycle === "modern";

function transport() {
    if (plan.command) {
        const [command, ...args] = plan.command;
        return new StdioClientTransport({ command, args, env: { ...process.env, ...plan.env } });
    }
    const headers = plan.token ? { Authorization: `Bearer ${plan.token}` } : {};
    return new StreamableHTTPClientTransport(new URL(plan.url), { requestInit: { headers } });
}

const mode = modern ? { pin: "2026-07-28" } : "legacy";
const client = new Client({ name: "typescript2", version: "1" }, { versionNegotiation: { mode } });
await client.connect(transport());

await run(plan, {
    protocol: () => (modern ? "2026-07-28" : "sessions"),
    server: () => client.getServerVersion(),
    listTools: () => client.listTools(),
    callTool: (call, options) => client.callTool(call, options),
    read: (uri) => client.readResource({ uri }),
    ping: () => (modern ? client.listTools() : client.ping()),
    close: () => client.close(),
    async watch(uri, notice) {
        client.setNotificationHandler("notifications/resources/updated", (n) => notice(n.params.uri));
        if (modern) {
            const subscription = await client.listen({ resourceSubscriptions: [uri] });
            return () => subscription.close();
        }
        await client.subscribeResource({ uri });
        return () => client.unsubscribeResource({ uri });
    },
});
