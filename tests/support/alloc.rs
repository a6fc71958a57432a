//! The counting allocator of the binary `allocation`: what each thread allocates, and the most that it ever held.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static CALLS: Cell<u64> = const { Cell::new(0) };
    /// Whether this thread is inside what must not allocate, and what it did there.
    static MARKED: Cell<bool> = const { Cell::new(false) };
    static MARKED_CALLS: Cell<u64> = const { Cell::new(0) };
    /// Whether it has been said where the first of those came from.
    static TOLD: Cell<bool> = const { Cell::new(false) };
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

/// To be the `#[global_allocator]`.
pub struct Counting;

impl Counting {
    fn count(bytes: isize) {
        // Counting touches thread-locals without a destructor, which need no allocation.
        CALLS.set(CALLS.get() + 1);
        ALLOCATIONS.set(ALLOCATIONS.get() + u64::from(bytes > 0));
        HELD.set(HELD.get() + bytes);
        MOST.set(MOST.get().max(HELD.get()));
        if !MARKED.get() {
            return;
        }
        MARKED_CALLS.set(MARKED_CALLS.get() + 1);
        if !TOLD.replace(true) {
            // Writing that down allocates, which must not count.
            MARKED.set(false);
            eprintln!("allocated in a real-time stage:\n{}", std::backtrace::Backtrace::force_capture());
            MARKED.set(true);
        }
    }
}

// SAFETY: every call goes to the system's allocator unchanged; the counts are beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::count(layout.size() as isize);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        Self::count(-(layout.size() as isize));
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Allocations of this thread so far.
pub fn allocations() -> u64 {
    ALLOCATIONS.get()
}

/// Allocations and releases of this thread so far.
pub fn calls() -> u64 {
    CALLS.get()
}

/// The same, while it was [`marked`].
pub fn marked_calls() -> u64 {
    MARKED_CALLS.get()
}

/// Does `work` as a real-time thread would: what it allocates counts.
pub fn marked<T>(work: impl FnOnce() -> T) -> T {
    MARKED.set(true);
    let result = work();
    MARKED.set(false);
    result
}

/// Nobody needs to know where the next marked allocation comes from.
pub fn on_purpose() {
    TOLD.set(true);
}

/// Bytes that this thread took and holds; begins to look for the most.
pub fn begin_peak() -> isize {
    MOST.set(HELD.get());
    HELD.get()
}

/// The most since [`begin_peak`].
pub fn peak() -> isize {
    MOST.get()
}
