//! The messages between host and stimulator, and their framing.
#![no_std]
