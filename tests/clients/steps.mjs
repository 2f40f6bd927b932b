// The steps that every TypeScript client goes through, from a plan in JSON:
//   url, token        the server over HTTP; or
//   command, env      the server over stdio
//   call              { name, arguments }: a tool that answers, without an error
//   read              a resource that can be read
//   touch             { name, arguments }: a tool whose call changes `read`, or null
//   progress          { name, arguments }: a tool that reports progress at least twice, or null
//   wait              { name, arguments }: a tool that never ends by itself, or null
//   stopped           { name, arguments }: a tool that answers how many waits were cancelled
// Prints one line for each step; ends with an error at the first that fails.
import assert from "node:assert/strict";

const PATIENCE = 10_000;

export function readPlan() {
    return JSON.parse(process.argv[2]);
}

export async function run(plan, client) {
    const step = async (name, body) => {
        await within(name, body());
        console.log(`ok ${name}`);
    };
    await step("server info", async () => assert.equal(client.server()?.name, "hearth"));
    await step("list", async () => {
        const { tools } = await client.listTools();
        assert.ok(tools.some((tool) => tool.name === plan.call.name), "the tool is not listed");
    });
    await step("call", async () => {
        const result = await client.callTool(plan.call);
        assert.ok(!result.isError, JSON.stringify(result));
        assert.ok(result.content.length > 0);
    });
    await step("unknown tool", () => assert.rejects(client.callTool({ name: "no_such_tool", arguments: {} })));
    await step("read", async () => {
        const { contents } = await client.read(plan.read);
        assert.equal(contents[0].uri, plan.read);
    });
    if (plan.touch) await step("subscribe", () => subscribe(plan, client));
    if (plan.progress) await step("progress", () => progress(plan, client));
    if (plan.wait) await step("cancel", () => cancel(plan, client));
    await step("close", () => client.close());
}

async function subscribe(plan, client) {
    let heard;
    const notice = new Promise((resolve) => (heard = resolve));
    const end = await client.watch(plan.read, heard);
    const touched = await client.callTool(plan.touch);
    assert.ok(!touched.isError, JSON.stringify(touched));
    assert.equal(await within("a notice", notice), plan.read);
    await end();
}

async function progress(plan, client) {
    const steps = [];
    const result = await client.callTool(plan.progress, { onprogress: (step) => steps.push(step.progress) });
    assert.ok(!result.isError, JSON.stringify(result));
    assert.ok(steps.length >= 2, `${steps.length} steps`);
    assert.deepEqual(steps, [...steps].sort((a, b) => a - b));
}

async function cancel(plan, client) {
    const count = async () => Number((await client.callTool(plan.stopped)).content[0].text);
    const before = await count();
    const stop = new AbortController();
    const options = { signal: stop.signal, onprogress: () => stop.abort("enough") };
    await assert.rejects(client.callTool(plan.wait, options));
    const until = Date.now() + PATIENCE;
    while ((await count()) <= before) {
        assert.ok(Date.now() < until, "the server goes on with a cancelled call");
    }
    await client.ping();
}

function within(name, promise) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`${name}: nothing within ${PATIENCE} ms`)), PATIENCE);
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
