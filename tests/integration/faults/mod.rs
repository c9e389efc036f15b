//! What goes wrong, through the doors of the whole product: each fault ends in words that say what happened and what to do, the data
//! stays whole, and everything else goes on.

mod busy;
mod clock;
mod collections;
mod files;
mod login;
mod neighbours;
mod outage;
mod revisions;
mod storm;
mod world;
