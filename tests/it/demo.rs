//! Tests of demo: the house over a real socket, and its messages beside those of a real Home
//! Assistant.

mod client;
mod devices;
mod protocol;
mod shapes;
