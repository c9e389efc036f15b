//! The program interrupted during a history load, by everything that can interrupt one: what is held in the end is what an undisturbed
//! load holds, document for document.

mod killed;
mod network;
mod no_room;
mod stopped;
mod world;
