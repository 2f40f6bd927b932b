//! HTTP: the listeners on the network, the control socket, the guard in front of every route, and
//! the clients that reach out.
//!
//! `app` starts it with the one [`Router`] that `web`, `mcp` and the services built with the names
//! re-exported here; nothing else in the program names the web framework. Requests reach the routes
//! with a [`crate::policy::Caller`] among their extensions. It knows no service, holds no token, and
//! never answers a path without one unless [`guard::PUBLIC`] lists it.

pub mod answer;
pub mod ask;
mod config;
pub mod control;
mod counters;
pub mod dial;
pub mod guard;
pub mod in_json;
pub mod mdns;
pub mod peer;
pub mod read;
pub mod serve;
pub mod sse;
pub mod tls;

pub use axum::Extension;
pub use axum::Json;
pub use axum::Router;
pub use axum::body::{Body, Bytes, to_bytes};
pub use axum::extract::{Path, Query, RawQuery, Request, State};
pub use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
pub use axum::middleware;
pub use axum::response::{Html, IntoResponse, Redirect, Response};
pub use axum::routing::{
    MethodRouter, any, any_service, delete, get, get_service, patch, post, post_service, put,
};
pub use config::{Config, ENV, RANGES};
pub use counters::{Counters, Reason};
