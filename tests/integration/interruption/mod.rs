//! Interruptions of the program during a history load. In the end, the store equals that of an
//! undisturbed load, document for document.

#[cfg(target_os = "linux")]
mod ended;
mod killed;
mod network;
mod no_room;
mod stopped;
mod world;
