//! Which pin does what. After reset all are inputs: no pulses, so the relay is open, and the shunt, which
//! needs a high level to open, is closed.

use stm32f4::stm32f405::Peripherals;

/// Sets all pins up.
pub fn start(p: &Peripherals) {
    p.RCC.ahb1enr().modify(|_, w| w.gpioaen().set_bit().gpioben().set_bit().gpiocen().set_bit());
    // PA4 DAC, PA6 current, PA7 voltage.
    p.GPIOA.moder().modify(|_, w| w.moder4().analog().moder6().analog().moder7().analog());
    // PB6, PB7 USART1.
    p.GPIOB.afrl().modify(|_, w| w.afrl6().af7().afrl7().af7());
    p.GPIOB.pupdr().modify(|_, w| w.pupdr7().pull_up());
    p.GPIOB.moder().modify(|_, w| w.moder6().alternate().moder7().alternate());
    // PC1 light, PC6 pulses, PC7 shunt; low before they become outputs.
    p.GPIOC.bsrr().write(|w| w.br1().set_bit().br6().set_bit().br7().set_bit());
    p.GPIOC.moder().modify(|_, w| w.moder1().output().moder6().output().moder7().output());
    // PC3: a normally-closed button to ground. Pressed, or with its wire broken, the pull-up wins.
    p.GPIOC.pupdr().modify(|_, w| w.pupdr3().pull_up());
}

/// Whether the emergency stop is pressed or its wire is broken.
#[cfg(not(feature = "emulator"))]
pub fn e_stop(p: &Peripherals) -> bool {
    p.GPIOC.idr().read().idr3().bit()
}

/// Once a tick: one more edge for the monostable while the relay is to be closed. A pin that is stuck at
/// either level makes no edges.
pub fn relay(p: &Peripherals, closed: bool, shunt_open: bool) {
    let high = p.GPIOC.odr().read().odr6().bit();
    // Opening, the shunt shorts the output at once; the relay follows when the monostable runs out.
    p.GPIOC.bsrr().write(|w| {
        let w = if closed && shunt_open { w.bs7().set_bit() } else { w.br7().set_bit() };
        if closed && !high { w.bs6().set_bit() } else { w.br6().set_bit() }
    });
}

/// The status light.
pub fn light(p: &Peripherals, on: bool) {
    p.GPIOC.bsrr().write(|w| if on { w.bs1().set_bit() } else { w.br1().set_bit() });
}
