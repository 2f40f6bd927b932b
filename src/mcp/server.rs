//! The protocol's side of the toolbox: one [`Server`] for each session or stateless request.
//!
//! Translates requests into questions to the [`Toolbox`] and its answers into results, always on
//! behalf of the caller that the transport names. Holds nothing but what one client asked for.

#![expect(deprecated, reason = "sessions before 2026-07-28 need what the newest protocol drops")]

use crate::mcp::client::Line;
use crate::mcp::wanted::Wanted;
use crate::mcp::watch::Watch;
use crate::mcp::{Answer, Answers, Call, Client, Mcp, Profile, Progress, asking, lists, wire};
use crate::policy::Caller;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CompleteRequestParams, CompleteResult, CompletionInfo,
    CustomRequest, CustomResult, ErrorCode, Extensions, GetPromptRequestParams, GetPromptResponse,
    GetPromptResult, Implementation, ListPromptsResult, ListResourceTemplatesResult,
    ListResourcesResult, ListToolsResult, PaginatedRequestParams, ProgressNotificationParam,
    ProtocolVersion, ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult,
    ServerCapabilities, ServerConfig, SetLevelRequestMethod, SetLevelRequestParams,
    SubscribeRequestParams, SubscriptionFilter, UnsubscribeRequestParams,
};
use rmcp::service::{NotificationContext, RequestContext, SubscriptionContext};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Map, Value};
use std::sync::Arc;
use tokio_util::sync::{CancellationToken, DropGuard};

/// The methods that this server knows, and whether only protocols with sessions have them.
const METHODS: &[(&str, bool)] = &[
    ("completion/complete", false),
    ("initialize", true),
    ("logging/setLevel", true),
    ("prompts/get", false),
    ("prompts/list", false),
    ("resources/list", false),
    ("resources/read", false),
    ("resources/subscribe", true),
    ("resources/templates/list", false),
    ("resources/unsubscribe", true),
    ("subscriptions/listen", false),
    ("tools/call", false),
    ("tools/list", false),
];

/// Who is served.
#[derive(Clone)]
pub(crate) enum Who {
    /// Each request carries its caller (HTTP).
    Carried,
    /// The one at the other end of the pipe.
    Fixed(Caller),
}

/// One session, or one stateless request.
pub(crate) struct Server {
    mcp: Mcp,
    profile: Profile,
    who: Who,
    wanted: Arc<Wanted>,
    /// Ends the notices with the session.
    _end: DropGuard,
}

impl Server {
    pub(crate) fn new(mcp: Mcp, profile: Profile, who: Who) -> Server {
        let wanted: Arc<Wanted> = Arc::default();
        let end = wanted.ended().drop_guard();
        Server { mcp, profile, who, wanted, _end: end }
    }

    /// The token that ends its notices and subscriptions; for a pipe whose other end is gone.
    pub(crate) fn end(&self) -> CancellationToken {
        self.wanted.ended()
    }

    fn caller(&self, carried: &Extensions) -> Result<Caller, ErrorData> {
        match &self.who {
            Who::Fixed(caller) => Ok(caller.clone()),
            Who::Carried => carried
                .get::<http::request::Parts>()
                .and_then(|parts| parts.extensions.get::<Caller>())
                .cloned()
                .ok_or_else(|| ErrorData::invalid_request("the request has no identity", None)),
        }
    }

    fn client(&self, cx: &RequestContext<RoleServer>) -> Client {
        let log = if is_stateless(cx) { cx.meta.log_level() } else { self.wanted.level() };
        let can = cx.client_capabilities().unwrap_or_default();
        Client::new(Line { peer: cx.peer.clone(), can, log }, Answers::default())
    }

    /// What came back with a repeated request.
    fn answers(
        &self,
        caller: &Caller,
        name: &str,
        given: Option<impl IntoIterator<Item = (String, Value)>>,
        state: Option<&str>,
    ) -> Result<Answers, ErrorData> {
        let state = state.map(|text| self.mcp.seal.open(caller, name, text)).transpose()?;
        Ok(Answers { given: given.into_iter().flatten().collect(), state })
    }

    fn watch(&self, caller: Caller) -> Watch {
        Watch::new(self.mcp.clone(), self.profile.clone(), caller, self.wanted.clone())
    }

