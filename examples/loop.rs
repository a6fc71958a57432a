//! The closed loop in virtual time: five minutes of the demo's session in seconds, and what came of it.
//!
//! `cargo run --example loop`. The participant, the device and the clock are simulated; everything between is what a
//! live run drives.

use tras::{
    config::Config,
    runtime::{assemble::Order, virtual_time},
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = Config::from_str(include_str!("../configs/demo.toml"), "configs/demo.toml")?;
    let order = Order { seconds: Some(300.0), ..Order::new("demo", config, 1) };
    let summary = virtual_time::run(&order, &mut |_| {})?;
    println!("{summary}");
    Ok(())
}
