//! A participant does not allocate once it exists.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use tras::acquisition::{Poll, Source};
use tras::simulation::montage::labels;
use tras::simulation::participant::{ExponentChange, ParticipantSettings};
use tras::simulation::source::SimulatedSource;
use tras_test_support::alloc::allocations;

#[test]
fn a_simulated_source_does_not_allocate_after_construction() {
    let settings = ParticipantSettings {
        labels: labels(32),
        changes: vec![ExponentChange { at_s: 5.0, exponent: 2.0, over_s: 5.0 }],
        ..ParticipantSettings::default()
    };
    let mut source = SimulatedSource::new(&settings, 3, 0.0, Some(20.0)).unwrap();
    let (mut values, mut stamps) = (vec![0.0; 32 * 64], vec![0.0; 64]);
    let current = [0.05_f32; 20];
    let before = allocations();
    let mut samples = 0;
    for tick in 1..=2100_u32 {
        let now_s = f64::from(tick) * 0.01;
        source.set_drive((tick > 1000).then_some((2.5, 0.1)));
        source.deliver(now_s, 2000.0, &current);
        source.advance_to(now_s);
        while let Poll::Samples(count) = source.poll(&mut values, &mut stamps) {
            samples += count;
        }
    }
    let allocated = allocations() - before;
    assert_eq!(samples, 5000);
    assert_eq!(source.poll(&mut values, &mut stamps), Poll::End);
    assert_eq!(allocated, 0);
    // The counter counts.
    let held = std::hint::black_box(vec![1_u8; 100]);
    assert!(allocations() > before, "{}", held.len());
}
