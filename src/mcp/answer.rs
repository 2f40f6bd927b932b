//! What a tool or prompt answers: a value, blocks of content, or questions to the person.
//!
//! Tools return these; the server turns them into the protocol's words. Never talks to a client.

use crate::mcp::{Contents, Entry, Reply};
use crate::policy::Waiting;
use serde_json::{Map, Value, json};

/// A piece of content.
#[derive(Clone, Debug)]
pub enum Block {
    /// Text.
    Text(String),
    /// A picture: its type, for example `image/png`, and its bytes.
    Image(&'static str, Vec<u8>),
    /// Sound: its type, for example `audio/wav`, and its bytes.
    Audio(&'static str, Vec<u8>),
    /// A resource carried along: its URI and what it holds.
    Resource(String, Contents),
    /// A resource that the client can read by itself.
    Link(Entry),
}

/// What a tool or prompt answers.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A value of the output schema.
    Value(Reply<Value>),
    /// Content for a person or a model.
    Blocks(Vec<Block>),
    /// It needs answers first; it is run again with them.
    Ask(Questions),
}

impl From<String> for Answer {
    fn from(text: String) -> Answer {
        Answer::Blocks(vec![Block::Text(text)])
    }
}

impl From<&str> for Answer {
    fn from(text: &str) -> Answer {
        Answer::from(text.to_owned())
    }
}

impl From<Vec<Block>> for Answer {
    fn from(blocks: Vec<Block>) -> Answer {
        Answer::Blocks(blocks)
    }
}

/// What can be asked of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ability {
    /// Asking the person with a form.
    Form,
    /// Asking the client's model.
    Sampling,
    /// Listing the folders that the person opened.
    Roots,
}

/// One question.
#[derive(Clone, Debug)]
pub enum Ask {
    /// A form for the person: what it is about, and a flat JSON schema of the fields.
    Form(String, Value),
    /// A text for the client's model, and the most tokens of its answer.
    Sampling(String, u32),
    /// Which folders the person opened.
    Roots,
}

impl Ask {
    /// Returns what the client must be able to do for it.
    pub fn needs(&self) -> Ability {
        match self {
            Ask::Form(..) => Ability::Form,
            Ask::Sampling(..) => Ability::Sampling,
            Ask::Roots => Ability::Roots,
        }
    }

    /// The question as the protocol's request, without an id.
    pub(crate) fn request(&self) -> Value {
        match self {
            Ask::Form(message, schema) => json!({
                "method": "elicitation/create",
                "params": { "mode": "form", "message": message, "requestedSchema": schema },
            }),
            Ask::Sampling(text, most) => json!({
                "method": "sampling/createMessage",
                "params": {
                    "messages": [{ "role": "user", "content": { "type": "text", "text": text } }],
                    "maxTokens": most,
                },
            }),
            Ask::Roots => json!({ "method": "roots/list" }),
        }
    }
}

/// Questions that must be answered before a tool or prompt can go on.
#[derive(Clone, Debug, Default)]
pub struct Questions {
    /// Name and question; the answer comes back under the name.
    pub asks: Vec<(String, Ask)>,
    /// What the tool wants to remember until then. It travels sealed through the client.
    pub state: Option<Value>,
    /// Learns when the same is answered elsewhere, which makes the question needless.
    pub(crate) elsewhere: Option<Waiting>,
}

impl Questions {
    /// Begins with one question.
    pub fn one(name: impl Into<String>, ask: Ask) -> Questions {
        Questions { asks: vec![(name.into(), ask)], ..Questions::default() }
    }

    /// Adds a question.
    pub fn and(mut self, name: impl Into<String>, ask: Ask) -> Questions {
        self.asks.push((name.into(), ask));
        self
    }

    /// Remembers `state` until the answers come.
    pub fn remember(mut self, state: Value) -> Questions {
        self.state = Some(state);
        self
    }
}

impl From<Questions> for Answer {
    fn from(questions: Questions) -> Answer {
        Answer::Ask(questions)
    }
}

/// What came back for the questions asked before.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    pub(crate) given: Map<String, Value>,
    pub(crate) state: Option<Value>,
}

impl Answers {
    /// Returns the client's result for the question `name`; `None` when there is none or it is not
    /// an object.
    pub fn get(&self, name: &str) -> Option<&Map<String, Value>> {
        self.given.get(name).and_then(Value::as_object)
    }

    /// Returns a field of the form that the person filled in under `name`.
    pub fn field(&self, name: &str, field: &str) -> Option<&Value> {
        self.get(name)?.get("content")?.get(field)
    }

    /// Whether nothing came back.
    pub fn is_empty(&self) -> bool {
        self.given.is_empty()
    }

    /// Returns what was remembered; it is as it was given, or the call never got here.
    pub fn state(&self) -> Option<&Value> {
        self.state.as_ref()
    }
}
