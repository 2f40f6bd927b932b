//! Tests of plugins: what scripts can do, what they cannot, and the two examples in a real house.

mod acts;
mod house;
mod reload;
mod rig;
mod sandbox;
