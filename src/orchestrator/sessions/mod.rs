//! Sessions, without I/O: what is written down of one, whose it is, who may write it, when it ends.
//!
//! A session belongs to the token that made it and to one node at a time. Each change of the node, and
//! each new sandbox, raises its epoch, which is the fencing token: a record is only ever replaced by
//! comparing it whole, so whoever holds an older epoch cannot write. The keeper stores these records;
//! times come in as arguments. It never starts anything.

mod lease;
mod name;
mod record;

pub use lease::{Beat, LEASE, Own, Standing, Watch, standing};
pub use name::{Key, check_id};
pub use record::{Ended, Lease, Owner, Receipt, Record, State, Wish};
