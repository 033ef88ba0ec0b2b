//! The rules of the benchmark in an A-Tree. What it has no test for (how a text begins or ends) is prepared in the event.

use a_tree::{ATree, AttributeDefinition, Event};
use serde_json::Value;
use std::time::Instant;

const DAY: i64 = 86_400_000;

fn text(one: &Value, name: &str) -> String {
    one[name].as_str().unwrap().to_string()
}

fn expression(one: &Value, now: i64) -> String {
    let mut parts = vec![format!("shop = '{}'", text(one, "shop"))];
    if let Some(countries) = one["country"].as_array() {
        let named: Vec<String> = countries.iter().map(|c| format!("'{}'", c.as_str().unwrap())).collect();
        parts.push(format!("country in [{}]", named.join(", ")));
    }
    if let Some(tier) = one["tier"].as_str() {
        parts.push(format!("tier = '{tier}'"));
    }
    if let Some(channel) = one["channel"].as_str() {
        parts.push(format!("channel = '{channel}'"));
    }
    if let Some(amount) = one["amount"].as_i64() {
        parts.push(format!("amount >= {amount}"));
    }
    if let Some(start) = one["item"].as_str() {
        parts.push(format!("starts one of ['{start}']"));
    }
    if let Some(days) = one["joined_days"].as_i64() {
        parts.push(format!("joined >= {} and joined <= {now}", now - days * DAY));
    }
    if let Some(tier) = one["vip_tier"].as_str() {
        parts.push(format!("(tier = '{tier}' or amount >= {})", one["vip_amount"]));
    }
    if one["not_mail"].is_string() {
        parts.push("not org_mail".to_string());
    }
    parts.join(" and ")
}

fn event(tree: &ATree<u64>, one: &Value) -> Event {
    let mut made = tree.make_event();
    for name in ["shop", "country", "tier", "channel"] {
        made.with_string(name, one[name].as_str().unwrap()).unwrap();
    }
    made.with_integer("amount", one["amount"].as_i64().unwrap()).unwrap();
    made.with_integer("joined", one["joined"].as_i64().unwrap()).unwrap();
    made.with_boolean("org_mail", one["email"].as_str().unwrap().ends_with("@example.org")).unwrap();
    let skus = one["skus"].as_array().unwrap();
    let starts: Vec<&str> = skus.iter().map(|sku| &sku.as_str().unwrap()[..3]).collect();
    made.with_string_list("starts", &starts).unwrap();
    made.build().unwrap()
}

fn main() {
    let file = std::env::args().nth(1).unwrap();
    let input: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let now = input["now"].as_i64().unwrap();
    let strings = ["shop", "country", "tier", "channel"].map(AttributeDefinition::string);
    let mut attributes = strings.to_vec();
    attributes.push(AttributeDefinition::integer("amount"));
    attributes.push(AttributeDefinition::integer("joined"));
    attributes.push(AttributeDefinition::boolean("org_mail"));
    attributes.push(AttributeDefinition::string_list("starts"));
    let began = Instant::now();
    let mut tree = ATree::new(&attributes).unwrap();
    for (number, one) in input["rules"].as_array().unwrap().iter().enumerate() {
        tree.insert(&(number as u64), &expression(one, now)).unwrap();
    }
    let build = began.elapsed().as_secs_f64();
    let events: Vec<Event> = input["events"].as_array().unwrap().iter().map(|one| event(&tree, one)).collect();
    let (mut best, mut matches) = (f64::MAX, 0);
    for _ in 0..3 {
        let start = Instant::now();
        matches = events.iter().map(|one| tree.search(one).unwrap().matches().len()).sum();
        best = best.min(start.elapsed().as_secs_f64() * 1e6 / events.len() as f64);
    }
    println!("{{\"build_s\": {build:.2}, \"match_us\": {best:.2}, \"matches\": {matches}}}");
}