    /// Starts telling a session what changes, once.
    fn begin_notices(&self, caller: Caller, peer: &rmcp::Peer<RoleServer>) {
        if let Some(reader) = self.wanted.begin(&self.mcp.events) {
            let (watch, peer) = (self.watch(caller), peer.clone());
            let ended = self.wanted.ended();
            self.mcp.tasks.job(async move { watch.session(reader, peer, ended).await });
        }
    }
}

/// Whether the request belongs to the lifecycle without sessions.
fn is_stateless(cx: &RequestContext<RoleServer>) -> bool {
    cx.protocol_version().is_some_and(|version| version >= ProtocolVersion::V_2026_07_28)
}

fn progress(cx: &RequestContext<RoleServer>) -> Progress {
    let Some(token) = cx.meta.get_progress_token() else { return Progress::default() };
    let peer = cx.peer.clone();
    Progress::new(move |done, total, text| {
        let (peer, mut step) = (peer.clone(), ProgressNotificationParam::new(token.clone(), done));
        step.total = total;
        step.message = text;
        // A client that is gone misses the step; the call itself ends by its own means.
        Box::pin(async move { drop(peer.notify_progress(step).await) })
    })
}

fn cursor(request: Option<&PaginatedRequestParams>) -> Option<&str> {
    request.and_then(|request| request.cursor.as_deref())
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let can = ServerCapabilities::builder()
            .enable_tools()
            .enable_tool_list_changed()
            .enable_resources()
            .enable_resources_subscribe()
            .enable_resources_list_changed()
            .enable_prompts()
            .enable_prompts_list_changed()
            .enable_completions()
            .enable_logging()
            .build();
        let about = &self.mcp.about;
        let me = Implementation::new("hearth", about.version.clone()).with_title(&about.title);
        ServerConfig::new(can)
            .with_server_info(me)
            .with_instructions(lists::instructions(&self.mcp.toolbox, &self.profile))
    }

    fn get_tool(&self, name: &str) -> Option<rmcp::model::Tool> {
        self.mcp.toolbox.tool(name, &self.profile).map(|known| (*known.shown).clone())
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        cx: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let caller = self.caller(&cx.extensions)?;
        lists::tools(&self.mcp.toolbox, &caller, &self.profile, cursor(request.as_ref()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        cx: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let caller = self.caller(&cx.extensions)?;
        let name = request.name.as_ref();
        let Some(known) = self.mcp.toolbox.tool(name, &self.profile) else {
            return Err(ErrorData::invalid_params(format!("Unknown tool: {name}"), None));
        };
        let (given, state) = (request.input_responses, request.request_state);
        let mut answers = self.answers(&caller, name, given, state.as_deref())?;
        let client = self.client(&cx);
        for _ in 0..asking::ROUNDS {
            let mut call = Call::new(caller.clone());
            call.cancelled = cx.ct.clone();
            call.progress = progress(&cx);
            call.client = client.answered(answers);
            let args = request.arguments.clone().unwrap_or_default();
            let questions = match self.mcp.toolbox.run(known.tool.clone(), call, args).await {
                Ok(Answer::Ask(questions)) => questions,
                Ok(answer) => return Ok(wire::result(answer).into()),
                Err(e) => return Ok(wire::failure(&e).into()),
            };
            if is_stateless(&cx) {
                let seal = |state: &Value| self.mcp.seal.close(&caller, name, state);
                return Ok(asking::required(&client, questions, seal)?.into());
            }
            match asking::ask(&client, &cx, questions).await {
                Ok(come) => answers = come,
                Err(e) => return Ok(wire::failure(&e).into()),
            }
        }
        Ok(wire::failure(&asking::too_often(name)).into())
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        cx: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let caller = self.caller(&cx.extensions)?;
        lists::resources(&self.mcp.toolbox, &caller, &self.profile, cursor(request.as_ref()))
    }

    async fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        cx: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let caller = self.caller(&cx.extensions)?;
        Ok(lists::templates(&self.mcp.toolbox, &caller, &self.profile))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        cx: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let caller = self.caller(&cx.extensions)?;
        let contents = lists::read(&self.mcp.toolbox, &caller, &self.profile, &request.uri).await;
        let contents = contents.map_err(|e| wire::unread(&e, &request.uri, is_stateless(&cx)))?;
        Ok(ReadResourceResult::new(vec![wire::contents(&request.uri, contents)]).into())
    }

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        cx: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let caller = self.caller(&cx.extensions)?;
        // First the ear, then the look: what changes from here on is told.
        self.begin_notices(caller.clone(), &cx.peer);
        self.wanted.add(&request.uri).map_err(|e| wire::protocol_error(&e))?;
        let (toolbox, profile) = (&self.mcp.toolbox, &self.profile);
        if let Some(version) = lists::version(toolbox, &caller, profile, &request.uri) {
            self.wanted.versions().add(&request.uri, version);
        }
        let look = lists::read(&self.mcp.toolbox, &caller, &self.profile, &request.uri).await;
        look.map(drop).map_err(|e| {
            self.wanted.remove(&request.uri);
            wire::protocol_error(&e)
        })
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        cx: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.caller(&cx.extensions)?;
        self.wanted.remove(&request.uri);
        Ok(())
    }

    fn accepted_subscription_filter(
        &self,
        asked: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        // The client is told that it is heard before `listen` runs: the ear is there by then.
        self.wanted.listen_early(&self.mcp.events);
        Some(asked.clone())
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let reader = self.wanted.early(&self.mcp.events);
        let caller = self.caller(&context.request_context().extensions)?;
        let (watch, ended) = (self.watch(caller), self.wanted.ended());
        tokio::select! {
            () = watch.subscription(reader, &context) => {}
            () = ended.cancelled() => {}
        }
        Ok(())
    }

    async fn list_prompts(
        &self,
        request: Option<PaginatedRequestParams>,
        cx: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let caller = self.caller(&cx.extensions)?;
        lists::prompts(&self.mcp.toolbox, &caller, &self.profile, cursor(request.as_ref()))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        cx: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let caller = self.caller(&cx.extensions)?;
        let name = request.name.as_str();
        let prompt = lists::prompt(&self.mcp.toolbox, &caller, &self.profile, name)?;
        let args: Map<String, Value> = request.arguments.unwrap_or_default();
        lists::check_arguments(&prompt, &args)?;
        let (given, state) = (request.input_responses, request.request_state);
        let mut answers = self.answers(&caller, name, given, state.as_deref())?;
        let client = self.client(&cx);
        for _ in 0..asking::ROUNDS {
            let mut call = Call::new(caller.clone());
            call.cancelled = cx.ct.clone();
            call.client = client.answered(answers);
            let written = self.mcp.toolbox.write(&prompt, call, args.clone()).await;
            let questions = match written.map_err(|e| wire::protocol_error(&e))? {
                Answer::Ask(questions) => questions,
                answer => {
                    let messages = wire::messages(answer);
                    return Ok(GetPromptResult::new(messages)
                        .with_description(prompt.about)
                        .into());
                }
            };
            if is_stateless(&cx) {
                let seal = |state: &Value| self.mcp.seal.close(&caller, name, state);
                return Ok(asking::required(&client, questions, seal)?.into());
            }
            let come = asking::ask(&client, &cx, questions).await;
            answers = come.map_err(|e| wire::protocol_error(&e))?;
        }
        Err(wire::protocol_error(&asking::too_often(name)))
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        cx: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let caller = self.caller(&cx.extensions)?;
        let mut values = lists::complete(&self.mcp.toolbox, &caller, &self.profile, &request)?;
        let total = u32::try_from(values.len()).ok();
        let more = values.len() > CompletionInfo::MAX_VALUES;
        values.truncate(CompletionInfo::MAX_VALUES);
        let info = CompletionInfo::with_pagination(values, total, more)
            .map_err(|e| ErrorData::internal_error(e, None))?;
        Ok(CompleteResult::new(info))
    }

    async fn set_level(
        &self,
        request: SetLevelRequestParams,
        cx: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        if is_stateless(&cx) {
            return Err(ErrorData::method_not_found::<SetLevelRequestMethod>());
        }
        self.wanted.set_level(request.level);
        Ok(())
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        cx: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        // rmcp takes a known method whose parameters do not fit for one that it does not know.
        let newest = is_stateless(&cx);
        if METHODS.iter().any(|(name, old)| *name == request.method && !(newest && *old)) {
            let text = format!("Invalid params for {}", request.method);
            return Err(ErrorData::invalid_params(text, None));
        }
        let text = format!("unknown method '{}'", request.method);
        Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, text, None))
    }

    async fn on_initialized(&self, cx: NotificationContext<RoleServer>) {
        match self.caller(&cx.extensions) {
            Ok(caller) => self.begin_notices(caller, &cx.peer),
            Err(e) => log::warn!("mcp: a session opened without an identity: {}", e.message),
        }
    }
}
