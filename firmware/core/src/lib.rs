//! What a stimulator decides for itself: states, limits, ramps, queue.
#![no_std]
