// Prints what a Zigbee2MQTT with one device of each of so many models would say on its topics, and what
// Home Assistant's discovery would be told of them: a JSON object {topic, payload, retain} to a line.
//
//   node zigbee.mjs MODELS PREFIX
//
// The models and what they expose come from zigbee-herdsman-converters; the rest is made up. Devices
// alternate between the forms of discovery: one config to an entity or one to the device, short keys or
// long, with and without `~`. The last line is the truth: {truth: [{ieee, name, vendor, model}]}.
import {createRequire} from 'node:module';
import fs from 'node:fs';
import path from 'node:path';

const require = createRequire(import.meta.url);
const {prepareDefinition} = require('zigbee-herdsman-converters');
const folder = path.join(path.dirname(require.resolve('zigbee-herdsman-converters')), 'devices');
const [wanted, prefix] = [Number(process.argv[2]), process.argv[3]];
const base = 'zigbee2mqtt';

function* definitions() {
    // A few of each maker, so that there are many kinds.
    for (const file of fs.readdirSync(folder).filter((f) => f.endsWith('.js')).sort()) {
        const {definitions: all, default: other} = require(path.join(folder, file));
        for (const definition of (all ?? other ?? []).slice(0, 3)) {
            yield definition;
        }
    }
}

function exposesOf(definition) {
    const prepared = prepareDefinition(definition);
    const list = typeof prepared.exposes === 'function' ? prepared.exposes({isDummyDevice: true}, {}) : prepared.exposes;
    return JSON.parse(JSON.stringify(list));
}

function say(topic, payload) {
    const text = typeof payload === 'string' ? payload : JSON.stringify(payload);
    console.log(JSON.stringify({topic, payload: text, retain: true}));
}

const SHORT = {
    unique_id: 'uniq_id', state_topic: 'stat_t', command_topic: 'cmd_t', availability: 'avty',
    availability_mode: 'avty_mode', device: 'dev', origin: 'o', value_template: 'val_tpl',
    unit_of_measurement: 'unit_of_meas', identifiers: 'ids', manufacturer: 'mf', model: 'mdl',
    topic: 't', components: 'cmps', platform: 'p', options: 'ops', sw_version: 'sw', schema: 'schema',
};

function shorten(value) {
    if (Array.isArray(value)) {
        return value.map(shorten);
    }
    if (value === null || typeof value !== 'object') {
        return value;
    }
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [SHORT[k] ?? k, shorten(v)]));
}

// What Home Assistant is told of one expose; null when it has nothing for it.
function entity(expose, topic, ieee) {
    const name = expose.property ?? expose.name ?? expose.type;
    const shared = {unique_id: `${ieee}_${name}_${expose.endpoint ?? ''}_${base}`, state_topic: topic, name};
    const command_topic = `${topic}/set`;
    const value_template = `{{ value_json['${name}'] }}`;
    switch (expose.type) {
        case 'light':
            return {...shared, platform: 'light', schema: 'json', command_topic};
        case 'switch':
            return {...shared, platform: 'switch', command_topic, value_template};
        case 'cover':
            return {...shared, platform: 'cover', command_topic};
        case 'lock':
            return {...shared, platform: 'lock', command_topic, value_template};
        case 'fan':
            return {...shared, platform: 'fan', command_topic};
        case 'binary':
            return expose.access & 2
                ? {...shared, platform: 'switch', command_topic, value_template}
                : {...shared, platform: 'binary_sensor', value_template};
        case 'numeric':
            return {...shared, platform: 'sensor', value_template,
                ...(expose.unit ? {unit_of_measurement: expose.unit} : {})};
        case 'enum':
            return expose.access & 2
                ? {...shared, platform: 'select', command_topic, value_template, options: expose.values.map(String)}
                : {...shared, platform: 'sensor', value_template};
        case 'text':
            return {...shared, platform: 'sensor', value_template};
        default:
            return null;
    }
}

function discovery(device, n) {
    const topic = `${base}/${device.friendly_name}`;
    const ieee = device.ieee_address;
    const common = {
        availability: [
            {topic: `${base}/bridge/state`, value_template: '{{ value_json.state }}'},
            {topic: `${topic}/availability`, value_template: '{{ value_json.state }}'},
        ],
        availability_mode: 'all',
    };
    const about = {
        device: {
            identifiers: [`${base}_${ieee}`], name: device.friendly_name,
            manufacturer: device.definition.vendor, model: device.definition.description,
            sw_version: '1.0', via_device: `${base}_bridge_0xc0ffee0000000000`,
        },
        origin: {name: 'Zigbee2MQTT', sw: '2.0', url: 'https://www.zigbee2mqtt.io'},
    };
    const seen = new Set();
    const entities = device.definition.exposes.map((e) => entity(e, topic, ieee))
        .filter((e) => e && !seen.has(e.unique_id) && seen.add(e.unique_id));
    if (entities.length === 0) {
        return false;
    }
    const form = (config) => (n % 2 ? shorten(config) : config);
    if (n % 3 === 0) {
        const components = Object.fromEntries(entities.map((e, i) => [`c${i}`, e]));
        say(`${prefix}/device/${ieee}/config`, form({...about, ...common, components}));
        return true;
    }
    for (const [i, {platform, ...config}] of entities.entries()) {
        const whole = {...config, ...common, ...about};
        if (n % 3 === 1) {
            whole['~'] = topic;
            whole.state_topic = '~';
            if (whole.command_topic) {
                whole.command_topic = '~/set';
            }
        }
        say(`${prefix}/${platform}/${ieee}/e${i}/config`, form(whole));
    }
    return true;
}

const devices = [];
const truth = [];
let skipped = 0;
for (const definition of definitions()) {
    if (devices.length === wanted) {
        break;
    }
    let exposes;
    try {
        exposes = exposesOf(definition);
    } catch {
        skipped += 1;
        continue;
    }
    const n = devices.length;
    const ieee = `0x00158d${n.toString(16).padStart(10, '0')}`;
    // Names with slashes and spaces, as people give them.
    const name = ['', 'attic/', 'ground floor/left/'][n % 3] + `${definition.model} ${n}`.replace(/[+#]/g, '');
    devices.push({
        ieee_address: ieee, type: n % 2 ? 'EndDevice' : 'Router', network_address: n + 1, supported: true,
        friendly_name: name, disabled: false, manufacturer: definition.vendor, model_id: definition.model,
        power_source: 'Battery', interview_completed: true, interviewing: false, software_build_id: '1.0',
        definition: {
            model: definition.model, vendor: definition.vendor, description: definition.description,
            exposes, options: [], supports_ota: false,
        },
    });
    truth.push({ieee, name, vendor: definition.vendor, model: definition.model, online: n % 5 !== 0});
}
const coordinator = {
    ieee_address: '0xc0ffee0000000000', type: 'Coordinator', network_address: 0, supported: true,
    friendly_name: 'Coordinator', disabled: false, interview_completed: true, definition: null,
};
say(`${base}/bridge/state`, {state: 'online'});
say(`${base}/bridge/info`, {version: '2.0.0', coordinator: {ieee_address: coordinator.ieee_address}});
say(`${base}/bridge/devices`, [coordinator, ...devices]);
for (const [n, device] of devices.entries()) {
    truth[n].announced = discovery(device, n);
    say(`${base}/${device.friendly_name}/availability`, {state: truth[n].online ? 'online' : 'offline'});
    say(`${base}/${device.friendly_name}`, {linkquality: n % 255});
}
console.log(JSON.stringify({truth, skipped}));
