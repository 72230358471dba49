//! A Slack that is a list of calls: for everything about time, because clocks stand still. Replies of a real server are
//! looked at in [`replies`].

mod config;
mod looks;
mod pace;
mod replies;
mod threads;

use super::{
    Slack, SlackExporter,
    client::{Api, Method, Posted, Verdict},
    config::{Config, Plan},
};
use crate::testing::build_cx;
use lanner_engine::{prelude::*, testing::planning};
use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use std::{collections::BTreeSet, sync::Arc};
use tokio::{task::JoinHandle, time::Instant};

/// What Slack was asked.
#[derive(Clone)]
struct Call {
    at: Instant,
    method: Method,
    message: Json,
}

type Script = Box<dyn Fn(usize, &Call) -> Verdict + Send + Sync>;

/// Answers by script, and keeps what it saw.
#[derive(Clone)]
struct Fake {
    calls: Arc<Mutex<Vec<Call>>>,
    script: Arc<Script>,
}

#[async_trait]
impl Api for Fake {
    async fn call(&self, method: Method, message: &Json) -> Verdict {
        let call = Call { at: Instant::now(), method, message: message.clone() };
        let mut calls = self.calls.lock();
        calls.push(call.clone());
        (self.script)(calls.len(), &call)
    }
}

impl Fake {
    fn new(script: impl Fn(usize, &Call) -> Verdict + Send + Sync + 'static) -> Self {
        Self { calls: Arc::default(), script: Arc::new(Box::new(script)) }
    }

    /// Takes everything, as the Web API does.
    fn willing() -> Self {
        Self::new(|number, _| posted(number))
    }

    fn calls(&self) -> Vec<Call> {
        self.calls.lock().clone()
    }

    /// The first lines of the messages.
    fn lines(&self) -> Vec<String> {
        self.calls().iter().map(|call| call.message["text"].as_str().unwrap().to_owned()).collect()
    }
}

fn posted(number: usize) -> Verdict {
    Verdict::Posted(Some(Posted { channel: "C1".into(), ts: format!("{number}.0") }))
}

fn plan(config: Json) -> (Option<Plan>, Vec<String>) {
    let config: Config = serde_json::from_value(config).unwrap();
    let (plan, found) = planning(|cx| Slack::plan(config, cx));
    (
        plan,
        found.into_iter().map(|finding| format!("{} {}", finding.message, finding.help.unwrap_or_default())).collect(),
    )
}

fn bot(more: Json) -> Json {
    let mut config = json!({"bot_token": "xoxb-canary-token", "channel": "C1"});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    config
}

/// An exporter that runs in front of `api`, until it is dropped.
struct Running {
    exporter: Arc<SlackExporter>,
    cx: BuildCx,
    task: JoinHandle<Result<(), BoxError>>,
}

impl Running {
    async fn start(config: Json, api: &Fake) -> Self {
        Self::start_in(config, api, build_cx()).await
    }

    async fn start_in(config: Json, api: &Fake, cx: BuildCx) -> Self {
        let plan = plan(config).0.unwrap();
        let exporter = Arc::new(SlackExporter::new(plan, Box::new(api.clone()), &cx).await.unwrap());
        let running = Arc::clone(&exporter);
        let task = tokio::spawn(async move { running.run(Drain::new()).await });
        Self { exporter, cx, task }
    }

    /// Exports on a task of its own, as the engine does.
    fn export(&self, request: Request) -> JoinHandle<Outcome> {
        let exporter = Arc::clone(&self.exporter);
        tokio::spawn(async move { exporter.export(&request).await })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// How many alerts a message stands for.
fn stands_for(message: &Json) -> usize {
    match message["text"].as_str().unwrap().strip_prefix('*').and_then(|text| text.split_once(" more ")) {
        None => 1,
        Some((count, _)) => count.parse().unwrap(),
    }
}

/// What is wrong with a message by Slack's rules, and by ours for text of events.
fn check(message: &Json) -> BTreeSet<String> {
    let mut wrong = BTreeSet::new();
    let units = |text: &str| text.encode_utf16().count();
    let mut all = units(message["text"].as_str().unwrap());
    let mut limit = |what: &str, size: usize, most: usize| {
        if size > most || size == 0 {
            wrong.insert(format!("{what}: {size} of {most}"));
        }
    };
    limit("text", all, 4000);
    let mut texts = vec![message["text"].as_str().unwrap()];
    let attachments = message["attachments"].as_array().cloned().unwrap_or_default();
    limit("attachments", attachments.len().max(1), 1);
    for block in attachments.iter().flat_map(|attachment| attachment["blocks"].as_array().unwrap()) {
        match block["type"].as_str().unwrap() {
            "section" => {
                let text = block["text"]["text"].as_str();
                let fields = block["fields"].as_array().cloned().unwrap_or_default();
                limit("section", usize::from(text.is_some()) + fields.len(), 10);
                text.iter().for_each(|text| limit("section text", units(text), 3000));
                for field in &fields {
                    limit("field", units(field["text"].as_str().unwrap()), 2000);
                }
            }
            "context" => limit("elements", block["elements"].as_array().unwrap().len(), 10),
            other => limit(other, 1, 0),
        }
    }
    let blocks = attachments.iter().map(|attachment| attachment["blocks"].as_array().unwrap().len()).sum::<usize>();
    limit("blocks", blocks.max(1), 50);
    collect_texts(&message["attachments"], &mut texts);
    all += texts[1..].iter().map(|text| units(text)).sum::<usize>();
    limit("all text", all, 12_000);
    for text in texts {
        let entities = text.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "");
        let raw = entities.contains(['<', '>', '&']);
        let steering = text.chars().any(|letter| letter.is_control() && letter != '\n' || letter == '\u{202e}');
        if raw || steering {
            wrong.insert(format!("raw: {text}"));
        }
    }
    if message["unfurl_links"] != false || message["unfurl_media"] != false || message["link_names"] != false {
        wrong.insert("unfurls".into());
    }
    wrong
}

fn collect_texts<'j>(json: &'j Json, texts: &mut Vec<&'j str>) {
    match json {
        Json::Array(items) => items.iter().for_each(|item| collect_texts(item, texts)),
        Json::Object(object) => object.iter().for_each(|(key, value)| match value {
            Json::String(text) if key == "text" => texts.push(text),
            value => collect_texts(value, texts),
        }),
        _ => {}
    }
}
