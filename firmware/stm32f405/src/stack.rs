//! How deep the stack has been: painted at the start, looked at later.

/// No value that code would often leave there.
const PAINT: u32 = 0x5AA5_C33C;
/// Left unpainted below the stack pointer, in bytes: this function's own frame.
const MARGIN: usize = 256;

unsafe extern "C" {
    /// The end of all statics, where the free RAM begins: from cortex-m-rt's linker script.
    static mut __sheap: u32;
    /// The top of the stack.
    static mut _stack_start: u32;
}

/// Paints the free RAM. To be called first.
pub fn paint() {
    let begin = &raw mut __sheap;
    let end = cortex_m::register::msp::read() as usize - MARGIN;
    let words = end.saturating_sub(begin as usize) / 4;
    for k in 0..words {
        // SAFETY: aligned words between the end of the statics and the stack, which nothing uses: there is no
        // heap.
        unsafe { begin.add(k).write_volatile(PAINT) };
    }
}

/// The deepest that the stack has reached, in bytes.
pub fn deepest() -> u32 {
    let (begin, top) = (&raw const __sheap, &raw const _stack_start as usize);
    let words = (top - begin as usize) / 4;
    // SAFETY: the same words, read only.
    let clean = (0..words).take_while(|&k| unsafe { begin.add(k).read_volatile() } == PAINT).count();
    (4 * (words - clean)) as u32
}
