//! The two timers: TIM5 counts us, TIM2 paces DAC, ADC and loop from the same clock.
//!
//! TIM2 runs a little ahead, so that what it paces has happened when a tick is due. The time of a tick is TIM5's rounded down to the grid of ticks, so a loop that comes a little late
//! computes the same current as one that is on time, and one that misses a tick sees it missing.
//!
//! An emulator on a busy machine misses many, and makes up for it in bursts. There each wake is one tick and
//! one period: the device's clock runs slow instead, which the host's credits follow.

use cortex_m::peripheral::NVIC;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::exception;
use stm32f4::stm32f405::{Interrupt, Peripherals, TIM2, interrupt};

/// Timers of APB1 on the board, in MHz.
const TIMER_MHZ: u16 = 84;
/// What QEMU's timers count at, in MHz.
const EMULATED_MHZ: u16 = 1_000;

/// TIM2's lead, in us.
const LEAD_US: u32 = 2;
/// QEMU's core, in MHz.
const EMULATED_CORE_MHZ: u32 = 168;

/// The clock of the device.
pub struct Ticks {
    period_us: u32,
    counted_us: u64,
    last_count: u32,
    last_tick_us: u64,
    /// The device's time in the emulator.
    emulated_us: Option<u64>,
}

impl Ticks {
    /// Starts both.
    pub fn start(p: &Peripherals) -> Self {
        let emulated = cfg!(feature = "emulator");
        let (mhz, period_us) = if emulated { (EMULATED_MHZ, 500) } else { (TIMER_MHZ, 100) };
        p.RCC.apb1enr().modify(|_, w| w.tim2en().set_bit().tim5en().set_bit());
        // SAFETY: any value is a prescaler; the counters count to their whole width, or to one period.
        unsafe {
            p.TIM5.psc().write(|w| w.bits(u32::from(mhz - 1)));
            p.TIM5.arr().write(|w| w.bits(u32::MAX));
            p.TIM2.psc().write(|w| w.bits(u32::from(mhz - 1)));
            p.TIM2.arr().write(|w| w.bits(period_us - 1));
            // The ADC starts at 80 % of the period: the output has settled, and the result is there in time.
            p.TIM2.ccr1().write(|w| w.bits(period_us * 4 / 5));
        }
        p.TIM5.egr().write(|w| w.ug().set_bit());
        p.TIM2.egr().write(|w| w.ug().set_bit());
        p.TIM2.ccmr1_output().modify(|_, w| w.oc1m().pwm_mode2());
        p.TIM2.ccer().modify(|_, w| w.cc1e().set_bit());
        // The update event loads the DAC.
        p.TIM2.cr2().modify(|_, w| w.mms().update());
        // TIM2 leads by 2 us: when a tick is due by TIM5, the DAC has been loaded.
        // SAFETY: any value is a count.
        p.TIM2.cnt().write(|w| unsafe { w.bits(LEAD_US) });
        p.TIM2.cr1().modify(|_, w| w.cen().set_bit());
        p.TIM5.cr1().modify(|_, w| w.cen().set_bit());
        if emulated {
            wake_by_systick(period_us);
        } else {
            p.TIM2.dier().modify(|_, w| w.uie().set_bit());
            // SAFETY: its handler below shares nothing but the timer's own flag.
            unsafe { NVIC::unmask(Interrupt::TIM2) };
        }
        let last_count = p.TIM5.cnt().read().bits();
        Self { period_us, counted_us: 0, last_count, last_tick_us: 0, emulated_us: emulated.then_some(0) }
    }

    /// Ticks a second.
    pub fn rate_hz(&self) -> u32 {
        1_000_000 / self.period_us
    }

    /// Time since the start, in us. To be asked more often than once in 71 min.
    pub fn now_us(&mut self, p: &Peripherals) -> u64 {
        let counted_us = self.count(p);
        self.emulated_us.unwrap_or(counted_us)
    }

    fn count(&mut self, p: &Peripherals) -> u64 {
        let count = p.TIM5.cnt().read().bits();
        self.counted_us += u64::from(count.wrapping_sub(self.last_count));
        self.last_count = count;
        self.counted_us
    }

    /// The time of the newest tick, once.
    pub fn due(&mut self, p: &Peripherals) -> Option<u64> {
        let now_us = self.count(p);
        let period_us = u64::from(self.period_us);
        let tick_us = now_us - now_us % period_us;
        if tick_us <= self.last_tick_us {
            return None;
        }
        self.last_tick_us = tick_us;
        self.emulated_us = self.emulated_us.map(|us| us + period_us);
        Some(self.emulated_us.unwrap_or(tick_us))
    }

    /// Whether [`Ticks::due`] would give one.
    pub fn is_due(&self, p: &Peripherals) -> bool {
        let since = p.TIM5.cnt().read().bits().wrapping_sub(self.last_count);
        self.counted_us + u64::from(since) >= self.last_tick_us + u64::from(self.period_us)
    }
}

/// QEMU 7 does not reload TIM2: its interrupt comes again at once, for ever. The core's own timer it knows.
fn wake_by_systick(period_us: u32) {
    if let Some(mut core) = cortex_m::Peripherals::take() {
        core.SYST.set_clock_source(SystClkSource::Core);
        core.SYST.set_reload(period_us * EMULATED_CORE_MHZ - 1);
        core.SYST.clear_current();
        core.SYST.enable_interrupt();
        core.SYST.enable_counter();
    }
}

/// Wakes the loop, in the emulator.
#[exception]
fn SysTick() {}

/// Wakes the loop, on the board.
#[interrupt]
fn TIM2() {
    // SAFETY: only the flag is written, and by nobody else.
    let timer = unsafe { &*TIM2::ptr() };
    timer.sr().modify(|_, w| w.uif().clear_bit());
}
