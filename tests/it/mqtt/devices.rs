//! The list of devices against what others make and read: models of Zigbee devices, HATasmota, a
//! Sparkplug encoder, Home Assistant's own MQTT integration.

mod homeassistant;
mod house;
mod kinds;
pub mod peers;
mod retained;
mod trace;

use crate::mqtt::rig::Rig;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Every device, by its id, read page by page.
pub fn devices(rig: &mut Rig, args: &Value) -> BTreeMap<String, Value> {
    let (mut all, mut cursor) = (BTreeMap::new(), Value::Null);
    loop {
        let mut args = args.clone();
        if cursor.is_string() {
            args["cursor"] = cursor;
        }
        let page = rig.tool("mqtt_list_devices", args);
        assert!(page.to_string().len() <= 8 * 1024, "{} bytes", page.to_string().len());
        for device in page["devices"].as_array().unwrap() {
            let id = device["id"].as_str().unwrap().to_owned();
            let before = all.insert(id, device.clone());
            assert!(before.is_none(), "listed twice: {device}");
        }
        cursor = page["next"].clone();
        if !cursor.is_string() {
            assert_eq!(all.len() as u64, page["total"].as_u64().unwrap());
            return all;
        }
    }
}

/// One device with all that is known of it.
pub fn device(rig: &mut Rig, id: &str) -> Value {
    rig.tool("mqtt_list_devices", json!({ "device": id }))["devices"][0].clone()
}
