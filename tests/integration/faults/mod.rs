//! Faults, through the routes and commands of the whole product. Each fault ends in a message with
//! the cause and the remedy, the stored data stays complete, and everything else continues.

#[cfg(unix)]
mod backfill;
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
