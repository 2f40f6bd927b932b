//! Between our types and the protocol's: definitions, answers, contents and errors.

use crate::error::{Error, Kind};
use crate::mcp::{Answer, Block, Contents, Entry, Prompt, Template, Tool, schema};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rmcp::ErrorData;
use rmcp::model::{
    AudioContent, CallToolResult, ContentBlock, ErrorCode, ImageContent, PromptArgument,
    PromptMessage, Resource, ResourceContents, ResourceTemplate, Role, ToolAnnotations,
};
use serde::Serialize;
use serde_json::json;

/// The tool as `tools/list` shows it.
pub(crate) fn definition(tool: &Tool) -> rmcp::model::Tool {
    let confirm = tool.takes_confirm();
    let input = if confirm { schema::with_confirm(&tool.input) } else { tool.input.clone() };
    let mut hints = ToolAnnotations::new().open_world(tool.open_world);
    if tool.only_reads() {
        hints = hints.read_only(true);
    } else {
        hints = hints.destructive(tool.destructive);
        if tool.idempotent {
            hints = hints.idempotent(true);
        }
    }
    let mut shown = rmcp::model::Tool::new(tool.name, tool.about, input);
    shown.title = Some(tool.title.to_owned());
    shown.output_schema = tool.output.clone();
    shown.annotations = Some(hints);
    shown
}

/// The bytes of a value as JSON.
pub(crate) fn bytes(value: &impl Serialize) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, part: &[u8]) -> std::io::Result<usize> {
            self.0 += part.len();
            Ok(part.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Counting cannot fail; a value that is no JSON is caught where it is made.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

/// The bytes that an answer costs; the text that only repeats the value is not counted.
pub(crate) fn answer_bytes(answer: &Answer) -> usize {
    match answer {
        Answer::Value(reply) => bytes(&reply.value) + reply.text.as_ref().map_or(0, String::len),
        Answer::Blocks(blocks) => blocks.iter().map(block_bytes).sum(),
        Answer::Ask(questions) => {
            questions.asks.iter().map(|(name, ask)| name.len() + bytes(&ask.request())).sum()
        }
    }
}

fn block_bytes(block: &Block) -> usize {
    let contents = |contents: &Contents| match contents {
        Contents::Text(_, text) => text.len(),
        Contents::Bytes(_, raw) => raw.len().div_ceil(3) * 4,
    };
    match block {
        Block::Text(text) => text.len(),
        Block::Image(_, raw) | Block::Audio(_, raw) => raw.len().div_ceil(3) * 4,
        Block::Resource(uri, inner) => uri.len() + contents(inner),
        Block::Link(entry) => entry.uri.len() + entry.name.len(),
    }
}

/// A finished answer as the protocol's result.
pub(crate) fn result(answer: Answer) -> CallToolResult {
    match answer {
        Answer::Value(reply) => {
            let text = reply.text.unwrap_or_else(|| reply.value.to_string());
            let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
            result.structured_content = Some(reply.value);
            result.is_error = None;
            result
        }
        Answer::Blocks(blocks) => {
            let mut result = CallToolResult::success(blocks.into_iter().map(block).collect());
            result.is_error = None;
            result
        }
        Answer::Ask(_) => failure(&Error::broken("questions are no answer to this request")),
    }
}

/// A failed call as the protocol's result: the text for models, the rest for programs.
pub(crate) fn failure(error: &Error) -> CallToolResult {
    let mut result = CallToolResult::error(vec![ContentBlock::text(error.to_string())]);
    result.structured_content = Some(details(error));
    result
}

/// What programs read of an error.
pub(crate) fn details(error: &Error) -> serde_json::Value {
    let row = error.kind().row();
    let message = error.to_string();
    json!({ "error": { "code": row.code, "message": message, "retryable": row.retryable } })
}

/// A failure of anything but a tool call as the protocol's error.
pub(crate) fn protocol_error(error: &Error) -> ErrorData {
    let (text, data) = (error.to_string(), Some(details(error)));
    match error.kind() {
        Kind::Invalid | Kind::Refused | Kind::Unauthenticated | Kind::Conflict => {
            ErrorData::invalid_params(text, data)
        }
        Kind::NotFound => ErrorData::resource_not_found(text, data),
        Kind::Limit | Kind::Broken | Kind::Offline | Kind::Timeout => {
            ErrorData::internal_error(text, data)
        }
    }
}

/// A failure to read a resource. What is not there has another code in the newest protocol.
pub(crate) fn unread(error: &Error, uri: &str, newest: bool) -> ErrorData {
    let mut failure = protocol_error(error);
    if let Some(data) = failure.data.as_mut().and_then(serde_json::Value::as_object_mut) {
        data.insert("uri".into(), uri.into());
    }
    if newest && error.kind() == Kind::NotFound {
        failure.code = ErrorCode::INVALID_PARAMS;
    }
    failure
}

/// A block of content.
pub(crate) fn block(block: Block) -> ContentBlock {
    match block {
        Block::Text(text) => ContentBlock::text(text),
        Block::Image(mime, raw) => ContentBlock::Image(ImageContent::new(BASE64.encode(raw), mime)),
        Block::Audio(mime, raw) => ContentBlock::Audio(AudioContent::new(BASE64.encode(raw), mime)),
        Block::Resource(uri, inner) => ContentBlock::resource(contents(&uri, inner)),
        Block::Link(entry) => ContentBlock::resource_link(resource(entry)),
    }
}

/// What a resource holds.
pub(crate) fn contents(uri: &str, contents: Contents) -> ResourceContents {
    match contents {
        Contents::Text(mime, text) => ResourceContents::text(text, uri).with_mime_type(mime),
        Contents::Bytes(mime, raw) => {
            ResourceContents::blob(BASE64.encode(raw), uri).with_mime_type(mime)
        }
    }
}

/// A resource in a list.
pub(crate) fn resource(entry: Entry) -> Resource {
    let mut shown = Resource::new(entry.uri, entry.name).with_mime_type(entry.mime);
    shown.title = entry.title;
    shown
}

/// A family of resources.
pub(crate) fn template(template: &Template) -> ResourceTemplate {
    ResourceTemplate::new(template.uri, template.name)
        .with_description(template.about)
        .with_mime_type(template.mime)
}

/// A prompt in a list.
pub(crate) fn prompt(prompt: &Prompt) -> rmcp::model::Prompt {
    let args: Vec<PromptArgument> = prompt
        .args
        .iter()
        .map(|arg| {
            PromptArgument::new(arg.name).with_description(arg.about).with_required(arg.required)
        })
        .collect();
    let args = (!args.is_empty()).then_some(args);
    rmcp::model::Prompt::new(prompt.name, Some(prompt.about), args).with_title(prompt.title)
}

/// What a prompt says, as messages of the person.
pub(crate) fn messages(answer: Answer) -> Vec<PromptMessage> {
    let blocks = match answer {
        Answer::Blocks(blocks) => blocks,
        Answer::Value(reply) => {
            vec![Block::Text(reply.text.unwrap_or_else(|| reply.value.to_string()))]
        }
        Answer::Ask(_) => Vec::new(),
    };
    blocks.into_iter().map(|b| PromptMessage::new(Role::User, block(b))).collect()
}
