#![no_std]
#![no_main]
use stm32f4::stm32f405 as _;
use core::panic::PanicInfo;
#[panic_handler] fn p(_: &PanicInfo) -> ! { loop {} }
#[cortex_m_rt::entry] fn main() -> ! { loop {} }
