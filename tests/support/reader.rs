//! What the tests of acquisition share: senders that can be killed, and a reader.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code, missing_docs, reason = "tests")]

use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

use tras::acquisition::conditioner::Conditioner;
use tras::acquisition::frame::FrameHeader;
use tras::acquisition::lsl::LslSource;
use tras::acquisition::settings::{AcquisitionError, AcquisitionSettings};
use tras::acquisition::{Poll, Source};
use tras::clock;

/// A child that does not outlive its test.
pub struct Killed(pub Child);

impl Killed {
    pub fn signal(&self, signal: i32) {
        // SAFETY: the process is our child and not yet waited for.
        unsafe { libc::kill(self.0.id() as i32, signal) };
    }

    pub fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Polls as the acquiring thread does, and conditions.
pub struct Reader {
    pub source: LslSource,
    pub conditioner: Conditioner,
    pub values: Vec<f64>,
    pub stamps_s: Vec<f64>,
    pub heads: Vec<FrameHeader>,
    pub last_uv: Vec<f32>,
}

impl Reader {
    pub fn open(settings: &AcquisitionSettings) -> Result<Self, AcquisitionError> {
        crate::lsl::session();
        let source = LslSource::open(settings, 20.0)?;
        let conditioner = Conditioner::new(source.description(), settings)?;
        let width = source.description().channels.len();
        Ok(Self {
            source,
            conditioner,
            values: vec![0.0; 64 * width],
            stamps_s: vec![0.0; 64],
            heads: Vec::new(),
            last_uv: Vec::new(),
        })
    }

    pub fn poll(&mut self) -> Poll {
        let poll = self.source.poll(&mut self.values, &mut self.stamps_s);
        match poll {
            Poll::Samples(n) => {
                let width = self.source.description().channels.len();
                let (heads, last_uv) = (&mut self.heads, &mut self.last_uv);
                let (correction_s, now_s) = (self.source.correction_s(), clock::now_s());
                let (values, stamps) = (&self.values[..n * width], &self.stamps_s[..n]);
                self.conditioner.push(values, stamps, correction_s, now_s, |head, values| {
                    heads.push(*head);
                    last_uv.clear();
                    last_uv.extend_from_slice(values);
                });
            }
            Poll::Resumed => self.conditioner.resumed(),
            _ => {}
        }
        poll
    }

    /// Polls every ms until `until` says so; panics after `limit_s`.
    pub fn poll_until(
        &mut self,
        limit_s: f64,
        what: &str,
        mut until: impl FnMut(&Self, Poll) -> bool,
    ) -> Duration {
        let start = Instant::now();
        loop {
            let poll = self.poll();
            if until(self, poll) {
                return start.elapsed();
            }
            assert!(
                start.elapsed().as_secs_f64() < limit_s,
                "{what}: not within {limit_s} s; refused: {:?}",
                self.source.refused()
            );
            if !matches!(poll, Poll::Samples(_)) {
                sleep(Duration::from_millis(1));
            }
        }
    }

    pub fn poll_for(&mut self, seconds: f64) {
        let start = Instant::now();
        self.poll_until(seconds + 5.0, "time", |_, _| start.elapsed().as_secs_f64() > seconds);
    }

    pub fn receive(&mut self, samples: usize) {
        let want = self.heads.len() + samples;
        self.poll_until(20.0, "samples", |r, _| r.heads.len() >= want);
    }
}
