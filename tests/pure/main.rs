//! What needs no stream and no server: configurations, files, tables, screens, stages and runs under the virtual clock.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "tests")]

mod any_bytes;
mod blinding;
mod check_delivers;
mod config;
mod dashboard_draw;
mod dashboard_sizes;
mod estimator_recording;
mod noise_command;
mod offline_tables;
mod protocol_sessions;
mod protocols;
mod recorder_session;
mod recording_brainvision;
mod recording_cases;
mod recording_csv;
mod recording_edf;
mod recording_peers;
mod recording_shared;
mod recording_xdf;
mod records;
mod resumed_sessions;
mod said;
mod screens;
mod simulate_spectrum;
mod stages;
mod steer;
mod through_current;
mod virtual_runs;
mod yoked_sessions;
