//! What `tras check` says of a session is what a run of it under the virtual clock delivers: active time, charge, RMS,
//! and no run of a configuration that passed ends in a fault. The plan's own test does the same without the program,
//! for many more cases.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use proptest::prelude::*;
use tras::config::Config;
use tras::runtime::{assemble::Order, virtual_time};

fn configurations() -> impl Strategy<Value = String> {
    let profile = prop::sample::select(vec!["steep", "flat", "sham"]);
    let course = (1u32..3, 5u32..40, 5u32..40, 1u32..60);
    let noise = (profile, 0.0..3.0_f64, 0.15..0.8_f64, 0.05..0.5_f64, 5.0..40.0_f64);
    let limits = (0.5..4.0_f64, 0.01..0.08_f64, 0.2..0.6_f64);
    (noise, course, limits).prop_map(|(noise, (blocks, up, down, steady), (active, charge, net))| {
        let (profile, exponent, low, peak, area) = noise;
        format!(
            "[stimulation]\nenabled = true\nprofile = \"{profile}\"\nexponent = {exponent}\npeak_ma = {peak}\n\
             band_hz = [{low}, 100]\noverride_band = true\nramp_up_s = {up}\nramp_down_s = {down}\n\
             block_s = {}\ngap_s = 30\nblocks = {blocks}\nbaseline_s = 3\nelectrode_area_cm2 = {area}\n\
             [limits]\nactive_min = {active}\ntotal_charge_c = {charge}\nnet_charge_mc = {net}\n\
             [simulation]\nchannels = 2\n",
            (up + down + steady).max(10)
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_global_rejects: 4_000, ..ProptestConfig::default() })]
    #[test]
    fn a_run_delivers_what_check_says(text in configurations(), seed in 0u64..1_000) {
        let Ok(config) = Config::from_str(&text, "any") else {
            return Err(TestCaseError::reject("check refuses it"));
        };
        let said = config.outlook().delivers;
        let summary = virtual_time::run(&Order::new("demo", config, seed), &mut |_| {}).unwrap();
        prop_assert_eq!(&summary.faults, &Vec::<String>::new());
        let seconds = summary.stimulation_seconds;
        prop_assert!((seconds - said.active_s).abs() < 0.2, "{} s, said {}", seconds, said.active_s);
        let charge_mc = summary.charge_c * 1e3;
        let spread = 5.0 * said.charge_sd_mc + 2e-3 * said.charge_mc;
        prop_assert!((charge_mc - said.charge_mc).abs() < spread, "{} mC, said {}", charge_mc, said.charge_mc);
        // The charge's relative spread, and a half more for the square's.
        let spread = 7.5 * said.charge_sd_mc / said.charge_mc + 5e-3;
        let rms_ma = summary.current_rms_ma;
        prop_assert!((rms_ma / said.rms_ma - 1.0).abs() < spread, "{} mA, said {}", rms_ma, said.rms_ma);
    }
}

#[test]
fn a_sham_block_has_one_active_time() {
    let text = "[stimulation]\nenabled = true\nprofile = \"sham\"\nramp_up_s = 40\nramp_down_s = 40\nblock_s = 120\n\
                blocks = 1\nbaseline_s = 3\ngap_s = 30\nelectrode_area_cm2 = 35\n";
    let config = Config::from_str(text, "sham").unwrap();
    let said = config.outlook().delivers.active_s;
    let summary = virtual_time::run(&Order::new("demo", config, 3), &mut |_| {}).unwrap();
    assert_eq!(said, 30.0);
    assert!((summary.stimulation_seconds - said).abs() < 0.2, "{}", summary.stimulation_seconds);
}
