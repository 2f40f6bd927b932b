// Drives an MCP server with the official TypeScript client, version 1 (protocols with sessions).
//   node typescript1.mjs PLAN        PLAN is JSON; see steps.mjs
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ResourceUpdatedNotificationSchema } from "@modelcontextprotocol/sdk/types.js";
import { readPlan, run } from "./steps.mjs";

const plan = readPlan();

function transport() {
    if (plan.command) {
        const [command, ...args] = plan.command;
        return new StdioClientTransport({ command, args, env: { ...process.env, ...plan.env } });
    }
    const headers = plan.token ? { Authorization: `Bearer ${plan.token}` } : {};
    return new StreamableHTTPClientTransport(new URL(plan.url), { requestInit: { headers } });
}

const client = new Client({ name: "typescript1", version: "1" });
await client.connect(transport());

await run(plan, {
    protocol: () => "sessions",
    server: () => client.getServerVersion(),
    listTools: () => client.listTools(),
    callTool: (call, options) => client.callTool(call, undefined, options),
    read: (uri) => client.readResource({ uri }),
    ping: () => client.ping(),
    close: () => client.close(),
    async watch(uri, notice) {
        client.setNotificationHandler(ResourceUpdatedNotificationSchema, (n) => notice(n.params.uri));
        await client.subscribeResource({ uri });
        return () => client.unsubscribeResource({ uri });
    },
});
